"""The leaderboard: regrets, ranks and wall-clock times of made-up trials, and of a plug-in's."""

import json
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import trim_mean

from dagnas import plugins
from dagnas.analysis import aggregates
from dagnas.cli import main
from dagnas.closure import closure
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.papers.claims.check import Tables, ledger
from dagnas.papers.claims.estimate import Estimate, combine
from dagnas.papers.claims.reader import read
from dagnas.papers.inputs import Inputs
from dagnas.papers.leaderboard import rank, speed
from dagnas.papers.make import make
from dagnas.papers.result import results
from dagnas.pipeline import scales
from dagnas.pipeline.kinds import KINDS
from dagnas.pipeline.sections import paper_names
from dagnas.seeds import stream
from tests.papers.tables import searches

SCALE = """
scale: small
trials: 4
trials_per_job: 2
studies:
  goal_nasbench201: {benchmark: nasbench201, methods: [random_search, npnas, reinforce, goal]}
  goal_digits201: {benchmark: digits201, methods: [random_search, npnas, goal]}
  goal_ablation_digits201: {benchmark: digits201, methods: [goal]}
papers: [leaderboard]
"""
BUDGETS = {"nasbench201": 2000.0, "digits201": 50.0}
BEST = {"nasbench201": 92.0}
#: Of the four evaluations of a trial, as many are random ones with which the method begins.
SETTINGS = {"npnas": {"samples": 4}, "goal": {"initial": 2}}
#: Mean regrets at the end.
REGRETS = {
    "nasbench201": {"random_search": 3.0, "reinforce": 0.5, "npnas": 1.0, "goal": 1.0},
    "digits201": {"random_search": 2.0, "npnas": 1.0, "goal": 0.5},
}


def write_table(data):
    """Table with three cells of NAS-Bench-201; the best final test accuracy is 92 %."""
    columns = {
        "code": np.arange(3),
        "cifar10/valid/12/mean": np.array([60.0, 70.0, 80.0]),
        "cifar10/seconds/12/mean": np.full(3, 100.0),
        "cifar10/valid/200/mean": np.array([80.0, 99.0, 85.0]),
        "cifar10/test/200/mean": np.array([90.0, 92.0, 91.0]),
    }
    meta = {"dagnas.schema": "1", "dagnas.space": "nasbench201", "dagnas.emulated": "[]"}
    write_parquet(pa.table(columns), data / "nasbench201.parquet", meta)


