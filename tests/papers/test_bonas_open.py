"""BONAS's open domain: made-up searches and trainings, exact sizes, what short trainings favour."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dagnas.analysis.ranks import mean_of_best
from dagnas.benchmarks import BENCHMARKS
from dagnas.files import write_parquet
from dagnas.papers.bonas import fig8, hours, short_trainings, table3, table4, table5
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.reader import FOLDER, read
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import draw, make, read_table
from dagnas.papers.result import load, results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS
from dagnas.spaces import SPACES
from dagnas.training.images import ImageSet
from tests.papers.tables import searches

SCALE = """
scale: toy
trials: 1
studies:
  bonas_table3: {benchmark: BENCHMARK, policy: trained, methods: [random_search, bonas]}
  bonas_table5: {benchmark: resnet_strings_digits, policy: trained, methods: [random_search, bonas]}
trainings:
  bonas_table3_bonas: &found
    {space: darts_one_cell, images: digits, epochs: 7, channels: 4, layers: 3,
     cell: {study: bonas_table3, method: bonas}}
  bonas_table3_random_search:
    {<<: *found, cell: {study: bonas_table3, method: random_search}}
papers: [bonas]
"""
NAMES = ("fig8", "hours", "table3", "table4", "table5")
#: Signals of the evaluations; the third is the best of BONAS, the first of random search.
SIGNALS = {"bonas": [50.0, 40.0, 70.0, 60.0], "random_search": [65.0, 30.0, 20.0, 10.0]}
BEST = {"bonas": 2, "random_search": 0}
#: Cells without skip connections but for the best ones.
NONE = "[" + ", ".join(f"('sep_conv_3x3', {source})" for source in [0, 1] * 4) + "]"
TWO = NONE.replace("sep_conv_3x3", "skip_connect", 2)
#: Strings: ResNet-50's and the smallest.
STRINGS = {"bonas": "111-2111-211111-211", "random_search": "1-1-1-1"}


def cells(benchmark, method):
    if benchmark == "resnet_strings_digits":
        return [STRINGS[method]] * 4
    one = SPACES.get("darts_one_cell")
    texts = [NONE] * 4
    texts[BEST[method]] = TWO if method == "bonas" else NONE
    return one.to_str(one.from_str(texts))


def project(root, benchmark="darts_one_cell_digits"):
    """Scale whose searches and trainings are made up."""
    (root / "toy.yaml").write_text(SCALE.replace("BENCHMARK", benchmark))
    scale = scales.load(root / "toy.yaml")
    for _, method, _, name, path in searches(scale):
        trace = pd.DataFrame(
            {
                "trial": np.int32(0),
                "step": np.arange(4, dtype=np.int32),
                "cell": cells(name, method),
                "signal": SIGNALS[method],
                "seconds": np.arange(4.0) + 1,
                "valid": SIGNALS[method],
                "test": np.array(SIGNALS[method]) - 5,
                "emulated": "",
            }
        )
        write_parquet(pa.Table.from_pandas(trace, preserve_index=False), root / path)
        # What the last start of a search took, which tells nothing.
        (root / path).with_suffix(".wall.csv").write_text("trial,seconds\n0,3\n")
        if name == "darts_one_cell_digits":
            note(root, name, cells(name, method))
    kind = KINDS.get("training")
    for method, test in (("bonas", 91.5), ("random_search", 90.25)):
        cell = cells(benchmark, method)[BEST[method]]
        about = {"dagnas.valid": "92.0", "dagnas.test": repr(test), "dagnas.cell": cell}
        path = root / kind.path(scale, f"bonas_table3_{method}")
        write_parquet(pa.table({"epoch": [1]}), path, about)
    known = results(scale)
    return lambda name: Inputs(scale, known[f"bonas/{name}"], root)


#: Seconds of the trainings of the two cells.
SECONDS = {NONE: 1800.0, TWO: 5400.0}


def note(root, name, texts):
    """Write made-up trainings into the cache of a benchmark."""
    bench = BENCHMARKS.get(name).open(root / "data")
    bench._set = bench.images()
    bench._parts = bench.parts(bench._set)
    one = {text: SECONDS[each] for each in SECONDS for text in bench.space.to_str(
        bench.space.from_str([each]))}  # fmt: skip
    for text in dict.fromkeys(texts):
        (network,) = bench._networks(bench.space.from_str([text]))
        bench._spent[network.text] = one[text]
        bench._cache(network.text, (0.5, 0.25))


@pytest.fixture(scope="module")
def inputs_of(tmp_path_factory):
    return project(tmp_path_factory.mktemp("open"))


@pytest.mark.parametrize("name", NAMES)
def test_results_are_whole(name, inputs_of, tmp_path):
    csv, *pictures, text = make(inputs_of(name), tmp_path)
    assert all(picture.stat().st_size > 5000 for picture in pictures)
    table = read_table(csv)
    assert load(inputs_of(name).result).caption(table) in text.read_text()
    assert (table["emulated"] == "").all()


def params(text):
    """Parameters of a cell's network of 36 channels and 20 cells, in millions."""
    space = SPACES.get("darts_one_cell")
    return space.size(space.from_str([text])).params[0] / 1e6


