"""Quality of digits201 and its relation to NAS-Bench-201, on invented tables; its claims."""

import numpy as np
import pyarrow as pa
import pytest

from dagnas.benchmarks.nasbench201 import open_nasbench201
from dagnas.files import write_parquet
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.reader import read
from dagnas.papers.claims.rule import FAILED, NOT_RUN, REPRODUCED
from dagnas.papers.digits201 import quality, relation
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import make
from dagnas.papers.result import all_results, results
from dagnas.pipeline import scales
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from tests.papers.tables import built

SPACE = SPACES.get("nasbench201")
CELLS = 5**6
CLASSES = SPACE.canonical(SPACE.enumerate())
#: Position of each cell's class among the 6,466.
CLASS = np.unique(CLASSES, return_inverse=True)[1]
#: An accuracy (%) that differs from class to class, from 10 to 45.
WORTH = 10 + 35 * CLASS / CLASS.max()
BOTH = """
scale: both
trials: 1
studies:
  goal_digits201: {benchmark: digits201, methods: [goal]}
  goal_nasbench201: {benchmark: nasbench201, methods: [goal]}
papers: [digits201]
"""


def two(first, second=None):
    return np.stack([first, first if second is None else second], axis=1)


@pytest.fixture
def inputs_of(tmp_path):
    """Function from the name of a result and opened benchmarks to its inputs."""
    (tmp_path / "both.yaml").write_text(BOTH)
    scale = scales.load(tmp_path / "both.yaml")

    def function(name, **opened):
        inputs = Inputs(scale, results(scale)[name], tmp_path)
        inputs.benchmark = opened.__getitem__
        return inputs

    return function


@pytest.fixture
def quality_of(inputs_of, tmp_path):
    """Function from validation accuracies by epoch to the result's inputs."""
    return lambda valid: inputs_of(
        "digits201/quality", digits201=built(tmp_path / "d.parquet", valid)
    )


def four(signal, final):
    """Accuracies of twelve epochs: the signal's until the third, then the final ones."""
    return {epoch: signal if epoch <= 3 else final for epoch in range(1, 13)}


