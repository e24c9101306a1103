"""BONAS's results: numbers of made-up searches until the best cell, captions and claims."""

import functools
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.papers.bonas import choices, fig4, fig5, samplers, table2, transfer
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.reader import FOLDER, read
from dagnas.papers.claims.rule import NOT_RUN, UNDECIDED
from dagnas.papers.inputs import Inputs
from dagnas.papers.make import draw, make, read_table
from dagnas.papers.result import all_results, load, results
from dagnas.pipeline import scales
from dagnas.seeds import stream
from dagnas.spaces.nasbench101 import NASBench101Space
from tests.papers.tables import searches

UNTIL_BEST = "policy: bonas, until_best: true, budget_evaluations: 100"
SCALE = f"""
scale: toy
trials: 4
trials_per_job: 2
studies:
  bonas_nasbench201:
    {{benchmark: nasbench201, {UNTIL_BEST}, budgets: {{random_distinct: 1000, lanas: 30}},
      methods: [random_distinct, regularized_evolution, lanas, bonas_random, bonas_rl, bonas]}}
  bonas_nasbench101:
    {{benchmark: nasbench101, {UNTIL_BEST}, budgets: {{random_distinct: 1000, lanas: 30}},
      methods: [random_distinct, regularized_evolution, lanas, bonas_random, bonas_rl, bonas]}}
  bonas_digits201: {{benchmark: digits201, {UNTIL_BEST}, methods: [random_distinct, bonas]}}
  bonas_losses_nasbench101:
    {{benchmark: nasbench101, {UNTIL_BEST},
      methods: [bonas, bonas_log, bonas_linear, bonas_mse]}}
  bonas_choices_nasbench201:
    {{benchmark: nasbench201, {UNTIL_BEST}, methods: [bonas, bonas_sum]}}
  bonas_transfer_nasbench101:
    {{benchmark: nasbench101_seven, prior: nasbench101_six, {UNTIL_BEST}, methods: [bonas]}}
  bonas_transfer_without_nasbench101:
    {{benchmark: nasbench101_seven, {UNTIL_BEST}, budgets: {{bonas: 60}}, methods: [bonas]}}
variants:
  random_distinct: {{method: random_search, settings: {{distinct: true}}}}
  bonas_log: {{method: bonas, settings: {{loss: log}}}}
  bonas_linear: {{method: bonas, settings: {{loss: linear}}}}
  bonas_mse: {{method: bonas, settings: {{loss: mse}}}}
  bonas_sum: {{method: bonas, settings: {{normalized: false}}}}
papers: [bonas]
"""
ONLY_DIGITS = f"""
scale: digits
trials: 2
studies:
  bonas_digits201: {{benchmark: digits201, {UNTIL_BEST}, methods: [bonas_random, bonas]}}
papers: [bonas]
"""
BEST = 97.0
#: Marks of benchmarks whose signal is not emulated.
REAL = {"nasbench201": "", "digits201": ""}
NAMES = ("choices", "fig4", "fig5", "samplers", "table2", "transfer")
#: Samples of the four trials of each method, negative for a stopped one.
TRIALS = {
    "random_distinct": (400, 800, -1000, 600),
    "regularized_evolution": (50, -100, 80, -100),
    "lanas": (-30, -30, -30, -30),
    "bonas_random": (40, 60, 20, 80),
    "bonas_rl": (20, 40, 30, 70),
    "bonas": (10, 20, 30, 40),
    "bonas_log": (20, 30, 40, 50),
    "bonas_linear": (20, 30, 40, -100),
    "bonas_mse": (10, 40, 60, 90),
    "bonas_sum": (5, 20, 50, -100),
}


def until_best_trial(trial, samples, best, emulated):
    """Trace of one trial: 90 % at first, 92 % from the fifth sample, and the end of it."""
    rows = [(0, 90.0), (4, 92.0)]
    rows.append((samples - 1, best) if samples > 0 else (-samples - 1, 85.0))
    steps, signal = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            "trial": np.int32(trial),
            "step": np.array(steps, dtype=np.int32),
            "cell": "",
            "code": 0,
            "parent": np.int32(-1),
            "epochs": np.int32(12),
            "signal": signal,
            "seconds": np.array(steps) + 1.0,
            "valid": signal,
            "test": signal,
            "emulated": emulated,
        }
    )