def test_table3_has_what_was_found_beside_the_paper(inputs_of):
    table = table3.tabulate(inputs_of("table3"))
    found = table[table["part"] == "found"].set_index("method")
    assert found["error"].to_dict() == {"bonas": 8.5, "random_search": 9.75}
    assert found["skips"].to_dict() == {"bonas": 2, "random_search": 0}
    assert found["samples"].tolist() == [4, 4]
    assert found["signal"].to_dict() == {"bonas": 70, "random_search": 65}
    assert found["params"].tolist() == [params(TWO), params(NONE)]
    assert found["epochs"].tolist() == [7, 7]
    curve = table[(table["part"] == "search") & (table["method"] == "bonas")]
    assert curve["signal"].tolist() == [50, 50, 70, 70]
    assert curve["samples"].tolist() == [1, 2, 3, 4]
    theirs = table[table["part"] == "paper"].set_index("model")
    assert len(theirs) == 10
    assert theirs.loc["BONAS", ["error", "samples", "gpu_days"]].tolist() == [2.44, 186, 120]


def test_table3_compares_with_the_paper_by_its_protocol_alone(inputs_of, tmp_path):
    words = table3.caption(table3.tabulate(inputs_of("table3")))
    assert "BONAS(EA) 8.50 % (best signal 70.00 %" in words
    assert "**Not the paper's protocol**" in words
    whole = table3.tabulate(project(tmp_path, table3.FULL)("table3"))
    assert "protocol" not in table3.caption(whole)
    left, _ = table3.draw(whole).axes
    assert "BONAS, here" in [text.get_text() for text in left.texts]


def test_figure_8_is_the_cell_of_the_best_signal(inputs_of):
    table = fig8.tabulate(inputs_of("fig8")).set_index("cell_of")
    (best,) = SPACES.get("darts_one_cell").from_str([table.loc["search", "cell"]]).nodes
    (two,) = SPACES.get("darts_one_cell").from_str([TWO]).nodes
    assert (best == two).all()
    assert table.loc["search", ["step", "signal", "skips"]].tolist() == [3, 70, 2]
    # The authors' network; the paper says 3.5 M.
    assert table.loc["authors", ["params", "skips"]].tolist() == [3505078, 2]
    words = fig8.caption(table.reset_index())
    assert "found at evaluation 3" in words
    assert "(b) 3.51 M; skip connections: 2 and 2" in words


def test_hours_are_those_of_the_trainings(inputs_of):
    table = hours.tabulate(inputs_of("hours")).set_index("method")
    # Of four samples, one training of random search and two of BONAS, which share the first.
    assert table["trainings"].to_dict() == {"random_search": 1, "bonas": 2, "paper": 186}
    assert table["hours"].to_dict() == {"random_search": 0.5, "bonas": 2, "paper": 2880}
    assert table["minutes"].tolist() == pytest.approx([30, 60, 2880 * 60 / 186])
    words = hours.caption(table.reset_index())
    assert "CPU seconds of the process that trained" in words
    assert "What the methods compute themselves is not counted." in words
    (ax,) = hours.draw(table.reset_index()).axes
    assert [text.get_text() for text in ax.texts] == [
        "4 samples, 30.0 minutes",
        "4 samples, 2.0 hours",
        "186 samples, 2,880.0 hours",
    ]


def test_sizes_in_the_mobile_setting(inputs_of):
    table = table4.tabulate(inputs_of("table4")).set_index("model")
    counted = table[["params", "multiply_adds", "with_elementwise"]]
    assert round(counted.loc["BONAS", "params"], 6) == 5.096224
    assert counted.loc["BONAS"].round(1).tolist() == [5.1, 551.8, 566.9]
    # Another counter's number of DARTS's cell is 544.59 M.
    assert counted.loc["DARTS"].round(2).tolist() == [4.72, 529.91, 544.59]
    assert counted.loc["NASNet-A"].isna().all()
    ours = counted.loc[table4.OURS, "params"]
    assert ours == table4.mobile("darts_one_cell", TWO).parameters / 1e6
    assert ours < table4.mobile("darts_one_cell", NONE).parameters / 1e6
    words = table4.caption(table.reset_index())
    assert "BONAS 5.10 M parameters, 551.8 M or 566.9 M multiply-adds (stated: 5.1 M, 561" in words
    assert "288 GPU hours" in words