def write_study(root, scale, study, regrets, emulated=""):
    """Trials whose final regrets are ``regrets`` on the average, and 9 points more at first."""
    for _, method, numbers, benchmark, path in searches(scale, study):
        budget = BUDGETS[benchmark]
        frames, walls = [], ["trial,seconds"]
        for trial in numbers:
            end = regrets[method] * (1 + 0.1 * (-1) ** trial)
            frames.append(
                pd.DataFrame(
                    {
                        "trial": trial,
                        "step": range(4),
                        "cell": "",
                        "code": 0,
                        "parent": -1,
                        "epochs": 12,
                        "signal": [50.0, 60.0, 10.0, 20.0],
                        "seconds": budget * np.array([0.2, 0.5, 0.8, 0.9]),
                        "valid": 77.0,
                        "test": BEST[benchmark] - np.array([end + 9, end, 0, 0]),
                        "emulated": emulated,
                    }
                )
            )
            walls.append(f"{trial},{budget * (1, 2, 3, 10)[trial]:.3f}")
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        settings = json.dumps(SETTINGS.get(method, {}))
        notes = {"dagnas.budget_seconds": json.dumps(budget), "dagnas.settings": settings}
        write_parquet(table, root / path, notes)
        (root / path).with_suffix(".wall.csv").write_text("\n".join(walls) + "\n")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Root of a project with small.yaml, its traces and a table."""
    root = tmp_path_factory.mktemp("small")
    (root / "small.yaml").write_text(SCALE)
    scale = scales.load(root / "small.yaml")
    write_table(root / "data")
    digits = Inputs(scale, results(scale)["leaderboard/rank"], root).benchmark("digits201")
    BEST["digits201"] = digits.values(digits.policies["goal"].test).max()
    for benchmark, regrets in REGRETS.items():
        write_study(root, scale, f"goal_{benchmark}", regrets)
    return root


@pytest.fixture
def inputs_of(root, monkeypatch):
    """Function from the name of a result to its inputs."""
    monkeypatch.delenv("DAGNAS_DATA", raising=False)
    scale = scales.load(root / "small.yaml")
    return lambda name: Inputs(scale, results(scale)[name], root)


def test_studies_named_after_their_benchmarks_are_on_it(inputs_of, tmp_path):
    result = inputs_of("leaderboard/rank").result
    assert result.names("studies") == ("goal_nasbench201", "goal_digits201")
    assert result.benchmarks == ("nasbench201", "digits201")
    assert result.missing == ()
    text = SCALE.replace("goal_nasbench201:", "other:").replace("goal_digits201:", "more:")
    (tmp_path / "other.yaml").write_text(text)
    # What the table of a benchmark allows needs no study.
    assert list(results(scales.load(tmp_path / "other.yaml"))) == ["leaderboard/published"]


def test_regret_is_measured_from_the_best_cell_of_the_table(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table.set_index(["benchmark", "method", "share"])
    for benchmark, regrets in REGRETS.items():
        for method, regret in regrets.items():
            row = rows.loc[(benchmark, method, 1.0)]
            assert row["regret"] == pytest.approx(regret)
            # Two trials are 10 % above the mean and two below: a resample is so at most.
            assert 0.9 * regret - 1e-9 <= row["regret_low"] < regret
            assert regret < row["regret_high"] <= 1.1 * regret + 1e-9
            assert row["n"] == 4
            assert rows.loc[(benchmark, method, 0.5), "regret"] == pytest.approx(regret)
            assert rows.loc[(benchmark, method, 0.25), "regret"] == pytest.approx(regret + 9)
    # Before the first evaluation has ended, the error is 100 %.
    assert rows.loc[("nasbench201", "goal", 0.1), "regret"] == pytest.approx(92)
    assert rows.loc[("nasbench201", "goal", 0.25), "seconds"] == 500


def test_ranks_of_equals_are_shared_and_averaged_over_benchmarks(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    ranks = table[table["share"] == 1].set_index(["benchmark", "method"])["rank"]
    assert ranks["nasbench201"].to_dict() == {
        "reinforce": 1,
        "npnas": 2.5,
        "goal": 2.5,
        "random_search": 4,
    }
    assert ranks["digits201"].to_dict() == {"goal": 1, "npnas": 2, "random_search": 3}
    # Without the method that one benchmark lacks, two share the first rank on NAS-Bench-201.
    assert ranks["all"].to_dict() == {"goal": 1.25, "npnas": 1.75, "random_search": 3}
    early = table[table["share"] == 0.1].set_index(["benchmark", "method"])["rank"]
    assert set(early["all"]) == {2}


def test_intervals_of_ranks(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table[table["share"] == 1].set_index(["benchmark", "method"])
    # No resample moves a mean by more than a tenth, so only the two equals may change places.
    low, high = rows["rank_low"], rows["rank_high"]
    for method, place in (("reinforce", 1), ("random_search", 4)):
        assert low["nasbench201", method] == high["nasbench201", method] == place
    assert (low["nasbench201", "goal"], high["nasbench201", "goal"]) == (2, 3)
    assert (low["all", "goal"], high["all", "goal"]) == (1, 1.5)
    assert (low["all", "random_search"], high["all", "random_search"]) == (3, 3)


def test_resampled_means_spread_as_the_standard_error():
    values = np.random.default_rng(0).normal(0, 1, (40, 2))
    found = aggregates.means(values, aggregates.resample(40, stream("a")))
    assert found[0] == pytest.approx(values.mean(axis=0))
    assert found[1:].mean(axis=0) == pytest.approx(values.mean(axis=0), abs=0.01)
    assert found[1:].std(axis=0) == pytest.approx(values.std(axis=0) / np.sqrt(40), rel=0.03)
    columns = aggregates.with_interval("x", found)
    half = 1.96 * values.std(axis=0) / np.sqrt(40)
    assert columns["x"] - columns["x_low"] == pytest.approx(half, rel=0.1)
    assert columns["x_high"] - columns["x"] == pytest.approx(half, rel=0.1)
    # A resample takes whole trials, so that shares of the budget stay together.
    twice = np.stack([values[:, 0], 2 * values[:, 0]], axis=1)
    together = aggregates.means(twice, aggregates.resample(40, stream("a")))
    assert together[:, 1] == pytest.approx(2 * together[:, 0])


def test_benchmarks_are_drawn_again_too(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table[(table["share"] == 1) & (table["benchmark"] == "all")].set_index("method")
    # GOAL shares the first rank on one benchmark and is first alone on the other.
    wide = rows[["rank_benchmarks_low", "rank_benchmarks_high"]].T
    assert wide["goal"].tolist() == [1, 2]
    assert wide["random_search"].tolist() == [3, 3]


def test_how_far_methods_are_behind_ours_is_told_of_the_same_resamples(inputs_of, monkeypatch):
    columns = ["behind", "behind_low", "behind_high"]
    # A scale without our method has nobody to be behind.
    assert rank.tabulate(inputs_of("leaderboard/rank"))[columns].isna().all(axis=None)
    monkeypatch.setattr(rank, "OURS", "goal")
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table[(table["share"] == 1) & (table["benchmark"] == "all")].set_index("method")
    assert rows.loc["goal", columns].tolist() == [0, 0, 0]
    assert rows.loc["random_search", columns].tolist() == [1.75, 1.5, 2]
    # One place on digits201; on NAS-Bench-201 the two are equals, of whom any may be the first.
    assert rows.loc["npnas", columns].tolist() == [0.5, 0, 1]
    # What one gains there the other loses: two intervals as of independent ranks leave out zero.
    ends = [Estimate(*rows.loc[m, ["rank", "rank_low", "rank_high"]]) for m in ("npnas", "goal")]
    assert combine((1, ends[0]), (-1, ends[1])).low > 0
    assert table.loc[table["benchmark"] == "digits201", columns].isna().all(axis=None)


def test_interquartile_means_are_fractions_of_random_search(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table[(table["share"] == 1) & (table["benchmark"] == "all")].set_index("method")
    # Trials are at 0.9 and 1.1 of means that are 1 / 3 and 1 / 4 of those of random search.
    scores = np.outer([1 / 3, 1 / 4], [0.9, 0.9, 1.1, 1.1]).ravel()
    assert rows.loc["goal", "iqm"] == pytest.approx(trim_mean(scores, 0.25))
    assert rows.loc["random_search", "iqm"] == pytest.approx(1)
    assert (rows["iqm_low"] < rows["iqm"]).all()
    assert (rows["iqm"] < rows["iqm_high"]).all()
    assert table.loc[table["benchmark"] == "digits201", "iqm"].isna().all()


def test_probabilities_of_improvement(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    rows = table[(table["share"] == 1) & (table["benchmark"] == "all")].set_index("method")
    assert rows["over_random"].to_dict() == {"goal": 1, "npnas": 1, "random_search": 0.5}
    # GOAL has the least mean rank; on NAS-Bench-201 NPNAS is its equal.
    assert rows["best_over"].to_dict() == {"goal": 0.5, "npnas": 0.75, "random_search": 1}
    # With f and g the fractions of the lower regret in the resamples there, it is
    # 0.75 + 0.25 (f - g), and 4 (f - g) + 4 has the binomial distribution of 8 throws of a coin.
    interval = rows.loc["npnas", ["best_over_low", "best_over_high"]]
    assert interval.tolist() == [0.75 - 0.25 * 0.75, 0.75 + 0.25 * 0.75]


def test_without_random_search_there_is_nothing_to_compare_regrets_with(inputs_of, tmp_path):
    inputs = inputs_of("leaderboard/rank")
    every = {study: inputs.traces(study) for study in inputs.result.names("studies")}
    inputs.traces = lambda study: every[study][every[study]["method"] != "random_search"]
    table = rank.tabulate(inputs)
    assert "iqm" not in table
    assert len(rank.draw(table).axes) == 3
    assert "The table lacks iqm, over_random: what these show is left out." in rank.caption(table)


def test_methods_that_have_learned_nothing_yet_are_marked(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    begins = table.set_index(["benchmark", "method"])["begins"]
    assert begins["digits201", "npnas"].tolist() == [1, 1, 1, 1]
    assert begins["digits201", "goal"].tolist() == [1, 1, 1, 0]
    assert begins["all", "random_search"].tolist() == [0, 0, 0, 0]
    text = rank.caption(table)
    assert "So to the end of the budget: NPNAS on NAS-Bench-201, NPNAS on digits201." in text
    dots = [line for line in rank.draw(table).axes[0].lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "w" for dot in dots] == [False, True, False]


def test_tables_of_an_earlier_version_are_drawn_with_what_they_have(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    columns = ["rank", "rank_low", "rank_high", "regret", "seconds", "n", "emulated"]
    earlier = table[["benchmark", "share", "method", *columns]]
    assert len(rank.draw(earlier).axes) == 3
    text = rank.caption(earlier.assign(emulated="signal"))
    assert "lacks rank_benchmarks_low, iqm, over_random, best_over, begins:" in text


def test_an_edit_of_panels_makes_no_table_stale():
    panels, statistics = "dagnas.papers.leaderboard.panels", "dagnas.analysis.aggregates"
    drawn, tabulated = (closure([f"{rank.__name__}:{name}"]) for name in ("draw", "tabulate"))
    assert panels in drawn
    assert panels not in tabulated
    assert statistics in tabulated
    assert statistics not in drawn


def test_real_benchmarks_of_one_cell_space_are_said_to_be(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    sentence = "The 2 real benchmarks are all of one cell space, that of NAS-Bench-201:"
    assert sentence in rank.caption(table)
    other = table.assign(
        space=table["space"].where(table["benchmark"] != "digits201", "nasbench101")
    )
    assert "one cell space" not in rank.caption(other)


def test_another_method_changes_no_regret_and_no_interval(inputs_of):
    inputs = inputs_of("leaderboard/rank")
    whole = rank.tabulate(inputs)
    every = {study: inputs.traces(study) for study in inputs.result.names("studies")}
    inputs.traces = lambda study: every[study][every[study]["method"] != "npnas"]
    fewer = rank.tabulate(inputs)
    columns = ["benchmark", "share", "method", "regret", "regret_low", "regret_high"]
    rest = whole[(whole["method"] != "npnas") & (whole["benchmark"] != "all")]
    assert rest[columns].to_numpy().tolist() == (
        fewer.loc[fewer["benchmark"] != "all", columns].to_numpy().tolist()
    )


def test_without_a_method_on_all_benchmarks_there_are_regrets_alone(inputs_of, tmp_path):
    inputs = inputs_of("leaderboard/rank")
    every = {study: inputs.traces(study) for study in inputs.result.names("studies")}
    only = {"goal_nasbench201": "reinforce", "goal_digits201": "goal"}
    inputs.traces = lambda study: every[study][every[study]["method"] == only[study]]
    table = rank.tabulate(inputs)
    assert set(table["benchmark"]) == {"nasbench201", "digits201"}
    rank.draw(table).savefig(tmp_path / "f.png")


def test_titles_do_not_touch_where_there_is_one_benchmark(inputs_of):
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    # Without random search, so that the narrow panel stands between two others.
    one = table[table["benchmark"].isin(["all", table["benchmark"].iloc[0]])]
    figure = rank.draw(one.assign(iqm=np.nan, over_random=np.nan))
    figure.canvas.draw()
    titles = [ax._left_title.get_window_extent() for ax in figure.axes]
    assert len(titles) == 3
    for title, following in pairwise(titles):
        assert title.x1 < following.x0


@pytest.mark.slow
def test_the_leaderboard_is_drawn_best_first_and_repeats(inputs_of, tmp_path):
    inputs = inputs_of("leaderboard/rank")
    table = rank.tabulate(inputs)
    dots, _, _, heat, _ = rank.draw(table).axes
    labels = [label.get_text() for label in dots.get_yticklabels()]
    # The one that is not on all benchmarks is last, without a dot.
    assert labels == ["GOAL", "NPNAS", "RS", "RL"]
    numbers = [text.get_text() for text in heat.texts]
    assert numbers == ["1.00", "0.50", "1.00", "1.00", "3.00", "2.00", "0.50"]
    first, second = make(inputs, tmp_path / "a"), make(inputs, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    text = first[-1].read_text()
    assert "Not on all benchmarks, so without mean rank: RL." in text
    assert "NAS-Bench-201: 4 trials of 4 methods, 2,000 s." in text
    assert "Emulated" not in text


def test_emulated_benchmarks_are_marked(inputs_of):
    inputs = inputs_of("leaderboard/rank")
    every = {study: inputs.traces(study) for study in inputs.result.names("studies")}
    inputs.traces = lambda study: every[study].assign(
        emulated="signal seconds valid" if study == "goal_nasbench201" else ""
    )
    table = rank.tabulate(inputs)
    marks = table.groupby("benchmark")["emulated"].unique().map(list).to_dict()
    # The validation accuracy bears on no regret.
    assert marks == {
        "nasbench201": ["seconds signal"],
        "digits201": [""],
        "real": [""],
        "all": ["seconds signal"],
    }
    figure = rank.draw(table)
    marked = [
        ax.get_title()
        for ax in figure.axes
        if "EMULATED: seconds, signal" in [text.get_text() for text in ax.texts]
    ]
    assert marked == ["(b) With emulated benchmarks"]
    labels = [label.get_text() for label in figure.axes[4].get_xticklabels()]
    assert labels == ["NAS-Bench-201\n(emulated)", "digits201"]
    text = rank.caption(table)
    assert "(a) Mean, over 1 benchmark with no emulated data, of the rank" in text
    assert "(b) The same over 2 benchmarks (1 emulated)." in text
    assert "Least mean rank: GOAL 1.00 over 1 benchmark with no emulated data; GOAL 1.25" in text
    assert "**Emulated** in NAS-Bench-201, not from training runs: seconds, signal." in text


def test_the_claim_of_the_leaderboard(inputs_of, tmp_path):
    (tmp_path / "leaderboard").mkdir()
    table = rank.tabulate(inputs_of("leaderboard/rank"))
    table.to_csv(tmp_path / "leaderboard/rank.csv", index=False, float_format="%.6g")
    tables = Tables(tmp_path, ["leaderboard/rank"])
    statuses = {entry.id: entry.status for entry in ledger(["leaderboard"], tables)}
    assert statuses.pop("no-regret-below-zero") == "reproduced"
    assert set(statuses.values()) == {"not run"}


@pytest.mark.parametrize(
    ("behind", "status"),
    [(0.6, "reproduced"), (0.5, "undecided"), (-0.4, "undecided"), (-0.6, "not reproduced")],
)
def test_the_claim_of_path_gp_follows_from_how_far_others_are_behind(tmp_path, behind, status):
    rows = [
        {"benchmark": name, "share": share, "method": method, "behind": middle, "n": 10}
        # Neither other benchmarks nor earlier times count.
        for name, share, sign in (("real", 1.0, 1), ("real", 0.5, -1), ("all", 1.0, -1))
        for method, middle in (("path_gp", 0.0), ("goal", behind * sign))
    ]
    table = pd.DataFrame(rows).assign(
        behind_low=lambda t: t["behind"] - 0.5, behind_high=lambda t: t["behind"] + 0.5
    )
    (tmp_path / "leaderboard").mkdir()
    table.to_csv(tmp_path / "leaderboard/rank.csv", index=False)
    tables = Tables(tmp_path, ["leaderboard/rank"])
    statuses = {entry.id: entry.status for entry in ledger(["leaderboard"], tables)}
    assert statuses["path-gp-rank-before-goal"] == status
    assert statuses["path-gp-rank-before-smac"] == "not run"


@pytest.mark.parametrize(
    ("finished", "counted", "status"),
    [
        (50, 15.0, "reproduced"),
        (50, 60.0, "not reproduced"),
        # A trial that is stopped is counted up to there, and hides no failure.
        (49, 60.0, "not reproduced"),
        (49, 15.0, "undecided"),
        (0, 300.0, "not reproduced"),
    ],
)
def test_the_bar_of_path_gp_counts_trials_that_are_stopped(tmp_path, finished, counted, status):
    row = {"benchmark": "nasbench201", "aim": "best", "method": "path_gp", "n": 50}
    row |= {"finished": finished, "mean": counted if finished == 50 else None}
    row |= {"restricted_mean": counted, "se": 1.0 if finished else 0.0}
    row |= {"restricted_to": None if finished == 50 else 300}
    (tmp_path / "leaderboard").mkdir()
    pd.DataFrame([row]).to_csv(tmp_path / "leaderboard/best.csv", index=False)
    tables = Tables(tmp_path, ["leaderboard/best"])
    statuses = {entry.id: entry.status for entry in ledger(["leaderboard"], tables)}
    assert statuses["path-gp-201-best"] == status


def test_no_claim_rests_on_wall_clock_times():
    selected = []

    def look(part):
        if isinstance(part, dict):
            selected.append(part.get("result"))
        for each in part.values() if isinstance(part, dict) else part:
            if isinstance(each, dict | list):
                look(each)

    look([claim.model_dump() for name in paper_names() for claim in read(name)])
    assert "leaderboard/rank" in selected
    assert "leaderboard/speed" not in selected


def test_speed_is_wall_clock_time_beside_simulated_time(inputs_of, tmp_path):
    inputs = inputs_of("leaderboard/speed")
    table = speed.tabulate(inputs)
    values = table.set_index(["benchmark", "method", "quantity"])
    # Trials took 50, 100, 150 and 500 s; each made 4 evaluations of 45 s in all.
    for quantity, median, low, high in (
        ("wall", 125, 87.5, 237.5),
        ("simulated", 45, 45, 45),
        ("evaluations", 4, 4, 4),
        ("per_cell", 125 / 4, 87.5 / 4, 237.5 / 4),
        ("ratio", 125 / 45, 87.5 / 45, 237.5 / 45),
    ):
        row = values.loc[("digits201", "goal", quantity)]
        assert row[["median", "low", "high"]].tolist() == pytest.approx([median, low, high])
        assert row["n"] == 4
    csv, *_, md = make(inputs, tmp_path)
    assert len(pd.read_csv(csv)) == 5 * (3 + 4)
    assert "over 4 trials" in md.read_text()


def test_wall_clock_times_have_to_be_declared_and_whole(inputs_of, tmp_path):
    walls = inputs_of("leaderboard/speed").walls("goal_digits201")
    assert list(walls["method"].unique()) == ["random_search", "npnas", "goal"]
    assert walls.loc[walls["method"] == "goal", "trial"].tolist() == [0, 1, 2, 3]
    with pytest.raises(DagnasError, match="leaderboard/rank does not declare walls"):
        inputs_of("leaderboard/rank").walls("goal_digits201")
    inputs = inputs_of("leaderboard/speed")
    inputs.root = tmp_path
    with pytest.raises(DagnasError, match=r"0000-0002.wall.csv: No such file"):
        inputs.walls("goal_digits201")
    for *_, path in searches(inputs.config, "goal_digits201"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).with_suffix(".wall.csv").write_text("no\n")
    with pytest.raises(DagnasError, match="is no file of wall-clock seconds"):
        inputs.walls("goal_digits201")


METHOD = '''
"""A method of a user's own: cells in the order of their numbers."""

