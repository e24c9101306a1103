"""Tables built by training: what is shipped, what is interrupted, what is refused."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.built import find_benchmark, open_built
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.files import read_parquet, write_parquet
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench201 import nasbench201_size
from dagnas.tables.table import Table
from dagnas.training.build import Build
from dagnas.training.curves import Curves
from dagnas.training.images import ImageSet, digits
from dagnas.training.recipe import Recipe, parse_recipe
from dagnas.training.stacked_build import SPLITS

QUICK = Recipe(epochs=2, channels=2)


@pytest.fixture(scope="module")
def images():
    rng = stream("images")
    labels = np.arange(120) % 3
    # A class is a bright row.
    pixels = rng.integers(0, 60, (120, 6, 6)).astype(np.uint8)
    pixels[np.arange(120), 2 * labels] += 150
    return ImageSet("rows", pixels, labels)


@pytest.fixture(scope="module")
def build(images):
    return Build("nasbench201", images, QUICK)


@pytest.fixture(scope="module")
def invented(build):
    """Counts as `Build.train` returns them, without training."""
    rng = stream("counts")
    columns = {"code": build.codes}
    for split, total in zip(SPLITS, (32, 40, 40), strict=True):
        for epoch in (1, 2):
            for seed in (0, 1):
                columns[f"{split}/{epoch}/s{seed}"] = rng.integers(0, total + 1, len(build.codes))
    return pa.table(columns).replace_schema_metadata(
        {"dagnas.digest": build.digest, "dagnas.platform": "invented"}
    )


@pytest.fixture
def npz(images, tmp_path):
    np.savez(tmp_path / "rows.npz", images=images.images, labels=images.labels)
    return tmp_path / "rows.npz"


# The shipped table


@pytest.fixture(scope="module")
def shipped():
    return BENCHMARKS.get("digits201").open(Path("nowhere"))


def test_the_shipped_table_is_of_the_default_recipe(shipped):
    assert len(shipped) == 15625
    assert shipped.table.path.stat().st_size < 2e6
    notes = shipped.table.provenance
    assert parse_recipe(json.loads(notes["recipe"])) == Recipe()
    assert notes["sha256"] == Build("nasbench201", digits(), Recipe()).digest
    assert not shipped.table.emulated


def test_a_handful_of_cells_trained_again_gives_the_shipped_numbers(shipped, tmp_path):
    build = Build("nasbench201", digits(), Recipe())
    codes = build.codes[[0, 1300, 2600, 3900, 5200, 6465]]
    again, notes = build.train(codes, tmp_path), shipped.table.provenance
    counted = dict(zip(SPLITS, (576, 599, 599), strict=True))
    rows = shipped.rows(shipped.space.unpack(codes))
    accuracies = {
        column: 100 * again[column].to_numpy() / counted[column.partition("/")[0]]
        for column in again.column_names[1:]
    }
    if notes["platform"] == build.platform:
        for column, accuracy in accuracies.items():
            np.testing.assert_array_equal(accuracy, shipped.table[f"digits/{column}"][rows])
    # Other processors sum in another order, and training makes noise of the last digits.
    last = np.array([accuracies[f"valid/12/s{seed}"] for seed in (0, 1)])
    expected = np.array([shipped.table[f"digits/valid/12/s{seed}"][rows] for seed in (0, 1)])
    np.testing.assert_allclose(last, expected, rtol=0, atol=15)
    assert last.mean() == pytest.approx(expected.mean(), abs=3)


def test_isomorphic_cells_share_trainings_but_not_sizes(shipped):
    space, cells = shipped.space, shipped.cells
    first = np.unique(space.canonical(cells), return_index=True)[1]
    own = shipped.rows(space.unpack(space.canonical(cells)))
    for column in ("digits/valid/12/s0", "digits/test/1/s1", "digits/train/6/s0"):
        values = shipped.table[column]
        assert (values == values[own]).all()
        assert len(np.unique(values[first])) > 100
    assert (shipped.table["params"] != shipped.table["params"][own]).any()


def test_costs_follow_from_multiply_adds(shipped):
    cost = json.loads(shipped.table.provenance["cost"])
    size = nasbench201_size(shipped.cells, Recipe().skeleton(digits()))
    assert (shipped.table["madds"] == size.total_madds()).all()
    assert (shipped.table["params"] == size.params).all()
    per_image = cost["fixed"] + cost["per_madd"] * size.total_madds()
    assert min(cost.values()) > 0
    for epochs in (1, 12):
        seconds = shipped.values(f"digits/seconds/{epochs}")
        np.testing.assert_allclose(seconds, 576 * epochs * per_image)


def test_a_damaged_shipped_table_is_refused(shipped, monkeypatch):
    module = sys.modules["dagnas.benchmarks.digits201"]
    monkeypatch.setattr(module, "DIGEST", "1" * 64)
    with pytest.raises(DagnasError, match=r"digits201.parquet is damaged: its SHA-256 is"):
        BENCHMARKS.get("digits201").open(Path("nowhere"))


# Builds


def test_a_table_holds_what_was_counted(build, invented, tmp_path):
    table, metadata = build.table([invented.slice(1000), invented.slice(0, 1000)])
    write_parquet(table, tmp_path / "rows201.parquet", metadata)
    benchmark = find_benchmark("rows201", tmp_path).open(tmp_path)
    assert (benchmark.name, len(benchmark)) == ("rows201", 15625)
    codes = benchmark.table["code"]
    assert (codes == np.arange(15625)).all()
    where = np.searchsorted(build.codes, benchmark.space.canonical(benchmark.cells))
    for split, total in zip(SPLITS, (32, 40, 40), strict=True):
        counts = np.stack([invented[f"{split}/2/s{seed}"].to_numpy() for seed in (0, 1)])
        repeats = benchmark.values(f"rows/{split}/2", "random")
        np.testing.assert_allclose(repeats, 100 * counts.T[where] / total)
        np.testing.assert_allclose(benchmark.values(f"rows/{split}/2"), repeats.mean(axis=1))
    policy = benchmark.policies["goal"]
    assert (policy.signal, policy.valid) == ("rows/valid/1", "rows/valid/2")
    # The budget is rounded to one digit.
    samples = policy.budget_seconds / benchmark.values(policy.seconds).mean()
    assert 240 / 1.5 <= samples <= 240 * 1.5


def test_a_table_lacks_no_cell(build, invented):
    with pytest.raises(DagnasError, match=r"lack 2 of 6,466 cells; the first is number 100"):
        build.table([invented.slice(0, 100), invented.slice(102)])


def test_parts_of_another_build_are_refused(images, build, invented, tmp_path):
    part = tmp_path / "part.parquet"
    write_parquet(invented, part, invented.schema.metadata)
    assert build.read_part(part).equals(invented)
    for other in (
        Build("nasbench201", images, Recipe(epochs=2, channels=2, shift=0)),
        Build("nasbench201", ImageSet("other", images.images, images.labels), QUICK),
        Build("nasbench201", ImageSet("rows", images.images ^ 1, images.labels), QUICK),
    ):
        with pytest.raises(DagnasError, match=r"part.parquet is no part of this table"):
            other.read_part(part)


def test_only_tables_built_here_are_opened_as_such(data):
    with pytest.raises(DagnasError, match=r"was not made by `dagnas build-table`"):
        open_built("x", data / "nasbench201.parquet")
    with pytest.raises(DagnasError, match=r"unknown benchmark 'fashion201'.*digits201"):
        find_benchmark("fashion201", data)


def test_what_decides_the_numbers_decides_the_digest(images, build):
    assert Build("nasbench201", images, QUICK).digest == build.digest
    assert Build("nasbench201", images, QUICK, device="cpu").digest == build.digest
    for field in ("seeds", "epochs", "shift"):
        other = Recipe(**{**QUICK.dump(), field: 7})
        assert Build("nasbench201", images, other).digest != build.digest


def test_training_goes_on_where_it_was_killed(npz, tmp_path):
    command = [sys.executable, "-m", "dagnas", "build-table", "--space", "nasbench201"]
    command += ["--images", npz, "--cells", "3000:3128", "--set", "epochs=2", "--out"]
    subprocess.run([*command, tmp_path / "whole.parquet"], check=True, capture_output=True)
    folder = tmp_path / "killed.checkpoint"
    process = subprocess.Popen(
        [*command, tmp_path / "killed.parquet"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # What was read comes first, so that a wrong file can be told.
    assert process.stdout.readline() == (
        f"{npz}: 120 images of 6 x 6 pixels, 1 channel, 3 classes, values 0 to 209\n"
    )
    assert "128 cells x 2 seeds x 2 epochs on " in process.stdout.readline()
    while process.poll() is None and len(list(folder.glob("[0-9]*"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("[0-9]*")}
    assert 2 <= len(finished) < 4
    # A stack that is damaged is trained again.
    damaged = min(finished)
    damaged.write_bytes(damaged.read_bytes()[:-20])
    subprocess.run([*command, tmp_path / "killed.parquet"], check=True, capture_output=True)
    assert (tmp_path / "killed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert not folder.exists()


def test_finished_stacks_are_not_trained_again(build, tmp_path, monkeypatch):
    codes = build.codes[3000:3040]
    first = build.train(codes, tmp_path)
    assert build.estimate(codes, tmp_path) == 0
    monkeypatch.setattr(type(build), "_train_stack", None)
    assert build.train(codes, tmp_path).equals(first)


def test_the_estimate_counts_what_is_left(build, tmp_path, monkeypatch):
    # Half a second for each cell and seed.
    monkeypatch.setattr(Curves, "seconds", lambda self, cells: len(cells.edges) / 2)
    assert build.estimate(build.codes, tmp_path) == len(build.codes)
    assert build.estimate(build.codes[:5], tmp_path) == 5
    build.train(build.codes[3000:3032], tmp_path)
    assert build.estimate(build.codes[3000:3040], tmp_path) == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--space", "nasbench101"],
            "--space: Input should be 'nasbench201' or 'recurrent', not 'nasbench101'",
        ),
        (["--images", "absent.npz"], "no such file: absent.npz"),
        (["--set", "epoch=3"], "unknown setting of build-table 'epoch' (did you mean 'epochs'"),
        (["--set", "epochs=0"], "epochs=0 of build-table: Input should be greater than 0"),
        (["--set", "train=100"], "too few images: 120 of 3 classes cannot be split into 100 + 40"),
        (["--set", "batch_size=64"], "too few images: 40 to train on do not fill a batch of 64"),
        (["--cells", "5:5"], "--cells: 5:5: expected A:B"),
        (["--cells", "0:7000"], "--cells 0:7000: there are 6,466 cells to train"),
        (["--merge", "absent.parquet"], "no such file: absent.parquet"),
        (["--out", "table.csv"], "--out table.csv: expected a name that ends in .parquet"),
    ],
)
def test_a_wrong_build_is_told_at_once(words, message, npz, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["build-table", "--space", "nasbench201", "--images", str(npz)]
    assert main([*command, "--out", "t.parquet", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"rows.npz"}


def test_a_norm_of_one_value_is_refused(images):
    tiny = ImageSet("tiny", images.images[:, :2, :2], images.labels)
    with pytest.raises(DagnasError, match="batch_size=1 leaves batch norms one value"):
        Build("nasbench201", tiny, Recipe(batch_size=1))


def test_parts_are_merged_by_the_command(build, invented, npz, tmp_path, capsys):
    parts = [tmp_path / f"{name}.parquet" for name in "ab"]
    write_parquet(invented.slice(0, 3000), parts[0], invented.schema.metadata)
    write_parquet(invented.slice(3000), parts[1], invented.schema.metadata)
    out = tmp_path / "table.parquet"
    command = ["build-table", "--space", "nasbench201", "--images", str(npz), "--out", str(out)]
    settings = ["--set", "epochs=2", "--set", "channels=2"]
    assert main([*command, *settings, "--merge", *map(str, parts)]) == 0
    assert "15,625 cells" in capsys.readouterr().out
    table, metadata = build.table([invented])
    assert read_parquet(out).equals(table)
    assert Table(out).provenance["recipe"] == metadata["dagnas.recipe"]


def test_shapes_of_every_kind_can_be_trained(tmp_path):
    rng = stream("shapes")
    codes = SPACES.get("nasbench201").representatives()[[10, 6000]]
    for shape in ((60, 5, 9), (60, 4, 4, 3), (60, 33, 28, 1)):
        some = ImageSet("some", rng.integers(0, 256, shape).astype(np.uint8), np.arange(60) % 2)
        recipe = Recipe(epochs=1, seeds=1, batch_size=4, residual=len(shape) == 4)
        trained = Build("nasbench201", some, recipe).train(codes, tmp_path / str(shape))
        assert trained.num_rows == 2
