"""Cells that are trained from new weights: shared trainings, caches, resuming, a search."""

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS, timed, trained
from dagnas.benchmarks.timed import TimedCells
from dagnas.benchmarks.trained import TrainedCells
from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.search import METHODS
from dagnas.search.runner import Search, run
from dagnas.spaces import SPACES
from dagnas.training.images import ImageSet
from dagnas.training.train_recipe import TrainRecipe

FAST = TrainRecipe(epochs=2, batch_size=16, learning_rate=0.1)
CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
#: Another cell with the same paths.
SAME = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"


def stripes():
    """Horizontal and vertical stripes in noise."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 120, (120, 8, 8)), np.arange(120) % 2
    images[labels == 0, ::2] += 120
    images[labels == 1, :, ::2] += 120
    return ImageSet("stripes", images.astype(np.uint8), labels)


def opened(folder, kind=TrainedCells, **more):
    space = SPACES.get("nasbench201")
    return kind("x", space, stripes, folder, FAST, channels=4, layers=1, **more)


def evaluated(bench, *texts):
    cells = bench.space.from_str(list(texts))
    return bench.evaluate(cells, bench.policies["trained"], np.random.default_rng(0))


def test_isomorphic_cells_share_a_training_and_its_cache(tmp_path):
    found = evaluated(opened(tmp_path), CELL, SAME)
    assert found.valid[0] == found.valid[1] == found.signal[0]
    # Accuracies of 40 images, in %.
    assert (found.valid[0] * 40 / 100) % 1 == pytest.approx(0, abs=1e-9)
    assert found.valid[0] > 1
    assert found.seconds.tolist() == [1, 1]
    (notes,) = tmp_path.glob("cells-stripes-*.jsonl")
    assert len(notes.read_text().splitlines()) == 1
    notes.write_text(notes.read_text().replace(f"{found.test[0] / 100}", "0.125"))
    assert evaluated(opened(tmp_path), SAME).test.tolist() == [12.5]
    # Another network is another training, in another file.
    other = opened(tmp_path)
    other.channels = 5
    evaluated(other, CELL)
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert other.digest() != opened(tmp_path).digest()


def test_an_interrupted_training_resumes(tmp_path, monkeypatch):
    bench = opened(tmp_path / "a", resumable=True)
    whole = evaluated(bench, CELL)
    assert not list((tmp_path / "a").glob("*.part"))
    train_alone = trained.train_alone

    def interrupted(*given, checkpoint, **more):
        train_alone(*given, checkpoint=checkpoint, **more)
        assert checkpoint.is_file()
        raise KeyboardInterrupt

    folder = tmp_path / "b"
    with monkeypatch.context() as patch:
        patch.setattr(trained, "train_alone", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluated(opened(folder, resumable=True), CELL)
    assert not list(folder.glob("*.jsonl"))
    assert len(list(folder.glob("*.part"))) == 1
    assert evaluated(opened(folder, resumable=True), CELL).test == whole.test
    assert not list(folder.glob("*.part"))


#: A cell of other paths.
OTHER = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


def timed_cells(folder, monkeypatch, *seconds):
    """Benchmark whose trainings take these CPU seconds, one after another, and are made up."""
    clock = iter(np.cumsum([[0, each] for each in seconds]).tolist())
    monkeypatch.setattr(timed.time, "process_time", lambda: next(clock))
    monkeypatch.setattr(timed.time, "perf_counter", lambda: 1e6)
    found = trained.Accuracies(0.5, 0.25)
    monkeypatch.setattr(TrainedCells, "_train", lambda *given: found)
    return opened(folder, TimedCells)


def test_seconds_of_trainings_outlive_an_interruption(tmp_path, monkeypatch):
    evaluated(timed_cells(tmp_path, monkeypatch, 40.0), CELL)
    # Another process, which trains the second cell alone.
    bench = timed_cells(tmp_path, monkeypatch, 7.0)
    assert evaluated(bench, CELL, OTHER, SAME).test.tolist() == [25, 25, 25]
    space = bench.space
    again = opened(tmp_path, TimedCells).seconds(space.from_str([OTHER, CELL, SAME]))
    # The last two share a training.
    assert list(again.values()) == [7.0, 40.0]
    assert len(opened(tmp_path, TimedCells).seconds(space.from_str([SAME]))) == 1


def test_a_cache_without_seconds_is_read_and_says_what_it_lacks(tmp_path, monkeypatch):
    evaluated(timed_cells(tmp_path, monkeypatch, 40.0, 7.0), CELL, OTHER)
    (notes,) = tmp_path.glob("cells-stripes-*.jsonl")
    _, *rest = notes.read_text().splitlines(keepends=True)
    assert len(rest) == 3
    notes.write_text("".join(rest))
    bench = timed_cells(tmp_path, monkeypatch)
    # Its accuracies are known, so nothing is trained.
    assert evaluated(bench, CELL, OTHER).valid.tolist() == [50, 50]
    with pytest.raises(DagnasError, match=r"jsonl does not say how long 1 of 2 trainings took"):
        bench.seconds(bench.space.from_str([CELL, OTHER]))
    with pytest.raises(DagnasError, match="2 of 2"):
        opened(tmp_path / "none", TimedCells).seconds(bench.space.from_str([CELL, OTHER]))


def test_a_timed_training_is_the_same_and_takes_time(tmp_path):
    bench = opened(tmp_path / "a", TimedCells)
    found = evaluated(bench, CELL)
    assert found.test == evaluated(opened(tmp_path / "b"), CELL).test
    (seconds,) = bench.seconds(bench.space.from_str([CELL])).values()
    assert 0 < seconds < 60


def test_a_search_of_the_one_cell_space(tmp_path):
    bench = BENCHMARKS.get("darts_one_cell_digits").open(tmp_path)
    bench.images, bench.recipe = stripes, FAST
    search = Search(bench, METHODS.get("random_search"), policy="trained", budget_evaluations=2)
    run(search, range(1), tmp_path / "t.parquet", show=False)
    trace = read_parquet(tmp_path / "t.parquet")
    assert len(trace) == 2
    assert all(20 < signal <= 100 for signal in trace["signal"].to_pylist())


@pytest.mark.parametrize(
    ("name", "sizes", "network"),
    [
        ("darts_one_cell_cifar10", (10_000, 5_000, 10_000), (8, 5)),
        ("darts_one_cell_cifar10_full", (40_000, 9_000, 10_000), (36, 20)),
    ],
)
def test_splits_fit_cifar10(name, sizes, network, tmp_path):
    bench = BENCHMARKS.get(name).open(tmp_path)
    assert (bench.channels, bench.layers) == network
    labels = np.arange(60_000) % 10
    parts = bench.parts(ImageSet("cifar10", np.zeros((60_000, 1, 1), np.uint8), labels))
    assert tuple(map(len, parts)) == sizes
    assert parts.test[0] == 50_000