def write_traces(scale, root, best):
    for study, method, trials, benchmark, path in searches(scale):
        emulated = "signal seconds" if "101" in benchmark else ""
        samples = TRIALS[method]
        if study == "bonas_transfer_without_nasbench101":
            samples = (20, 60, -60, 40)
        frames = [
            until_best_trial(trial, samples[trial], best[benchmark], emulated) for trial in trials
        ]
        table = pa.Table.from_pandas(pd.concat(frames), preserve_index=False)
        write_parquet(table, root / path)


def write_tables(data):
    """Tables in which two cells of NAS-Bench-201 and one of NAS-Bench-101 are best."""
    modelled = ["cifar10/test/108/mean", "cifar10/seconds/108/mean"]
    seconds = ["cifar10/seconds/200/mean"]
    for name, code, epochs, emulated in (
        ("nasbench201", np.arange(5**6), 200, seconds),
        ("nasbench101", cells101(), 108, modelled),
    ):
        accuracy = stream(name).uniform(60, 96, len(code))
        accuracy[[7] if name == "nasbench101" else [7, 9999]] = BEST
        columns = {
            "code": code,
            f"cifar10/seconds/{epochs}/mean": np.ones(len(code)),
            f"cifar10/valid/{epochs}/mean": accuracy,
            f"cifar10/test/{epochs}/mean": accuracy,
            "cifar10/valid/12/mean": accuracy,
        }
        meta = {"dagnas.schema": "1", "dagnas.space": name}
        meta["dagnas.emulated"] = json.dumps(emulated)
        write_parquet(pa.table(columns), data / f"{name}.parquet", meta)


def cells101():
    """Classes of seven vertices, all that these tests need."""
    space = NASBench101Space(7)
    return np.unique(space.canonical(space.sample(100, stream("cells"))))


