"""The leaderboard's protocols in evaluations, until the best cell, and the published numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import trim_mean

from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.papers.inputs import Inputs
from dagnas.papers.leaderboard import best, evaluations, published, rank
from dagnas.papers.leaderboard.published_numbers import Number
from dagnas.papers.leaderboard.published_numbers import published as numbers
from dagnas.papers.make import make
from dagnas.papers.result import artifacts, results
from dagnas.pipeline import scales
from dagnas.tables.fetch import fetch
from tests.papers.tables import searches

ROOT = Path(__file__).parents[2]
SCALE = """
scale: small
trials: 4
trials_per_job: 2
studies:
  goal_nasbench201: {benchmark: nasbench201, methods: [random_search]}
  leaderboard_seconds_nasbench201: {benchmark: nasbench201, methods: [path_gp]}
  leaderboard_evaluations_4_nasbench201:
    benchmark: nasbench201_full
    policy: single
    methods: [random_search, npnas, path_gp]
    budget_evaluations: 4
  bonas_nasbench201: &best
    {benchmark: nasbench201, policy: bonas, until_best: true, methods: [bonas],
     budget_evaluations: 60}
  leaderboard_best_nasbench201: {<<: *best, methods: [path_gp], budget_evaluations: 40}
papers: [leaderboard]
"""
#: Settings in force; NPNAS has a budget that its first cells use up.
SETTINGS = {"npnas": {"samples": 4}, "path_gp": {"initial": 1}}
TEST = np.array([90.0, 92.0, 91.95])
VALID = np.array([[80.0, 80.0, np.nan], [88.0, 84.0, np.nan], [85.0, 87.0, 88.5]])


def write_table(data):
    """Three cells of NAS-Bench-201 with two or three full trainings."""
    columns = {
        "code": np.arange(3),
        "cifar10/valid/12/mean": np.array([60.0, 70.0, 80.0]),
        "cifar10/seconds/12/mean": np.full(3, 10.0),
        "cifar10/valid/200/mean": np.nanmean(VALID, axis=1),
        "cifar10/seconds/200/mean": np.full(3, 100.0),
        "cifar10/test/200/mean": TEST,
        **{f"cifar10/valid/200/s{seed}": VALID[:, seed] for seed in range(3)},
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), data / "nasbench201.parquet", meta)


def trial(number, signal, test, step=None):
    """Rows of a trace."""
    size = len(signal)
    columns = {"trial": number, "step": range(size) if step is None else step, "cell": ""}
    columns |= {"code": 0, "parent": -1, "epochs": 200, "signal": signal, "valid": 80.0}
    columns |= {"seconds": 10.0 * np.arange(1, size + 1), "test": test, "emulated": ""}
    return pd.DataFrame(columns)


def write_study(root, scale, study, budget, trials_of):
    for _, method, trials, _, path in searches(scale, study):
        table = pd.concat([trials_of(method, number) for number in trials])
        notes = {"settings": json.dumps(SETTINGS.get(method, {})), "rules": "{}"}
        seconds = json.dumps(40.0 if budget is None else None)
        notes |= {"budget_evaluations": json.dumps(budget), "budget_seconds": seconds}
        about = {f"dagnas.{key}": value for key, value in notes.items()}
        write_parquet(pa.Table.from_pandas(table, preserve_index=False), root / path, about)


def evaluated(method, number):
    """Four evaluations: the second has the best signal; path_gp's trials differ from another."""
    end = 91.0 if method != "path_gp" else (91.0, 91.5, 91.5, 92.0)[number]
    return trial(number, [1.0, 5.0, 4.0, 3.0], [90.0, end, 92.0, 92.0])