def test_strings_have_the_parameters_of_resnets_but_for_the_stem(inputs_of):
    table = table5.tabulate(inputs_of("table5"))
    theirs = table[table["part"] == "paper"].set_index("model")
    # The stem of ResNet-50 has 9,536 parameters, ours 38,848; of 25,557,032.
    whole = (25_557_032 - 9_536 + 38_848) / 1e6
    assert theirs.loc["ResNet-50", "params"] == whole
    assert theirs.loc["ResNet-101", "params"] == (44_549_160 - 9_536 + 38_848) / 1e6
    assert theirs.loc[["ResNet-18", "BONAS"], "params"].isna().all()
    found = table[table["part"] == "found"].set_index("method")
    assert found.loc["bonas", "params"] == whole
    assert found.loc["bonas", ["signal", "test", "cell"]].tolist() == [70, 65, STRINGS["bonas"]]
    assert found.loc["random_search", "params"] < 1
    words = table5.caption(table)
    assert "ResNet-50 25.59 M (stated: 25.56 M)" in words
    assert "random search, here: 1-1-1-1, validation 65.00 %, test 60.00 %" in words


# What short trainings favour.


def made_up_genotypes(count=40):
    """Genotypes of which those with skips are the best up to 300 epochs, and then the worst."""
    space = SPACES.get("darts")
    cells = space.sample(count, np.random.default_rng(0))
    skips = np.array([text.count("skip_connect") for text in space.to_str(cells)], float)
    apart = np.arange(count) / 1000

    def values(quantity):
        early = int(quantity.rpartition("/")[2]) <= 300
        return 50 + (skips + apart if early else -skips - apart)

    table = {"code": space.pack(cells), "params": space.size(cells).params}
    return SimpleNamespace(space=space, table=table, values=values), skips


def test_what_short_trainings_favour_is_told_from_the_end(tmp_path):
    benchmark, skips = made_up_genotypes()
    table = short_trainings.tabulate(SimpleNamespace(benchmark=lambda name: benchmark))
    rows = table.set_index(["part", "epochs", "property"])
    assert rows.loc[("final", 10, ""), "value"] == pytest.approx(-1)
    assert rows.loc[("final", 400, ""), "value"] == pytest.approx(1)
    assert rows.loc[("correlation", 10, "skips"), "value"] > 0.9
    assert rows.loc[("correlation", 600, "skips"), "value"] < -0.9
    most, fewest = (np.sort(skips)[cut].mean() for cut in (slice(-4, None), slice(None, 4)))
    assert rows.loc[("best", 10, "skips"), "value"] == most
    assert rows.loc[("best", 600, "skips"), "value"] == fewest
    change = rows.loc[("change", 120, "skips")]
    assert change["value"] == most - fewest
    assert 0 < change["low"] < change["value"] < change["high"]
    assert rows.loc[("change", 600, "skips"), ["value", "low", "high"]].tolist() == [0, 0, 0]
    assert rows.loc[("all", 600, "skips"), "value"] == skips.mean()
    assert (table["n"] == 40).all()
    assert f"{most:.2f} [" in short_trainings.caption(table)
    left, *_ = short_trainings.draw(table).axes
    assert left.lines[0].get_ydata()[0] == pytest.approx(-1)
    table.to_csv(tmp_path / "t.csv", index=False)
    result = results_of("short_trainings")
    for picture in draw(result, read_table(tmp_path / "t.csv"), tmp_path / "t"):
        assert picture.stat().st_size > 5000


def results_of(name):
    from dagnas.papers.result import declaration

    return declaration(f"bonas/{name}")


def test_means_of_the_best_tenth_share_ties():
    rng = np.random.default_rng(1)
    by, of = rng.integers(0, 6, 50).astype(float), rng.random(50)
    samples = np.stack([np.arange(50), rng.integers(50, size=50)])
    found = short_trainings.best_means(by, of, samples)
    assert found == pytest.approx([mean_of_best(by[rows], of[rows], 5) for rows in samples])


# Claims.


def statuses(folder, **tables):
    """Status of every claim that has a check, on made-up tables."""
    (folder / "bonas").mkdir(exist_ok=True)
    for name, rows in tables.items():
        pd.DataFrame(rows).assign(emulated="").to_csv(folder / f"bonas/{name}.csv", index=False)
    known = Tables(folder, [f"bonas/{name}" for name in tables])
    return {claim.id: check("bonas", claim, known) for claim in read("bonas")}


def made_up(error, samples=186, benchmark=table3.FULL):
    return [
        {"part": "found", "method": "bonas", "benchmark": benchmark, "error": error}
        | {"samples": samples, "model": "BONAS, here"},
    ]