def project(root, text):
    (root / "config").mkdir()
    (root / "config/toy.yaml").write_text(text)
    return scales.load(root / "config/toy.yaml")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Root of a project with made-up searches, and its scale."""
    root = tmp_path_factory.mktemp("bonas")
    scale = project(root, SCALE)
    write_tables(root / "data")
    digits = Inputs(scale, results(scale)["bonas/table2"], root)
    best = digits.benchmark("digits201").best_signal(digits.policy("bonas_digits201"))
    names = ("nasbench101", "nasbench101_seven", "nasbench201")
    write_traces(scale, root, {"digits201": best} | dict.fromkeys(names, BEST))
    return root, scale


@pytest.fixture(scope="module")
def inputs_of(opened):
    """Function from the name of a result to its inputs."""
    root, scale = opened
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGNAS_DATA", raising=False)
        yield functools.cache(lambda name: Inputs(scale, results(scale)[f"bonas/{name}"], root))


@pytest.fixture(scope="module")
def table_of(inputs_of):
    """Function from the name of a result to its table, which is made once."""

    @functools.cache
    def made(name):
        with pytest.MonkeyPatch.context() as patch:
            # The real list takes seconds to make.
            patch.setattr(NASBench101Space, "enumerate", lambda self: range(10 * self.size))
            return load(inputs_of(name).result).tabulate(inputs_of(name))

    return lambda name: made(name).copy()


@pytest.fixture(scope="module")
def digits_inputs(tmp_path_factory):
    """Function from the name of a result to its inputs at a scale with the shipped table alone."""
    root = tmp_path_factory.mktemp("digits")
    scale = project(root, ONLY_DIGITS)
    inputs = Inputs(scale, results(scale)["bonas/table2"], root)
    best = inputs.benchmark("digits201").best_signal(inputs.policy("bonas_digits201"))
    write_traces(scale, root, {"digits201": best})
    return lambda name: Inputs(scale, results(scale)[f"bonas/{name}"], root)


@pytest.fixture(scope="module")
def read_of(table_of, tmp_path_factory):
    """Function from the name of a result to its table as read from its CSV."""
    folder = tmp_path_factory.mktemp("csv")

    @functools.cache
    def read_again(name):
        table_of(name).to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
        return read_table(folder / f"{name}.csv")

    return lambda name: read_again(name).copy()


def by(table, *columns):
    return table.set_index(list(columns))


def test_a_scale_shows_what_it_has(opened, digits_inputs):
    _, scale = opened
    assert {f"bonas/{name}" for name in NAMES} <= set(results(scale))
    few = digits_inputs("table2").config
    assert {"bonas/table2", "bonas/fig4", "bonas/samplers"} <= set(results(few))
    assert not {"bonas/fig5", "bonas/transfer", "bonas/choices"} & set(results(few))


def summary_of(table):
    return table[table["part"] == "summary"]


def test_table2_has_every_benchmark_and_method_with_the_papers_means(table_of):
    table = summary_of(table_of("table2"))
    assert list(table["benchmark"].unique()) == ["nasbench101", "nasbench201", "digits201"]
    rows = by(table, "benchmark", "method")
    assert rows.loc[("nasbench101", "lanas"), "paper"] == 11390.7
    assert rows.loc[("nasbench201", "lanas"), "paper"] == 1367.4
    ratio = rows.loc[("nasbench101", "random_distinct"), "paper_ratio"]
    assert ratio == pytest.approx(123.7, abs=0.01)
    ours = table.loc[table["benchmark"] == "digits201", ["paper", "paper_ratio", "to_paper"]]
    assert ours.isna().all(axis=None)
    assert (table["n"] == 4).all()


def test_the_papers_ratios_are_those_of_its_text():
    theirs = table2.PAPER["nasbench101"]
    stated = {c.id: c for c in mine() if c.id.startswith("table2-101-times-")}
    assert len(stated) == 6
    for name, claim in stated.items():
        mean = theirs[name.removeprefix("table2-101-times-")]
        ratio = round(mean / theirs["bonas"], 1)
        assert f" {ratio} times" in claim.statement
        fifth = [0.8 * ratio, 1.2 * ratio]
        assert [claim.check.low, claim.check.high] == pytest.approx(fifth, abs=0.05)


def test_table2_by_hand(table_of):
    table = by(summary_of(table_of("table2")), "benchmark", "method").loc["nasbench201"]
    bonas = table.loc["bonas"]
    assert bonas[["finished", "cap", "mean", "median"]].tolist() == [4, 100, 25, 20]
    assert np.isnan(bonas["restricted_to"])
    assert bonas["to_paper"] == pytest.approx(25 / 72.5)
    # Stopped: no mean, counted up to the cap; the median where half have finished.
    evolution = table.loc["regularized_evolution"]
    assert evolution[["finished", "restricted_mean", "restricted_to"]].tolist() == [2, 82.5, 100]
    assert np.isnan(evolution[["mean", "mean_ratio", "to_paper"]].astype(float)).all()
    assert evolution["mean_ratio_least"] == 82.5 / 25
    assert evolution["median_ratio"] == 80 / 20
    # Its cap is below that of BONAS, to which it is compared within 30 samples.
    lanas = table.loc["lanas"]
    assert lanas[["finished", "cap", "upto", "finished_upto"]].tolist() == [0, 30, 30, 0]
    assert lanas["reference_finished_upto"] == 75
    assert lanas["ratio_upto"] == 30 / ((10 + 20 + 30 + 30) / 4)
    assert np.isnan(lanas["median"])
    assert lanas["median_ratio_least"] == 30 / 20
    # Its cap is above: both are compared within 100 samples.
    random = table.loc["random_distinct"]
    assert random[["upto", "finished_upto", "reference_finished_upto"]].tolist() == [100, 0, 100]
    assert random["ratio_upto"] == 100 / 25
    assert random["median_ratio"] == 600 / 20


def test_a_bound_that_is_too_large_already_is_judged(inputs_of):
    table = table2.summary_table(inputs_of("table2"), "bonas_nasbench201")
    # The lower bound of 82.5 is more than twice a mean of 41, and less than twice one of 42.
    for mean, known in ((41.0, True), (42.0, False)):
        paper = {"nasbench201": {"regularized_evolution": mean, "bonas": 10.0}}
        row = by(table2.with_paper(table.copy(), paper, "bonas"), "method")
        assert (row.loc["regularized_evolution", "to_paper"] == 82.5 / mean) == known
        assert np.isnan(row.loc["regularized_evolution", "to_paper"]) != known
        assert row.loc["bonas", "to_paper"] == 2.5


def test_trials_that_were_stopped_without_success_refute_a_small_mean(inputs_of):
    table = table2.summary_table(inputs_of("table2"), "bonas_nasbench201")
    # Four of LaNAS's trials took 30 samples each without success.
    for mean, known in ((14.9, True), (15.1, False)):
        paper = {"nasbench201": {"lanas": mean, "bonas": 10.0}}
        row = by(table2.with_paper(table.copy(), paper, "bonas"), "method").loc["lanas"]
        assert row["paper_p"] == pytest.approx(np.exp(-120 / mean))
        assert np.isnan(row["to_paper"]) != known
        if known:
            assert row["to_paper"] == pytest.approx(30 / mean)
    # Where all trials ended there is a mean, and no probability is asked for.
    row = by(table2.with_paper(table, paper, "bonas"), "method").loc["bonas"]
    assert np.isnan(row["paper_p"])


def test_tops_are_samples_until_one_of_several_best_cells(inputs_of, table_of):
    tops = table_of("table2")
    tops = by(tops[tops["part"] == "tops"], "benchmark", "method", "top").loc["nasbench201"]
    assert tops.loc["bonas", "rank"].to_dict() == {
        "2": 2,
        "5": 5,
        "20": 20,
        "0.01 %": 1,
        "0.1 %": 15,
    }
    # The two best cells have 97 %; all that these trials found else has 92 %, or less.
    bonas = tops.loc["bonas"]
    accuracy = np.sort(inputs_of("table2").benchmark("nasbench201").values("cifar10/test/200"))
    assert bonas.loc["5", "accuracy"] == accuracy[-5]
    assert bonas.loc["2", ["accuracy", "finished", "mean"]].tolist() == [97.0, 4, 25]
    evolution = tops.loc[("regularized_evolution", "0.01 %")]
    assert evolution[["finished", "n", "cap", "restricted_mean"]].tolist() == [2, 4, 100, 82.5]


def test_ranks_of_tops_are_whole_and_one_at_least():
    assert table2.ranks(423_624) == {"2": 2, "5": 5, "20": 20, "0.01 %": 42, "0.1 %": 423}
    assert table2.ranks(100)["0.01 %"] == 1


def test_table2_counts_cells_that_share_the_best_and_marks_emulated_signals(table_of):
    rows = summary_of(table_of("table2")).groupby("benchmark").first()
    assert rows.loc["nasbench201", ["cells", "best", "best_cells"]].tolist() == [15625, 97.0, 2]
    assert rows.loc["nasbench101", "best_cells"] == 1
    assert rows.loc["digits201", ["cells", "best_cells"]].tolist() == [15625, 4]
    # The seconds are emulated as well, but have no part in a number of samples.
    assert rows["emulated"].to_dict() == {"nasbench101": "signal"} | REAL


def test_caps_are_those_of_the_scale_or_of_the_policy(inputs_of, tmp_path):
    inputs = inputs_of("table2")
    found = table2.caps(inputs, "bonas_nasbench201")
    assert (found["random_distinct"], found["lanas"], found["bonas"]) == (1000, 30, 100)
    text = SCALE.replace(", budget_evaluations: 100", "")
    other = Inputs(project(tmp_path, text), inputs.result, inputs.root)
    assert table2.caps(other, "bonas_nasbench201")["bonas"] == 1000


def test_captions_say_what_was_stopped_and_what_is_lacking(read_of, digits_inputs):
    text = table2.caption(read_of("table2"))
    assert "2 of 4 trials of regularized_evolution (after 100 samples)" in text
    assert "4 of 4 trials of lanas (after 30 samples)" in text
    assert "1 of 4 trials of random_distinct (after 1,000 samples)" in text
    assert "trials of bonas " not in text
    assert "Not run on NAS-Bench-201: AlphaX, NAO, NASBOT." in text
    assert "LSTM-12K is not run" in text
    assert "Nothing is extrapolated" in text
    assert "the best, 97.00 %, is that of 2 of 15,625 cells" in text
    assert "digits201 is this project's own benchmark, not the paper's." in text
    assert "**Emulated** in NAS-Bench-101, not from training runs: signal." in text
    text = table2.caption(table2.tabulate(digits_inputs("table2")))
    assert "No trial was stopped at its cap." in text or "Stopped:" in text
    assert "Not run on" not in text


def test_captions_say_how_probable_so_few_successes_are(read_of):
    text = table2.caption(read_of("table2"))
    chance = np.exp(-120 / 1367.4)
    assert f"lanas on NAS-Bench-201 {chance:.2g}" in text
    assert "bonas on NAS-Bench-201" not in text
    assert "until one of the 2, 5 or 20 best cells" in text


def test_a_caption_without_stopped_trials_says_so(read_of):
    table = read_of("table2")
    whole = table[table["finished"] == table["n"]]
    text = table2.caption(whole)
    assert text.count("No trial was stopped at its cap.") == 3
    assert "Stopped:" not in text


def test_times_are_those_of_all_trials(table_of):
    table = table_of("table2")
    times = by(table[table["part"] == "times"], "benchmark", "method")
    assert (times.index.unique() == by(summary_of(table), "benchmark", "method").index).all()
    ends = times[["samples", "found", "stopped"]].astype(int)
    # 1,000 samples are the cap; both stopped trials ended after 100.
    assert ends.loc[("nasbench201", "random_distinct")].to_numpy().tolist() == [
        [400, 1, 0],
        [600, 1, 0],
        [800, 1, 0],
        [1000, 0, 1],
    ]
    evolution = ends.loc[("nasbench201", "regularized_evolution")].to_numpy().tolist()
    assert evolution == [[50, 1, 0], [80, 1, 0], [100, 0, 2]]
    marks = times.groupby("benchmark")["emulated"].first().to_dict()
    assert marks == {"nasbench101": "signal"} | REAL
    samplers_times = table_of("samplers").query("part == 'times' and benchmark == 'nasbench201'")
    assert list(samplers_times["method"].unique()) == list(samplers.SAMPLERS)


def test_whole_numbers_are_written_with_all_their_digits():
    summary = pd.DataFrame({"benchmark": ["a"], "method": ["b"], "cap": [12_345_678]})
    times = pd.DataFrame({"benchmark": ["a"], "method": ["b"], "samples": [12_345_678]})
    table = table2.in_parts(summary, [times])
    text = table.to_csv(index=False, float_format="%.6g")
    assert text.count("12345678") == 2


def test_the_figure_marks_stopped_trials_and_unknown_means(read_of):
    table = read_of("table2")
    figure = table2.draw(table)
    columns = len(table["benchmark"].unique())
    above, below = figure.axes[1], figure.axes[columns + 1]
    # A plus at the fraction of trials that had found it when others were stopped.
    lines = [line.get_xydata() for line in above.lines if line.get_marker() == "+"]
    marks = {tuple(points[0]) for points in lines if len(points)}
    assert marks == {(1000.0, 75.0), (100.0, 50.0), (30.0, 0.0)}
    # The curve of BONAS, drawn with the widest line: a quarter with each of 10, 20, 30 and 40.
    widest = max(above.lines, key=lambda line: line.get_linewidth())
    start, *steps = widest.get_xydata().tolist()
    assert start == [10, 0]
    assert steps == [[10, 25], [20, 50], [30, 75], [40, 100]]
    texts = [text.get_text() for text in below.texts]
    assert {"found", "mean", "paper", "2/4", "> 82.5", "25.0", "72.5"} <= set(texts)
    assert above.get_xlim() == below.get_xlim()
    assert below.get_xlim()[1] > 7712.3
    stamps = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert sum(text.startswith("EMULATED") for text in stamps) == 1
    # A bound that is the cap, since no trial has found the best cell, is a whole number.
    bound = table.assign(restricted_mean=table["restricted_mean"].replace(82.5, 100.0))
    texts = {text.get_text() for ax in table2.draw(bound).axes for text in ax.texts}
    assert "> 100" in texts
    assert "> 100.0" not in texts


def test_fig4_by_hand(table_of):
    table = table_of("fig4")
    rows = by(table, "benchmark", "method", "samples").loc["nasbench201"]
    # 90 % from the first sample, 92 % from the fifth; the four trials end with 97 % one by one.
    means = {1: 90, 4: 90, 5: 92, 8: 92, 10: 93.25, 20: 94.5, 30: 95.75, 40: 97, 100: 97}
    for samples, mean in means.items():
        assert rows.loc[("bonas", samples), "mean"] == pytest.approx(mean), samples
    at20 = rows.loc[("bonas", 20)]
    assert at20["sd"] == pytest.approx(np.std([97, 97, 92, 92], ddof=1))
    assert at20["se"] == pytest.approx(at20["sd"] / 2)
    # The last evaluation of a stopped trial was a bad one, which is not its best.
    assert rows.loc[("regularized_evolution", 100), "mean"] == pytest.approx(94.5)
    assert rows.loc[("regularized_evolution", 100), "lead"] == pytest.approx(2.5)
    assert (rows.loc["bonas", "lead"] == 0).all()
    assert (table["n"] == 4).all()


def test_fig4_ends_each_curve_at_its_cap_and_none_beyond_bonas(table_of):
    table = table_of("fig4")
    ends = table[table["benchmark"] == "nasbench201"].groupby("method")["samples"].max()
    assert ends.to_dict() == {**dict.fromkeys(ends.index, 100), "lanas": 30}
    assert table["lead"].notna().all()
    marks = table.groupby("benchmark")["emulated"].first().to_dict()
    assert marks == {"nasbench101": "signal test"} | REAL


def test_grid_is_of_whole_numbers_that_rise_to_the_end():
    assert fig4.grid(1).tolist() == [1]
    assert fig4.grid(12).tolist() == [1, 2, 3, 4, 5, 6, 8, 10, 12]
    found = fig4.grid(5000)
    assert found[-1] == 5000
    assert {20, 125, 250, 1000} <= set(found.tolist())
    assert (np.diff(found) > 0).all()


def test_samplers_compares_all_pairs_in_the_papers_order(table_of):
    table = table_of("samplers")
    rows = summary_of(table[table["benchmark"] == "nasbench201"])
    rows = by(rows, "reference", "method")
    pairs = [("bonas", "bonas_random"), ("bonas", "bonas_rl"), ("bonas", "bonas")]
    assert list(rows.index) == [*pairs, ("bonas_rl", "bonas_random")]
    assert rows.loc[("bonas", "bonas_rl"), "ratio_upto"] == 40 / 25
    assert rows.loc[("bonas_rl", "bonas_random"), "ratio_upto"] == 50 / 40
    # By number: 40 and 20, 60 and 40, 20 and 30, 80 and 70.
    last = rows.loc[("bonas_rl", "bonas_random")]
    assert (last["sooner"], last["later"]) == (1, 3)
    assert last["median_ratio"] == 40 / 30
    assert set(table.loc[table["benchmark"] == "digits201", "method"]) == {"bonas"}


def test_samplers_figure_and_caption(read_of):
    table = read_of("samplers")
    figure = samplers.draw(table)
    text = figure.axes[1].texts[0].get_text()
    assert re.search(r"BONAS\(RL\), BONAS\(RS\): p = 0\.\d{3}", text)
    assert samplers.p_words(1e-9) == "p < 0.001"
    assert "rests on an arbitrary order" in samplers.caption(table)


def test_fig5_has_the_weights_that_searches_are_trained_with(table_of):
    table = table_of("fig5")
    weights = by(table[table["part"] == "weights"], "method", "accuracy")["weight"]
    assert weights["bonas", 50] == pytest.approx((np.exp(0.5) - 1) / (np.e - 1))
    assert weights["bonas_log", 50] == pytest.approx(np.log(1.5) / np.log(2))
    assert weights["bonas_linear", 50] == 0.5
    assert weights["bonas_mse", 0] == 1
    assert weights.loc[:, 100].to_numpy() == pytest.approx(1)
    assert set(table["part"]) == {"weights", "accuracy", "samples"}
    summary = by(table[table["part"] == "samples"], "method")
    assert summary.loc["bonas_mse", ["mean", "mean_ratio", "later"]].tolist() == [50, 2, 3]
    assert summary.loc["bonas_linear", "finished"] == 3
    curve = by(table[table["part"] == "accuracy"], "method", "samples")
    assert curve.loc[("bonas_mse", 30), "lead"] == pytest.approx(95.75 - 93.25)


def test_fig5_figure_and_caption(read_of):
    table = read_of("fig5")
    figure = fig5.draw(table)
    assert len(figure.axes) == 4
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert {"(a) Weights", "(b) NAS-Bench-101"} <= set(titles)
    text = fig5.caption(table)
    assert "NAS-Bench-101: Stopped: 1 of 4 trials of bonas_linear (after 100 samples)." in text
    assert "same random stream" in text


def test_choices_name_the_settings_of_variants(read_of):
    table = read_of("choices")
    summary = summary_of(table)
    assert summary["method"].tolist() == ["bonas", "bonas_sum"]
    assert summary["settings"].tolist() == ["default", "normalized = False"]
    text = choices.caption(table)
    assert "Variants: bonas_sum: normalized = False." in text
    assert "1 of 4 trials of bonas_sum (after 100 samples)" in text
    labels = [label.get_text() for label in choices.draw(table).axes[1].get_yticklabels()]
    assert labels == ["default", "bonas_sum"]
    assert "Variants:" not in choices.caption(table[table["method"] == "bonas"])


def test_transfer_by_hand(read_of):
    table = read_of("transfer")
    assert list(table["benchmark"].unique()) == ["nasbench101_seven"]
    rows = by(summary_of(table), "method")
    assert rows.loc["pretrained", ["mean", "cap", "paper"]].tolist() == [25, 100, 511.9]
    scratch = rows.loc["from_scratch"]
    assert scratch[["finished", "cap", "restricted_mean"]].tolist() == [3, 60, 45]
    assert scratch[["upto", "ratio_upto"]].tolist() == [60, 45 / 25]
    assert scratch["median_ratio"] == 40 / 20
    assert scratch["paper_ratio"] == pytest.approx(2.7, abs=0.01)
    assert (rows["prior_cells"] == 60).all()
    times = by(table[table["part"] == "times"], "method")
    assert times.loc["pretrained", "samples"].tolist() == [10, 20, 30, 40]
    assert times.loc["from_scratch", "samples"].tolist() == [20, 40, 60]
    # One trial found it with its last sample, one did not.
    assert times.loc["from_scratch", ["found", "stopped"]].iloc[-1].tolist() == [1, 1]
    text = transfer.caption(table)
    assert "1 of 4 trials of from_scratch (after 60 samples)" in text
    assert "first trained on the 60 classes of six" in text
    assert "**Emulated** in NAS-Bench-101, seven vertices" in text
    assert transfer.draw(table).axes[1].get_xlim()[1] > 1386.4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["choices", "fig5"])
def test_results_are_whole_and_repeat_byte_for_byte(name, inputs_of, tmp_path):
    first = make(inputs_of(name), tmp_path / "a")
    second = make(inputs_of(name), tmp_path / "b")
    assert [path.suffix[1:] for path in first] == ["csv", "svg", "png", "md"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["fig4", "samplers", "table2"])
def test_the_shipped_benchmark_alone_is_enough(name, digits_inputs):
    inputs = digits_inputs(name)
    module = load(inputs.result)
    table = module.tabulate(inputs)
    assert set(table["benchmark"]) == {"digits201"}
    module.draw(table)
    assert "digits201 is this project's own benchmark" in module.caption(table)


def test_a_table_without_the_single_trials_is_not_drawn(read_of, tmp_path):
    old = summary_of(read_of("table2")).drop(columns=["part", "samples", "found", "stopped"])
    with pytest.raises(DagnasError, match="bonas/table2 has no column 'part'"):
        draw(all_results()["bonas/table2"], old, tmp_path / "table2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_a_table_and_of_its_csv_are_alike(name, read_of, table_of):
    module = load(all_results()[f"bonas/{name}"])
    assert module.caption(read_of(name)) == module.caption(table_of(name))
    one, other = module.draw(read_of(name)), module.draw(table_of(name))
    for a, b in zip(one.axes, other.axes, strict=True):
        assert [text.get_text() for text in a.texts] == [text.get_text() for text in b.texts]
        assert a.get_xlim() == pytest.approx(b.get_xlim(), rel=1e-5)
        assert a.get_ylim() == pytest.approx(b.get_ylim(), rel=1e-5)
        for line, same in zip(a.lines, b.lines, strict=True):
            assert line.get_color() == same.get_color()
            for x, y in zip(line.get_data(), same.get_data(), strict=True):
                np.testing.assert_allclose(
                    np.asarray(x, dtype=float), np.asarray(y, dtype=float), rtol=1e-5
                )


# Claims.


@functools.cache
def mine():
    """Claims but for those of section 4.1, which rest on other results."""
    used = {f"bonas/{name}" for name in NAMES}
    return [c for c in read("bonas") if set(selected(c)) <= used]


def selected(claim):
    """Results that a claim reads."""
    return re.findall(r"'result': '([^']+)'", str(claim.model_dump()))


def test_claims_name_results_that_exist_and_say_why_or_what_they_need():
    assert {"bonas/table2", "bonas/fig4", "bonas/fig5"} <= set(all_results())
    used = {name for claim in mine() for name in selected(claim)}
    assert used == {f"bonas/{name}" for name in NAMES if name != "choices"}
    for claim in mine():
        assert claim.reason if claim.check else claim.needs, claim.id


def test_claims_point_to_headings_of_the_deviations():
    headings = re.findall(r"^#+ (.*)$", (FOLDER / "bonas/deviations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert {claim.deviation for claim in mine()} - {""} <= anchors


def test_claims_quote_the_numbers_that_the_table_has():
    statements = {claim.id: claim.statement for claim in mine()}
    for benchmark, theirs in table2.PAPER.items():
        for method, mean in theirs.items():
            name = f"table2-{benchmark.removeprefix('nasbench')}-{method}"
            assert f"takes {mean} samples" in statements[name]


@pytest.fixture
def ledger(inputs_of, table_of, tmp_path):
    """Function that checks all claims on the made-up results, as if of 50 such trials."""

    def of_fifty(table):
        times = 50 / len(TRIALS["bonas"])
        more = {"finished": table["finished"] * times} if "finished" in table else {}
        if "median" in table:
            more |= {"median_low": 0.99 * table["median"], "median_high": 1.01 * table["median"]}
            more["logrank_p"] = 0.01
        return table.assign(n=50, se=table["se"] / times**0.5, **more)

    def entries(change=lambda table: table):
        for name in ("table2", "fig4", "samplers", "fig5", "transfer"):
            table = change(of_fifty(table_of(name)))
            path = tmp_path / f"bonas/{name}.csv"
            path.parent.mkdir(exist_ok=True)
            table.to_csv(path, index=False, float_format="%.6g")
        tables = Tables(tmp_path, [f"bonas/{name}" for name in NAMES])
        return {claim.id: check("bonas", claim, tables) for claim in mine()}

    return entries


def test_what_stopped_trials_leave_unknown_is_not_run_or_undecided_and_says_why(ledger):
    entries = ledger()
    for name in ("table2-101-bonas_rl-before-lanas", "fig5-101-mse-before-lanas"):
        assert entries[name].status == NOT_RUN
        assert entries[name].missing.startswith("that half of the trials finish")
    # Means without an upper end.
    for name in (
        "table2-201-regularized_evolution",
        "table2-201-lanas",
        "table2-101-times-random_distinct",
        "transfer-times",
    ):
        assert entries[name].status == UNDECIDED, name
        assert ", inf]" in entries[name].measured
    # None of 50 within 30 samples, which may be 7.5 times 25 in the end.
    assert entries["table2-101-times-lanas"].status == UNDECIDED
    for name in ("table2-lstm-bonas", "table4-error", "table5-error", "fig8-cell"):
        assert entries[name].status == NOT_RUN


def test_what_is_known_of_stopped_trials_is_checked(ledger):
    entries = ledger()
    for name, status in {
        # An order within the samples that both were given is always known.
        "table2-201-bonas-before-lanas": "reproduced",
        "table2-101-bonas-before-random_distinct": "reproduced",
        "samplers-201-ea-before-bonas_rl": "reproduced",
        "samplers-101-rl-before-rs": "reproduced",
        # 40 are a fifth less than 50.
        "samplers-201-rl-like-rs": "undecided",
        "fig4-201-bonas-above-regularized_evolution": "reproduced",
        "table2-201-bonas_rl-before-rea": "reproduced",
        # 25 are not about 72.5 samples.
        "table2-201-bonas": "not reproduced",
        "transfer-sooner": "reproduced",
        "fig5a-order": "reproduced",
        "fig5-101-exponential-before-mse": "reproduced",
        "fig5-101-exponential-above-linear": "reproduced",
        "fig5-101-mse-before-random_distinct": "reproduced",
    }.items():
        assert entries[name].status == status, (name, entries[name])
    assert entries["table2-101-bonas-before-lanas"].emulated
    assert not entries["table2-201-bonas-before-lanas"].emulated


def test_claims_fail_if_bonas_is_the_slower_one(ledger):
    def turned(table):
        for column in ("ratio_upto", "restricted_mean"):
            if column in table:
                table[column] = 1 / table[column]
        if "finished" in table:
            table = table.assign(finished=50, se=1e-6)
        return table.assign(mean=200 - table["mean"]) if "lead" in table else table

    entries = ledger(turned)
    for name in (
        "table2-201-bonas-before-lanas",
        "samplers-101-ea-before-bonas_random",
        "fig4-201-bonas-above-lanas",
        "transfer-sooner",
        "transfer-times",
        "fig5-101-exponential-before-mse",
        "fig5-101-exponential-above-mse",
    ):
        assert entries[name].status == "not reproduced", name


def test_few_trials_judge_nothing_but_what_is_counted(table_of, tmp_path):
    csv = tmp_path / "bonas/table2.csv"
    csv.parent.mkdir()
    table_of("table2").to_csv(csv, index=False)
    tables = Tables(tmp_path, ["bonas/table2"])
    claims = [claim for claim in mine() if "bonas/table2" in selected(claim)]
    entries = [check("bonas", claim, tables) for claim in claims]
    judged = {entry.id for entry in entries if entry.status != NOT_RUN}
    assert judged == {"cells-101", "cells-201"}
    assert any("50 trials (there are 4)" in entry.missing for entry in entries)