def values(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table["value"].tolist()


def test_correlations_of_trainings_and_epochs(quality_of):
    # Early, the first training is in the final order and the second in the opposite one; their
    # mean, 50 + w / 2 - w^2 / 200, rises for all w below 50.
    early = two(WORTH, 100 - WORTH**2 / 100)
    table = quality.tabulate(quality_of(four(early, two(WORTH))))
    assert values(table, quantity="seeds_spearman", stage="signal") == pytest.approx([-1])
    assert values(table, quantity="seeds_spearman", stage="final") == pytest.approx([1])
    of = {"quantity": "final_spearman", "stage": "signal"}
    assert values(table, **of, trainings="single", over="cells") == pytest.approx([0])
    assert values(table, **of, trainings="mean") == pytest.approx([1])
    assert values(table, quantity="size") == [15625, 6466]
    assert set(table.loc[table["stage"] == "signal", "epoch"]) == {3}
    assert set(table.loc[table["stage"] == "final", "epoch"]) == {12}


def test_the_best_tenth_is_looked_at_by_itself(quality_of):
    # Early accuracies are in order, but opposite among the best.
    best = np.quantile(WORTH, 0.9) <= WORTH
    early = np.where(best, 99 - WORTH / 10, WORTH)
    table = quality.tabulate(quality_of(four(two(early), two(WORTH))))
    of = {"quantity": "final_spearman", "stage": "signal", "trainings": "single"}
    assert values(table, **of, over="best tenth") == pytest.approx([-1])
    (overall,) = values(table, **of, over="cells")
    assert 0.9 < overall < 1


def test_ties_are_of_equal_counts_of_images_and_counted_by_class_and_cell(quality_of):
    # Of 599 images, pairs of right answers with one sum; as floats the means differ.
    final = two(WORTH)
    tied = np.unique(CLASSES)[[100, 200, 300]]
    for number, (one, other) in zip(tied, ((500, 590), (502, 588), (545, 545)), strict=True):
        final[np.isin(CLASSES, number)] = (100 * one / 599, 100 * other / 599)
    best = np.isin(CLASSES, tied)
    assert len(np.unique(final[best].mean(axis=1))) > 1
    table = quality.tabulate(quality_of(four(final, final)))
    assert values(table, quantity="best_tied") == [3, best.sum()]
    # The other 97 of the best hundred classes have accuracies of their own.
    assert values(table, quantity="best_distinct") == [98]
    assert values(table, quantity="random_hit") == pytest.approx([1 - (1 - best.mean()) ** 240])
    ranked = values(table, quantity="sorted_best")
    assert len(ranked) == 100
    assert ranked == sorted(ranked, reverse=True)
    assert ranked[:4] == pytest.approx([100 * 545 / 599] * 3 + [45.0])


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_pairs_hold_every_class_once(quality_of):
    final = two(np.full(CELLS, 80.0))
    final[np.isin(CLASSES, CLASSES[9999])] = (90.0, 70.0)
    table = quality.tabulate(quality_of(four(final, final)))
    pairs = table[table["quantity"] == "pairs"]
    assert {(row.x, row.y): row.value for row in pairs.itertuples()} == {
        (80.0, 80.0): 6465,
        (90.0, 70.0): 1,
    }


def test_a_trainings_spread_is_that_of_its_class(quality_of):
    # The two differ by 4 in all classes but the best hundred, where they differ by 2.
    best = np.sort(np.unique(WORTH))[-100] <= WORTH
    half = np.where(best, 1.0, 2.0)
    final = two(WORTH - half, WORTH + half)
    table = quality.tabulate(quality_of(four(final, final)))
    whole, some = values(table, quantity="training_sd")
    assert some == pytest.approx(np.sqrt(2))
    assert whole == pytest.approx(np.sqrt((6366 * 8 + 100 * 2) / 6466))


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_distributions_are_of_cells(quality_of):
    final = two(np.where(np.arange(CELLS) < CELLS // 5, 20.0, 60.5))
    table = quality.tabulate(quality_of(four(two(WORTH), final)))
    at = {"quantity": "distribution", "epoch": 12}
    found = [values(table, **at, x=x)[0] for x in (19, 20, 60, 61)]
    assert found == pytest.approx([0, 20, 20, 100])
    assert set(table.loc[table["quantity"] == "distribution", "epoch"]) == {1, 3, 6, 12}


# Relation.


def real_table(path, accuracy, **more):
    """Invented NAS-Bench-201 with one accuracy everywhere, but for columns given."""
    columns = {"code": np.arange(CELLS), "cifar10/seconds/12/mean": np.ones(CELLS)}
    for quantity in ("valid/12", "valid/200", "test/200"):
        columns[f"cifar10/{quantity}/mean"] = accuracy
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    path.mkdir()
    write_parquet(pa.table(columns | more), path / "nasbench201.parquet", meta)
    return open_nasbench201("nasbench201", "cifar10", path)


@pytest.fixture
def relation_of(inputs_of, tmp_path):
    """Function from accuracies on both, and more columns, to the result's inputs."""

    def function(digits, real, params=None, **more):
        rows = np.arange(CELLS)[::-1]
        params = np.ones(CELLS) + WORTH if params is None else params
        # Rows of one table are in another order than those of the other.
        ours = built(
            tmp_path / "d.parquet",
            four(two(digits[rows]), two(digits[rows])),
            code=rows,
            params=params[rows],
            madds=-params[rows],
        )
        opened = {"digits201": ours, "nasbench201": real_table(tmp_path / "r", real, **more)}
        return inputs_of("digits201/relation", **opened)

    return function


def test_cells_of_both_tables_are_matched(relation_of):
    table = relation.tabulate(relation_of(WORTH, 2 * WORTH))
    of = {"quantity": "spearman", "target": relation.MAIN}
    for over in relation.PARTS:
        assert values(table, **of, over=over, by="digits201") == pytest.approx([1])
        assert values(table, **of, over=over, by="params") == pytest.approx([1])
        assert values(table, **of, over=over, by="madds") == pytest.approx([-1])
    density = table[table["quantity"] == "density"]
    assert density["value"].sum() == CELLS
    assert (density["x"] == density["y"]).all()


def test_the_best_tenth_is_that_of_the_target(relation_of):
    # On digits, the cells that are best on CIFAR-10 have the opposite order.
    best = np.quantile(WORTH, 0.9) <= WORTH
    table = relation.tabulate(relation_of(np.where(best, 99 - WORTH, WORTH), WORTH))
    of = {"quantity": "spearman", "target": relation.MAIN, "by": "digits201"}
    assert values(table, **of, over="best tenth") == pytest.approx([-1])
    (overall,) = values(table, **of, over="cells")
    assert overall > 0.9


def test_the_best_of_one_on_the_other(relation_of):
    # The order of classes on CIFAR-10 is that of digits turned around; parameters agree with it.
    table = relation.tabulate(relation_of(WORTH, 100 - WORTH, params=100 - WORTH))
    classes = 6466
    ranks = {"quantity": "best_rank", "target": relation.MAIN}
    for k in (1, 10, 100):
        mean = 100 * (k + 1) / 2 / classes
        assert values(table, **ranks, by="params", k=k) == pytest.approx([mean])
        worst = 100 - mean + 100 / classes
        assert values(table, **ranks, by="digits201", k=k) == pytest.approx([worst])
    accuracy = {"quantity": "best_accuracy", "k": 1}
    assert values(table, **accuracy, by="digits201") == pytest.approx([100 - 45])
    assert values(table, **accuracy, by=relation.MAIN) == pytest.approx([10])
    assert values(table, **accuracy, by="params") == pytest.approx([90])


def test_a_class_counts_with_the_mean_of_its_cells(relation_of):
    # The best class on digits has cells of 0 % and 100 % on CIFAR-10.
    numbers, counts = np.unique(CLASSES, return_counts=True)
    large = numbers[counts.argmax()]
    members = np.flatnonzero(np.isin(CLASSES, large))
    digits, real = WORTH.copy(), WORTH.copy()
    digits[members] = 99
    real[members] = 0
    real[members[0]] = 100
    table = relation.tabulate(relation_of(digits, real))
    found = values(table, quantity="best_accuracy", by="digits201", k=1)
    assert found == pytest.approx([100 / len(members)])


def test_only_what_the_table_has_is_compared(relation_of):
    more = {f"cifar100/valid/200/s{k}": WORTH for k in range(2)}
    table = relation.tabulate(relation_of(WORTH, WORTH, **more))
    targets = table.loc[table["quantity"] == "spearman", "target"].unique()
    assert targets.tolist() == [
        "cifar10/valid/12",
        "cifar10/valid/200",
        "cifar10/test/200",
        "cifar100/valid/200",
    ]
    of = {"quantity": "spearman", "by": relation.MAIN, "over": "cells"}
    assert values(table, **of, target="cifar100/valid/200") == pytest.approx([1])
    assert values(table, **of, target=relation.MAIN) == []


# Files and claims.


def noisy(spread):
    return two(*(WORTH + spread * stream("noise", seed).normal(size=CELLS) for seed in range(2)))


def share(noise):
    """Give all cells of a class what the first has."""
    return noise[np.unique(CLASSES, return_index=True)[1]][CLASS]


@pytest.mark.parametrize("name", ["digits201/quality", "digits201/relation"])
def test_results_are_whole_and_repeat_byte_for_byte(name, quality_of, relation_of, tmp_path):
    accuracies = share(noisy(3))
    inputs = (
        quality_of(four(share(noisy(8)), accuracies))
        if name == "digits201/quality"
        else relation_of(accuracies.mean(axis=1), WORTH)
    )
    first, second = make(inputs, tmp_path / "a"), make(inputs, tmp_path / "b")
    assert [path.suffix[1:] for path in first] == ["csv", "svg", "png", "md"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > 100
    text = first[3].read_text()
    assert "digits201 is this project's own benchmark, not the paper's." in text


def test_relation_needs_both_benchmarks_and_quality_one(digits_inputs_of, tmp_path):
    assert digits_inputs_of("digits201/quality").result.benchmarks == ("digits201",)
    with pytest.raises(KeyError):
        digits_inputs_of("digits201/relation")
    only_real = "\n".join(line for line in BOTH.splitlines() if "benchmark: digits" not in line)
    (tmp_path / "other.yaml").write_text(only_real)
    assert results(scales.load(tmp_path / "other.yaml")) == {}


CLAIMS = {claim.id: claim for claim in read("digits201")}


def test_claims_name_results_that_exist():
    named = {claim.check.value.result for claim in CLAIMS.values()}
    assert named == {"digits201/quality", "digits201/relation"} <= set(all_results())


def checked(inputs, module, folder):
    path = folder / f"{inputs.result.name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    module.tabulate(inputs).to_csv(path, index=False)
    tables = Tables(folder, [inputs.result.name])
    return {name: check("digits201", claim, tables) for name, claim in CLAIMS.items()}


def test_claims_on_a_good_table_hold(quality_of, tmp_path):
    found = checked(quality_of(four(share(noisy(8)), share(noisy(3)))), quality, tmp_path)
    assert found.pop("more-than-parameters").missing == "the result digits201/relation"
    assert {entry.status for entry in found.values()} == {REPRODUCED}, found


@pytest.mark.parametrize(
    ("claim", "early", "final"),
    [
        ("seeds-agree", 8, 20),
        # Accuracies after a quarter of the epochs that say nothing, and that say all.
        ("early-signal", 100, 3),
        ("early-signal", 0.5, 0.5),
        ("best-is-rare", 8, None),
    ],
)
def test_claims_on_a_bad_table_do_not_hold(quality_of, tmp_path, claim, early, final):
    # Noise, for a standard deviation of 10 points between cells; or 60 classes that tie as best.
    accuracies = share(noisy(final or 3))
    if final is None:
        accuracies[np.isin(CLASS, np.unique(CLASS)[-60:])] = 90
    found = checked(quality_of(four(share(noisy(early)), accuracies)), quality, tmp_path)
    failed = {name for name, entry in found.items() if entry.status == FAILED}
    assert claim in failed
    assert failed <= {claim, "early-signal"}


def test_claims_on_a_part_of_the_cells_do_not_hold(inputs_of, tmp_path):
    part = {epoch: values[:9000] for epoch, values in four(share(noisy(8)), noisy(3)).items()}
    inputs = inputs_of("digits201/quality", digits201=built(tmp_path / "d.parquet", part))
    found = checked(inputs, quality, tmp_path)
    assert found["all-cells"].status == found["all-classes"].status == FAILED
    assert found["all-cells"].measured == "9000, asked equal to 15625"


@pytest.mark.parametrize(("params", "status"), [(3, FAILED), (9, REPRODUCED)])
def test_digits_are_asked_to_say_more_than_parameters(relation_of, tmp_path, params, status):
    digits = noisy(6).mean(axis=1)
    inputs = relation_of(digits, WORTH, params=WORTH + params * stream("p").normal(size=CELLS))
    found = checked(inputs, relation, tmp_path)
    assert found["more-than-parameters"].status == status
    assert found["seeds-agree"].status == NOT_RUN