@pytest.mark.parametrize(
    ("error", "equal", "below_lanet", "below_darts"),
    [
        (2.5, "reproduced", "reproduced", "reproduced"),
        (2.7, "not reproduced", "not reproduced", "reproduced"),
        (2.9, "not reproduced", "not reproduced", "not reproduced"),
    ],
)
def test_claims_of_table_3_follow_the_error(error, equal, below_lanet, below_darts, tmp_path):
    found = statuses(tmp_path, table3=made_up(error))
    assert found["table3-error"].status == equal
    assert found["table3-samples"].status == equal
    assert found["table3-below-lanet"].status == below_lanet
    assert found["table3-one-shot-darts"].status == below_darts
    assert found["table3-lanas-samples"].status == below_lanet


def test_a_search_in_small_judges_nothing(tmp_path):
    found = statuses(tmp_path, table3=made_up(2.4, benchmark="darts_one_cell_cifar10"))
    assert found["table3-error"].status == "not run"
    assert "2,880 GPU hours" in found["table3-error"].missing
    found = statuses(tmp_path, table3=made_up(2.4, samples=60))
    assert found["table3-below-lanet"].status == "not run"


def test_claims_of_sizes_follow_the_counts(tmp_path):
    def found(params, adds):
        row = {"model": "BONAS", "params": params, "multiply_adds": adds}
        authors = {"cell_of": "authors", "params": 1e6 * params - 1.6e6}
        row["with_elementwise"] = adds + 15
        names = ("table3-parameters", "table4-parameters", "table4-multiply-adds", "table4-allowed")
        told = statuses(tmp_path, table4=[row], fig8=[authors])
        return [told[name].status == "reproduced" for name in names]

    assert found(5.1, 561) == [True, True, True, True]
    assert found(5.2, 551.8) == [False, False, False, True]
    assert found(5.1, 590) == [True, True, False, False]


@pytest.mark.parametrize(
    ("rho", "low", "sizes", "skips"),
    [
        (-0.4, 0.1, "reproduced", "reproduced"),
        (-0.05, -0.1, "undecided", "undecided"),
        (0.4, -2.0, "not reproduced", "not reproduced"),
    ],
)
def test_claims_of_short_trainings_follow_them(rho, low, sizes, skips, tmp_path):
    rows = [
        {"part": "correlation", "property": "params", "value": rho, "low": 0, "high": 0},
        {"part": "change", "property": "skips", "value": low + 0.5, "low": low, "high": low + 1},
    ]
    found = statuses(tmp_path, short_trainings=[row | {"epochs": 10, "n": 214} for row in rows])
    assert found["section43-parameters"].status == sizes
    assert found["section43-few-epochs"].status == skips


@pytest.mark.parametrize("paper", ["bonas", "graph_search_space"])
def test_what_was_not_run_lacks_one_thing(paper):
    for claim in read(paper):
        words = " ".join(claim.needs)
        assert "not built" not in words
        assert len(claim.needs) <= 1, claim.id
        if "ImageNet" in words:
            assert "GPU hours" in words, claim.id
    assert "not built" not in (FOLDER / paper / "deviations.md").read_text()


def test_claims_point_to_headings():
    headings = re.findall(r"^#+ (.*)$", (FOLDER / "bonas/deviations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in headings}
    assert {claim.deviation for claim in read("bonas")} - {""} <= anchors


# Benchmarks in small.


@pytest.mark.parametrize(
    "name", ["layers_cifar10_small", "layers_cifar10_small_linear", "resnet_strings_cifar10"]
)
def test_images_in_small_are_of_all_classes(name, tmp_path):
    # As in CIFAR-10's file, images to train on and those to test on are sorted by class.
    labels = np.concatenate([np.repeat(np.arange(10), 5_000), np.repeat(np.arange(10), 1_000)])
    parts = (
        BENCHMARKS.get(name)
        .open(tmp_path)
        .parts(ImageSet("cifar10", np.zeros((60_000, 1, 1), np.uint8), labels))
    )
    for rows in parts:
        assert np.bincount(labels[rows]).tolist() == [200] * 10
    assert parts.test.min() >= 50_000


def test_strings_are_trained_as_networks_of_few_channels(tmp_path, monkeypatch):
    from dagnas.benchmarks import trained
    from dagnas.training.alone import Accuracies

    built = []

    def train_alone(build, *given, **more):
        built.append(build())
        return SimpleNamespace(accuracies=Accuracies(0.5, 0.25))

    monkeypatch.setattr(trained, "train_alone", train_alone)
    bench = BENCHMARKS.get("resnet_strings_digits").open(tmp_path)
    cell = bench.space.from_str(["1-21-1-1"])
    found = bench.evaluate(cell, bench.policies["trained"], np.random.default_rng(0))
    assert (found.signal.tolist(), found.test.tolist()) == ([50], [25])
    assert built[0].stem[0].weight.shape[:2] == (2, 1)
    assert built[0].head[-1].in_features == 4 * 4