def until(method, number):
    """Improvements of trials until the best test accuracy; the last of path_gp is stopped at 40."""
    if method == "bonas":
        return trial(number, [90.0, 91.95, 92.0], 90.0, [0, 9, 19 + 10 * number])
    if number == 3:
        return trial(number, [90.0, 90.0], 90.0, [0, 39])
    return trial(number, [90.0, 92.0], 90.0, [0, 4 + number])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Root of a project with small.yaml, its traces and a table."""
    root = tmp_path_factory.mktemp("protocols")
    (root / "small.yaml").write_text(SCALE)
    scale = scales.load(root / "small.yaml")
    write_table(root / "data")
    for study in ("goal_nasbench201", "leaderboard_seconds_nasbench201"):
        write_study(root, scale, study, None, evaluated)
    write_study(root, scale, "leaderboard_evaluations_4_nasbench201", 4, evaluated)
    write_study(root, scale, "bonas_nasbench201", 60, until)
    write_study(root, scale, "leaderboard_best_nasbench201", 40, until)
    return root


@pytest.fixture
def inputs_of(root, monkeypatch):
    """Function from the name of a result to its inputs."""
    monkeypatch.delenv("DAGNAS_DATA", raising=False)
    scale = scales.load(root / "small.yaml")
    return lambda name: Inputs(scale, results(scale)[name], root)


@pytest.fixture(scope="module")
def real(mirror, tmp_path_factory):
    """Folder with the real table of NAS-Bench-201."""
    folder = tmp_path_factory.mktemp("real")
    fetch("nasbench201", folder, [str(mirror)])
    return folder


@pytest.fixture(scope="module")
def both(real, mirror):
    """Folder with that of NAS-Bench-101 besides, which takes longer to import."""
    fetch("nasbench101", real, [str(mirror)])
    return real


# Studies of their own


def test_no_figure_of_a_paper_asks_for_searches_of_the_leaderboard():
    scale = scales.load(ROOT / "config/paper.yaml")
    for name, result in results(scale).items():
        read = {item.split("/")[0] for kind, item in artifacts(scale, result)}
        own = {study for study in read if study.startswith("leaderboard_")}
        assert not own or name.startswith("leaderboard/"), name


def test_no_search_of_the_leaderboard_is_one_that_another_study_has():
    scale = scales.load(ROOT / "config/desk.yaml")

    def terms(job):
        return job.model_dump_json(exclude={"study", "trials"})

    own, others = {}, set()
    for name, job in scale.jobs("search").items():
        if name.startswith("leaderboard_"):
            own[terms(job)] = name
        else:
            others.add(terms(job))
    assert own
    assert not own.keys() & others


def test_ranks_are_of_both_studies_of_a_benchmark(inputs_of):
    inputs = inputs_of("leaderboard/rank")
    table = rank.tabulate(inputs)
    rows = table[(table["benchmark"] == "nasbench201") & (table["share"] == 1)]
    assert rows.set_index("method")["rank"].to_dict() == {"path_gp": 1, "random_search": 2}
    # The mean of 91.0, 91.5, 91.5 and 92.0 is half a point below the best cell's 92.
    assert rows.set_index("method")["regret"].to_dict() == {"path_gp": 0.5, "random_search": 1}


def test_studies_are_ranked_together_under_the_same_budget_alone(inputs_of):
    inputs = inputs_of("leaderboard/rank")
    whole = inputs.budget
    inputs.budget = lambda study: whole(study) + study.startswith("leaderboard")
    with pytest.raises(DagnasError, match=r"differ: policy goal, 40 seconds; .* 41 seconds"):
        rank.tabulate(inputs)


def test_a_method_is_in_one_study_of_a_benchmark(root, tmp_path):
    own = "leaderboard_seconds_nasbench201: {benchmark: nasbench201, methods: ["
    (tmp_path / "twice.yaml").write_text(SCALE.replace(f"{own}path_gp", f"{own}random_search"))
    scale = scales.load(tmp_path / "twice.yaml")
    inputs = Inputs(scale, results(scale)["leaderboard/rank"], root)
    inputs.evaluations, inputs.budget = (lambda study: None), (lambda study: 40.0)
    studies = ["goal_nasbench201", "leaderboard_seconds_nasbench201"]
    with pytest.raises(DagnasError, match="leaderboard_seconds_nasbench201 has random_search"):
        rank.check_terms(inputs, studies)


# Signals of one full training


def test_a_query_draws_one_of_the_trainings_that_a_cell_has(root):
    bench = BENCHMARKS.get("nasbench201_full").open(root / "data")
    rng = np.random.default_rng(0)
    for row, known in enumerate(VALID):
        drawn = bench.look_up(np.full(3000, row), bench.policies["single"], rng)
        values, counts = np.unique(drawn.signal, return_counts=True)
        expected = np.unique(known[~np.isnan(known)], return_counts=True)
        assert values.tolist() == expected[0].tolist()
        assert counts / 3000 == pytest.approx(expected[1] / expected[1].sum(), abs=0.04)
        assert set(drawn.test) == {TEST[row]}
        assert set(drawn.seconds) == {100.0}
    for seed, policy in ((0, "s0"), (1, "s1")):
        signal = bench.look_up(np.arange(3), bench.policies[policy], rng).signal
        assert signal.tolist() == VALID[:, seed].tolist()


def test_single_trainings_of_the_real_table_are_no_means(real):
    bench = BENCHMARKS.get("nasbench201_full").open(real)
    policy = bench.policies["single"]
    assert bench.emulated(policy) == ()
    signal = bench.look_up(np.arange(len(bench)), policy, np.random.default_rng(0)).signal
    trainings = bench.values(policy.signal, "random")
    assert (signal[:, None] == trainings).any(axis=1).all()
    # A training of a good cell is some tenths of a point off the mean of all.
    spread = (signal - bench.values(policy.valid))[bench.values(policy.valid) > 89].std()
    assert 0.05 < spread < 0.5


# After a number of evaluations


def test_accuracies_are_those_of_the_best_signal_so_far(inputs_of):
    table = evaluations.tabulate(inputs_of("leaderboard/evaluations"))
    rows = table[table["protocol"] == "4_nasbench201"].set_index(["method", "share"])
    assert rows.loc["path_gp", "evaluations"].tolist() == [1, 1, 2, 4]
    assert rows.loc["path_gp", "accuracy"].tolist() == [90, 90, 91.5, 91.5]
    end = rows.loc[("path_gp", 1.0)]
    assert end["iqm_accuracy"] == pytest.approx(trim_mean([91.0, 91.5, 91.5, 92.0], 0.25))
    assert 91.0 <= end["accuracy_low"] < 91.5 < end["accuracy_high"] <= 92.0
    assert end["regret"] == pytest.approx(0.5)
    assert end["rank"] == 1
    assert rows.loc[("random_search", 1.0), "rank"] == 2.5
    assert end["n"] == 4


def test_a_perfect_search_ends_at_the_cells_of_the_best_signals(inputs_of):
    table = evaluations.tabulate(inputs_of("leaderboard/evaluations"))
    rows = table[table["protocol"] == "4_nasbench201"]
    # Cell 1 has the best first training, cell 2 the best second and third.
    assert rows["by_signal"].unique().tolist() == [pytest.approx((92.0 + 91.95) / 2)]
    assert rows["best"].unique().tolist() == [92.0]


def test_a_method_that_is_random_search_says_so(inputs_of, tmp_path):
    table = evaluations.tabulate(inputs_of("leaderboard/evaluations"))
    begins = table.set_index(["protocol", "method", "share"])["begins"]["4_nasbench201"]
    assert begins["npnas"].tolist() == [1, 1, 1, 1]
    assert begins["path_gp"].tolist() == [1, 1, 0, 0]
    text = evaluations.caption(table)
    assert "no longer than their initial phase (hollow): NPNAS." in text
    figure = evaluations.draw(table)
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    hollow = {line.get_color() for line in dots if line.get_markerfacecolor() == "white"}
    assert hollow == {"#009E73"}


def test_means_are_over_tables_and_not_over_beginnings_of_the_same_searches(root, tmp_path):
    own = "  leaderboard_evaluations_4_nasbench201:\n"
    short = (
        "  leaderboard_evaluations_2_nasbench201:\n"
        "    {benchmark: nasbench201_full, policy: single, budget_evaluations: 2, trials: 2,\n"
        "     methods: [random_search, npnas, path_gp]}\n"
    )
    (tmp_path / "two.yaml").write_text(SCALE.replace(own, short + own))
    scale = scales.load(tmp_path / "two.yaml")

    def reversed_order(method, number):
        return trial(number, [1.0, 5.0], 91.0 - (method == "path_gp"))

    write_study(root, scale, "leaderboard_evaluations_2_nasbench201", 2, reversed_order)
    table = evaluations.tabulate(Inputs(scale, results(scale)["leaderboard/evaluations"], root))
    averaged = table.groupby("protocol")["averaged"].first()
    assert averaged.to_dict() == {"2_nasbench201": 0, "4_nasbench201": 1, "all": 0}
    ends = table[table["share"] == 1].set_index(["protocol", "method"])
    assert ends["rank"]["2_nasbench201"].to_dict() == (
        {"random_search": 1.5, "npnas": 1.5, "path_gp": 3}
    )
    assert ends["rank"]["all"].to_dict() == {"random_search": 2.5, "npnas": 2.5, "path_gp": 1}
    assert ends["behind"]["all"].to_dict() == {"random_search": 1.5, "npnas": 1.5, "path_gp": 0}
    assert ends["n"]["all"].unique().tolist() == [4]
    titles = [ax.get_title() for ax in evaluations.draw(table).axes]
    assert titles[0] == "(a) Mean rank over 1 table"
    assert len(titles) == 3
    text = evaluations.caption(table)
    assert (
        "Mean ranks are over 1 table, each by its protocol of the most evaluations, among the "
        "methods of all of these: NAS-Bench-201, 200 epochs, 4 evaluations (4 trials)." in text
    )
    # After two evaluations NPNAS is in its initial phase, and path GP, after one, is not.
    assert (
        "2 evaluations: 2 trials of 3 methods. Random search to the end of that budget, which "
        in (text)
    )


def test_emulated_protocols_are_ranked_apart(inputs_of):
    inputs = inputs_of("leaderboard/evaluations")
    whole = inputs.traces
    inputs.traces = lambda study: whole(study).assign(emulated="signal valid")
    table = evaluations.tabulate(inputs)
    marks = table.groupby("protocol")["emulated"].unique().map(list).to_dict()
    assert marks == {"4_nasbench201": ["signal"], "all": ["signal"]}
    assert "**Emulated** in NAS-Bench-201, 200 epochs, 4 evaluations" in evaluations.caption(table)


# Until the best cell


def test_means_until_the_best_are_restricted_to_what_all_were_given(inputs_of):
    table = best.tabulate(inputs_of("leaderboard/best"))
    rows = table.set_index(["aim", "method"])
    assert rows["upto"].unique().tolist() == [40]
    # BONAS meets the best cell after 20, 30, 40 and 50 evaluations; the last counts as 40.
    bonas = rows.loc[("best", "bonas")]
    assert (bonas["mean_upto"], bonas["finished_upto"], bonas["mean"]) == (32.5, 75, 35)
    assert (rows.loc[("best", "bonas"), "accuracy"], bonas["cells"]) == (92, 1)
    # Within 0.1 points all its trials are there after ten.
    near = rows.loc[("within 0.1", "bonas")]
    assert (near["mean_upto"], near["finished_upto"], near["cells"]) == (10, 100, 2)
    ours = rows.loc[("best", "path_gp")]
    assert (ours["mean_upto"], ours["finished_upto"]) == ((5 + 6 + 7 + 40) / 4, 75)
    assert np.isnan(ours["mean"])


def test_tables_of_recurrent_cells_are_not_on_it():
    for scale in ("desk", "paper"):
        loaded = scales.load(ROOT / f"config/{scale}.yaml")
        on_it, table2 = (results(loaded)[name] for name in ("leaderboard/best", "bonas/table2"))
        lstm = {name for name in table2.names("studies") if "lstm" in name}
        assert lstm
        # The others of BONAS's, and ours.
        shown = set(on_it.names("studies"))
        assert {name for name in shown if name.startswith("bonas_")} == (
            set(table2.names("studies")) - lstm
        )
        assert {name for name in shown if name.startswith("leaderboard_")}
        assert not [name for name in on_it.benchmarks if "lstm" in name]


def test_lower_bounds_are_hollow(inputs_of, tmp_path):
    inputs = inputs_of("leaderboard/best")
    table = best.tabulate(inputs)
    (ax,) = best.draw(table).axes
    marks = {
        (line.get_marker(), line.get_color()): line.get_markerfacecolor() == "white"
        for line in ax.lines
        if line.get_marker() in ("o", "D")
    }
    # All trials of BONAS met the best cell by their cap of 60; one of path GP's did not by 40.
    hollow = {("o", "#AA3377"), ("D", "#AA3377")}
    assert {mark for mark, white in marks.items() if white} == hollow
    assert len(marks) == 4
    first, second = make(inputs, tmp_path / "a"), make(inputs, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert "1 cell of 92.00 %, 2 within 0.1 points of that." in first[-1].read_text()


# Published numbers


def opened(data, names):
    scale = scales.parse(
        {
            "scale": "test",
            "trials": 1,
            "studies": {f"s_{n}": {"benchmark": n, "methods": ["goal"]} for n in names},
            "papers": ["leaderboard"],
        },
        "test",
    )
    return Inputs(scale, results(scale)["leaderboard/published"], data=data)


def test_on_imagenet_validation_cannot_choose_the_best_cell(real):
    found = published.ceiling(BENCHMARKS.get("nasbench201_imagenet16").open(real))
    assert found.by_valid == pytest.approx(46.20, abs=0.005)
    assert found.test == pytest.approx(47.31, abs=0.005)
    assert found.emulated == ""
    (optimum,) = [one for one in numbers() if one.benchmark == "nasbench201_imagenet16"]
    assert optimum.value == 47.31
    assert published.verdict(optimum, found) == published.LUCK
    assert published.verdict(optimum._replace(value=46.20), found) == published.ATTAINABLE


@pytest.mark.slow
def test_no_mean_of_nasbench101_is_above_94_318(both):
    found = published.ceiling(BENCHMARKS.get("nasbench101").open(both))
    assert round(found.test, 3) == 94.318
    assert found.emulated == "valid"
    number = Number("x", "nasbench101", "test", 94.319, 3, "", "")
    assert published.verdict(number, found) == published.ABSENT
    assert published.verdict(number._replace(value=94.318), found) == published.LUCK


def test_random_order_takes_as_long_as_it_does():
    rng = np.random.default_rng(0)
    values = np.repeat([2.0, 1.0], [3, 17])
    first = [int(rng.permutation(values).argmax()) + 1 for _ in range(20000)]
    assert np.mean(first) == pytest.approx(21 / 4, abs=0.08)

    digits = BENCHMARKS.get("digits201").open(Path())
    digits.values = lambda quantity: values
    assert published.ceiling(digits).random_order == 21 / 4


@pytest.mark.slow
def test_the_page_of_published_numbers_is_what_the_tables_say(both):
    names = ["nasbench101", "nasbench201", "nasbench201_cifar100", "nasbench201_imagenet16"]
    table = published.tabulate(opened(both, names))
    assert len(table) == len(numbers())
    page = (ROOT / "docs/published.md").read_text()
    assert published.page(table) in page