from dagnas.search.method import method


@method()
def in_order(space, rng):
    """Evaluate all cells, eight at a time."""
    cells = space.enumerate()
    for first in range(0, len(cells), 8):
        yield cells[first : first + 8]
'''
PLUGIN = """
scale: mine
trials: 2
plugins: [my_orders]
studies:
  goal_digits201: {benchmark: digits201, budget_seconds: 15, methods: [random_search, in_order]}
papers: [leaderboard]
"""


@pytest.mark.slow
def test_a_method_of_a_plugin_is_on_it_once_a_study_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for registry in plugins.REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
    (tmp_path / "my_orders.py").write_text(METHOD)
    (tmp_path / "mine.yaml").write_text(PLUGIN)
    scale = scales.load("mine.yaml")
    for name, job in scale.jobs("search").items():
        out = KINDS.get("search").path(scale, name)
        assert main(["search", *job.arguments(), "--out", str(out)]) == 0
    for name in ("rank", "speed"):
        assert main(["result", f"leaderboard/{name}", "--config", "mine.yaml"]) == 0
        table = pd.read_csv(f"results/mine/leaderboard/{name}.csv")
        assert set(table["method"]) == {"random_search", "in_order"}
    ranks = pd.read_csv("results/mine/leaderboard/rank.csv").set_index("benchmark").loc["all"]
    assert set(ranks["rank"]) <= {1, 1.5, 2}
    inputs = Inputs(scale, results(scale)["leaderboard/rank"])
    figure = rank.draw(rank.tabulate(inputs))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(labels) == ["RS", "in_order"]
    sys.modules.pop("my_orders")
