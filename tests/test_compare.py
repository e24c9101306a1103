"""Traces as frames, what trials report, and comparisons of methods."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import mannwhitneyu, wilcoxon

import dagnas
from dagnas import plugins
from dagnas.analysis.incumbents import incumbent
from dagnas.analysis.traces import ABOUT, to_frame
from dagnas.cli import main
from dagnas.files import write_parquet
from dagnas.search.runner import TRACE


def metadata(**given):
    said = {
        "method": "goal",
        "settings": {"step_size": 1.0},
        "benchmark": "bench",
        "policy": "goal",
        "study": "bench",
        "prior": "",
        "budget_seconds": None,
        "budget_evaluations": 4,
        "until_best": False,
        "draw": None,
        "objectives": [],
        "constraints": [],
        "table": "a1",
    } | given
    plain = ("method", "benchmark", "policy", "study", "prior", "table")
    return {f"dagnas.{k}": v if k in plain else json.dumps(v) for k, v in said.items()}


def trace(trials, code=1, emulated="", steps=None):
    """Trace of trials, each a list of (signal, test); an evaluation costs ten seconds."""
    rows = []
    for trial, evaluations in trials.items():
        for row, (signal, test) in enumerate(evaluations):
            step = row if steps is None else steps[row]
            cell = f"cell {trial}.{step}"
            seconds = 10.0 * (step + 1)
            rows.append(
                (trial, step, cell, code, -1, 12, signal, seconds, test + 1, test, emulated)
            )
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(TRACE.names, map(list, columns), strict=True))).cast(TRACE)


def frame(trials, *, code=1, emulated="", steps=None, **given):
    return to_frame(trace(trials, code, emulated, steps), metadata(**given))


ONE = {0: [(50, 40), (70, 60), (60, 90), (80, 70)], 1: [(10, 20), (5, 99), (30, 50), (20, 80)]}
TWO = {0: [(50, 50), (51, 70), (52, 80), (53, 82)], 1: [(10, 20), (50, 60), (60, 75), (61, 76)]}


@pytest.fixture
def files(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    write_parquet(trace(ONE), one, metadata())
    write_parquet(trace(TWO), two, metadata(method="random_search", settings={"batch": 8}))
    return one, two


# Frames.


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"constraints": ["memory<20", "latency<3"]}, "constraints=memory<20, latency<3"),
        ({"objectives": ["latency"]}, "objectives=latency"),
        ({"draw": "classes"}, "draw=classes"),
    ],
)
def test_searches_under_other_terms_are_other_searches(given, words):
    """Trials of both were once one method's."""
    other = frame({2: TWO[0], 3: TWO[1]}, **given)
    found = dagnas.compare(frame(ONE), other)
    first, second = found.table["method"]
    assert second == f"goal ({words})"
    assert first.startswith("goal (")


@pytest.mark.parametrize(
    ("name", "text"), [("constraints", "{"), ("objectives", '"a"'), ("draw", "[")]
)
def test_terms_that_are_none_are_refused(name, text):
    said = metadata() | {f"dagnas.{name}": text}
    with pytest.raises(dagnas.DagnasError, match=f"as its {name}, which is no"):
        to_frame(trace(ONE), said)


def test_a_frame_tells_what_search_it_is_of(files):
    read = dagnas.read(files)
    assert list(read) == [*TRACE.names, *ABOUT]
    assert read["method"].unique().tolist() == ["goal", "random_search"]
    assert read["settings"].unique().tolist() == ['{"step_size": 1.0}', '{"batch": 8}']
    assert read["budget_seconds"].isna().all()
    assert (read["budget_evaluations"] == 4).all()
    assert not read["until_best"].any()
    assert read.index.tolist() == list(range(16))
    for paths in (files[0], str(files[0]), [files[0]]):
        pd.testing.assert_frame_equal(dagnas.read(paths), read[:8])


def test_faults_of_traces_are_named(files, tmp_path):
    with pytest.raises(dagnas.DagnasError, match="no traces to read"):
        dagnas.read([])
    with pytest.raises(dagnas.DagnasError, match=r"no such file: .*absent.parquet"):
        dagnas.read(tmp_path / "absent.parquet")
    (tmp_path / "bad.parquet").write_text("bad")
    with pytest.raises(dagnas.DagnasError, match="not a readable Parquet file"):
        dagnas.read([files[0], tmp_path / "bad.parquet"])
    write_parquet(trace(ONE), tmp_path / "nameless.parquet", {})
    with pytest.raises(dagnas.DagnasError, match=r"nameless.parquet is no trace.*dagnas.method"):
        dagnas.read(tmp_path / "nameless.parquet")
    write_parquet(pa.table({"code": [1]}), tmp_path / "table.parquet", {})
    with pytest.raises(dagnas.DagnasError, match="lacks the columns cell, emulated"):
        dagnas.read(tmp_path / "table.parquet")


def test_traces_that_pandas_wrote_are_traces(files, tmp_path):
    table = pq.read_table(files[0])
    texts = [(i, f) for i, f in enumerate(table.schema) if f.type == pa.string()]
    for place, field in texts:
        large = table[field.name].cast(pa.large_string())
        table = table.set_column(place, field.with_type(pa.large_string()), large)
    assert texts
    pq.write_table(table, tmp_path / "large.parquet")
    pd.testing.assert_frame_equal(dagnas.read(tmp_path / "large.parquet"), dagnas.read(files[0]))


# Reports.


def test_incumbents_are_the_best_by_signal_so_far():
    found = dagnas.incumbents(frame(ONE))
    of = found.groupby("trial")
    assert of["value"].apply(list).tolist() == [[60, 40, 40, 30], [80, 80, 50, 50]]
    assert of["evaluations"].apply(list).tolist() == [[1, 2, 3, 4]] * 2
    assert of["seconds"].apply(list).tolist() == [[10, 20, 30, 40]] * 2
    assert found["cell"][:4].tolist() == ["cell 0.0", "cell 0.1", "cell 0.1", "cell 0.3"]
    assert set(found["benchmark"]) == {"bench"}
    values = {"valid-error": 29, "test": 70, "valid": 71, "signal": 80}
    for metric, value in values.items():
        assert dagnas.incumbents(frame(ONE), metric)["value"][3] == value


def test_rewards_of_decisions_are_no_errors():
    assert dagnas.incumbents(frame(ONE, code=None))["value"][:4].tolist() == [40, 60, 60, 70]


def test_a_longer_training_is_believed_more():
    traces = frame({0: [(50, 40), (99, 60), (60, 90), (80, 70)]})
    traces.loc[1, "epochs"] = 4
    assert dagnas.incumbents(traces, "test")["value"].tolist() == [40, 40, 90, 70]


def test_evaluations_without_a_signal_are_passed_over():
    nan = float("nan")
    found = dagnas.incumbents(frame({0: [(nan, 9), (3, 20), (nan, 9), (4, 30)], 1: [(nan, 1)]}))
    assert found["evaluations"].tolist() == [2, 4]
    assert found["value"].tolist() == [80, 70]
    signal, epochs = np.array([nan, 90, nan, 80]), np.array([9, 1, 9, 1])
    assert incumbent(signal).tolist() == incumbent(signal, epochs).tolist() == [0, 1, 1, 1]


def test_regret_is_the_distance_to_the_best():
    traces = frame(ONE)
    # The best test result of any evaluation is 99: an error of 1.
    assert dagnas.regret(traces)["regret"].tolist() == [59, 39, 39, 29, 79, 79, 49, 49]
    assert dagnas.regret(traces, best=0.5)["regret"][3] == 29.5
    assert dagnas.regret(traces, metric="test", best=99.0)["regret"][3] == 29
    assert dagnas.regret(traces, metric="signal")["regret"].tolist()[3] == 0
    both = pd.concat([traces, frame(TWO, benchmark="other")])
    assert dagnas.regret(both)["regret"].tolist()[11] == 0


def test_an_unknown_metric_lists_the_valid_ones():
    with pytest.raises(dagnas.DagnasError, match=r"unknown metric 'error'.*valid: signal, test"):
        dagnas.incumbents(frame(ONE), "error")


# Comparisons.


def test_means_at_the_end_and_tests_against_the_first(files):
    found = dagnas.compare(*files)
    table = found.table.set_index("method")
    assert table["mean"].tolist() == [40, 21]
    assert table["trials"].tolist() == [2, 2]
    assert table["evaluations"].tolist() == [4, 4]
    assert table["seconds"].tolist() == [40, 40]
    ends = {"goal": [30.0, 50.0], "random_search": [18.0, 24.0]}
    every = np.subtract.outer(ends["random_search"], ends["goal"])
    rival = table.loc["random_search"]
    assert rival["difference"] == np.median(every) == -19
    assert rival["worse"] == 0
    assert rival["test"] == "signed-rank"
    assert rival["p"] == wilcoxon([-12.0, -26.0], zero_method="pratt").pvalue == rival["p_holm"]
    assert table.loc["goal", ["difference", "worse", "test", "p", "p_holm"]].isna().all()
    assert (table["low"] < table["mean"]).all()
    assert (table["mean"] < table["high"]).all()


def test_the_direction_of_a_test_follows_the_metric(files):
    table = dagnas.compare(*files, metric="test").table.set_index("method")
    assert table["mean"].tolist() == [60, 79]
    assert table.loc["random_search", ["difference", "worse"]].tolist() == [19, 0]


def test_unequal_trials_are_not_paired():
    other = frame({**TWO, 2: TWO[0]}, method="random_search")
    row = dagnas.compare(frame(ONE), other).table.iloc[1]
    assert row["test"] == "rank-sum"
    assert row["p"] == mannwhitneyu([18, 24, 18], [30, 50]).pvalue
    assert row["trials"] == 3


def test_p_values_are_corrected_for_the_number_of_methods(files):
    rivals = [frame(TWO, method=name) for name in ("b", "c")]
    table = dagnas.compare(frame(ONE), *rivals, reference="c").table.set_index("method")
    assert np.isnan(table.loc["c", "p"])
    assert table.loc["b", ["difference", "worse", "p", "p_holm"]].tolist() == [0, 0.5, 1, 1]
    assert table.loc["goal", "p_holm"] == min(1, 2 * table.loc["goal", "p"])


def test_curves_are_of_reports_over_time(files):
    curves = dagnas.compare(*files).curves
    goal = curves[curves["method"] == "goal"]
    assert goal["at"].tolist() == [1, 2, 3, 4]
    assert goal["mean"].tolist() == [70, 60, 45, 40]
    assert goal["n"].tolist() == [2] * 4
    assert (curves["by"] == "evaluations").all()
    assert (curves["metric"] == "test-error").all()
    timed = dagnas.compare(*files, by="seconds").curves
    at = timed[timed["method"] == "goal"].set_index("at")["mean"]
    assert at.index.max() == 40
    assert (at[[10, 19, 20, 39, 40]] == [70, 70, 60, 45, 40]).all()
    assert at.index.min() == 10


def test_seconds_are_the_clock_where_budgets_are_in_them():
    one, two = (
        frame(t, method=m, budget_seconds=b, budget_evaluations=None)
        for t, m, b in ((ONE, "goal", 45.0), (TWO, "random_search", 31.0))
    )
    found = dagnas.compare(one, two)
    assert set(found.curves["by"]) == {"seconds"}
    # The shortest budget, which no evaluation has to end at.
    assert found.curves["at"].max() == 31
    assert found.table["mean"].tolist() == [45, 22.5]
    assert "31 simulated seconds" in found.title


def test_a_trace_of_improvements_goes_on_reporting_its_best():
    until = {"until_best": True, "budget_evaluations": 100}
    one = frame({0: [(1, 10), (2, 99)]}, steps=[0, 60], **until)
    two = frame({0: [(1, 10), (2, 99)]}, steps=[0, 20], method="b", **until)
    found = dagnas.compare(one, two)
    assert found.table["evaluations"].tolist() == [61, 21]
    assert found.curves["at"].max() == 61
    assert found.table["mean"].tolist() == [1, 1]
    later = found.curves[found.curves["at"] > 30].groupby("method")["mean"].first()
    assert later.tolist() == [1, 90]


def test_a_trial_that_reports_nothing_counts_as_the_worst():
    nan = float("nan")
    silent = {0: [(nan, 1)] * 4, 1: TWO[1]}
    found = dagnas.compare(frame(ONE), frame(silent, method="b"))
    assert found.table["mean"].tolist() == [40, 24]
    assert found.curves[found.curves["method"] == "b"]["n"].tolist() == [1] * 4
    # 100 and 24 against 30 and 50.
    assert found.table["difference"][1] == np.median([70, 50, -6, -26])
    with pytest.raises(dagnas.DagnasError, match="no evaluation of b has a signal"):
        dagnas.compare(frame(ONE), frame({0: [(nan, 1)]}, method="b"))


def test_what_is_emulated_is_told():
    one = frame(ONE, emulated="seconds valid")
    found = dagnas.compare(one, frame(TWO, method="b", emulated="signal"), by="seconds")
    assert found.table["emulated"].tolist() == ["seconds", "signal"]
    assert "EMULATED, not from training runs: seconds, signal" in found.text()
    by_count = dagnas.compare(one, by="evaluations")
    assert by_count.table["emulated"].tolist() == [""]
    assert "EMULATED" not in by_count.text()
    assert dagnas.compare(one, metric="valid").table["emulated"].tolist() == ["valid"]
    (stamp,) = [t for t in found.draw().axes[0].texts if "EMULATED" in t.get_text()]
    assert stamp.get_text() == "EMULATED: seconds, signal"


def test_trials_of_one_search_may_be_spread_over_traces():
    parts = [frame({trial: ONE[trial]}) for trial in (1, 0)]
    whole, spread = dagnas.compare(frame(ONE)), dagnas.compare(*parts)
    pd.testing.assert_frame_equal(whole.table, spread.table)
    pd.testing.assert_frame_equal(whole.curves, spread.curves)
    with pytest.raises(dagnas.DagnasError, match="trial 0 of goal stands in the traces more than"):
        dagnas.compare(frame(ONE), parts[1])


def test_searches_by_one_method_are_named_by_what_differs():
    half = frame(TWO, settings={"step_size": 0.5})
    names = dagnas.compare(frame(ONE), half, frame(TWO, method="b")).table["method"].tolist()
    assert names == ["goal (step_size=1)", "goal (step_size=0.5)", "b"]
    names = dagnas.compare(frame(ONE), frame(TWO, study="other")).table["method"].tolist()
    assert names == ["goal (study=bench)", "goal (study=other)"]


def test_labels_name_searches():
    parts = [frame({trial: ONE[trial]}) for trial in (0, 1)]
    found = dagnas.compare(*parts, frame(TWO), labels=["a", "a", "b"], reference="b")
    assert found.table["method"].tolist() == ["a", "b"]
    assert found.table["trials"].tolist() == [2, 2]
    with pytest.raises(dagnas.DagnasError, match="1 labels for 2 traces"):
        dagnas.compare(*parts, labels=["a"])
    with pytest.raises(dagnas.DagnasError, match="'a' names several methods: goal, b"):
        dagnas.compare(parts[0], frame(TWO, method="b"), labels=["a", "a"])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"benchmark": "other"}, {}, "several benchmarks, bench, other: compare those of one"),
        ({"policy": "bonas"}, {}, "several policies, bonas, goal: compare those of one"),
        ({"table": "b2"}, {}, "several versions of a table, a1, b2: compare those of one"),
        ({}, {"reference": "gaol"}, r"unknown reference 'gaol'.*valid: b, goal"),
        ({}, {"by": "minutes"}, "unknown clock 'minutes'; valid: evaluations, seconds"),
        ({}, {"metric": "error"}, "unknown metric 'error'"),
    ],
)
def test_faults_of_a_comparison(given, options, message):
    with pytest.raises(dagnas.DagnasError, match=message):
        dagnas.compare(frame(ONE), frame(TWO, **{"method": "b", **given}), **options)


def test_frames_that_are_no_traces():
    with pytest.raises(dagnas.DagnasError, match="no traces to compare"):
        dagnas.compare()
    with pytest.raises(dagnas.DagnasError, match="the data frame lacks the columns test, method"):
        dagnas.compare(frame(ONE).drop(columns=["test", "method"]))
    with pytest.raises(dagnas.DagnasError, match="the data frame has no evaluations"):
        dagnas.compare(frame(ONE)[:0])


# Pictures.


@pytest.fixture
def registered(monkeypatch):
    for registry in plugins.REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
    monkeypatch.setattr(dagnas.METHODS, "_added", {})


def declare(name, **look):
    def function(space, rng):
        yield space.sample(1, rng)

    function.__name__ = name
    dagnas.METHODS.add(name, dagnas.method(**look)(function))


def test_a_plug_in_declares_its_look(registered):
    declare("mine", label="My method", colour="#123456")
    declare("plain", label="Plain")
    names = ("goal", "mine", "plain", "stranger")
    looks = dagnas.compare(*(frame(ONE, method=name) for name in names)).looks
    assert looks["goal"].label == "GOAL"
    assert (looks["mine"].label, looks["mine"].colour) == ("My method", "#123456")
    assert (looks["plain"].label, looks["stranger"].label) == ("Plain", "stranger")
    assert len({look.colour for look in looks.values()}) == 4
    declare("wrong", colour="no colour at all")
    with pytest.raises(dagnas.DagnasError, match="'wrong' declares 'no colour at all'"):
        dagnas.compare(frame(ONE, method="wrong"))


def test_a_variant_has_a_look_of_its_own():
    base = dagnas.method(label="Base", colour="red")(lambda space, rng: iter(()))
    assert (base.label, base.colour) == ("Base", "red")
    variant = base.variant("variant", __name__)
    assert (variant.label, variant.colour) == ("", "")


def test_only_the_first_search_of_a_method_has_its_colour():
    half = frame(TWO, settings={"step_size": 0.5})
    looks = list(dagnas.compare(frame(ONE), half).looks.values())
    assert [look.label for look in looks] == ["GOAL (step_size=1)", "GOAL (step_size=0.5)"]
    assert looks[0].colour != looks[1].colour
    labelled = dagnas.compare(frame(ONE), half, labels=["x", "y"]).looks
    assert [look.label for look in labelled.values()] == ["x", "y"]
    assert labelled["x"].colour == looks[0].colour


def test_a_picture_has_a_line_a_band_and_a_name_for_every_method(files):
    found = dagnas.compare(*files)
    (ax,) = found.draw().axes
    curves = [line for line in ax.lines if len(line.get_xdata()) == 4]
    assert [line.get_drawstyle() for line in curves] == ["steps-post"] * 2
    assert curves[0].get_ydata().tolist() == [70, 60, 45, 40]
    assert len(ax.collections) == 2
    assert {text.get_text() for text in ax.texts} == {"GOAL", "RS"}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("evaluations", "test error (%)")
    assert (ax.get_title(loc="left"), ax.get_xlim()) == ("bench", (0, 4))


def test_a_single_trial_has_no_interval():
    found = dagnas.compare(frame({0: ONE[0]}))
    assert found.table["mean"].tolist() == [30]
    assert found.table["low"].isna().all()
    low, high = found.draw().axes[0].get_ylim()
    assert low < 30 < 60 < high


def test_a_comparison_shows_itself(files):
    found = dagnas.compare(*files)
    assert repr(found).startswith("test error (%) after 4 evaluations on bench, policy goal\n")
    assert "<table" in found._repr_html_()


# The command.


def test_help_holds_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    assert stop.value.code == 0
    assert "dagnas compare" in capsys.readouterr().out.split("examples:")[1]


def test_the_command_prints_the_table_and_draws(files, tmp_path, capsys):
    outs = [tmp_path / f"out.{kind}" for kind in ("png", "svg", "csv")]
    command = ["compare", *map(str, files), *(f"--out={out}" for out in outs)]
    assert main(command) == 0
    assert capsys.readouterr().out == dagnas.compare(*files).text() + "\n"
    assert outs[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in outs[1].read_bytes()
    table = pd.read_csv(outs[2], keep_default_na=False)
    assert table["mean"].tolist() == dagnas.compare(*files).curves["mean"].tolist()
    before = [out.read_bytes() for out in outs]
    assert main(command) == 0
    assert [out.read_bytes() for out in outs] == before


def test_options_of_the_command(files, capsys):
    command = ["compare", *map(str, files), "--by", "seconds", "--metric", "valid"]
    assert main([*command, "--labels", "a", "b", "--reference", "b"]) == 0
    text = capsys.readouterr().out
    expected = dagnas.compare(*files, by="seconds", metric="valid", labels="ab", reference="b")
    assert text == expected.text() + "\n"


def test_the_command_takes_a_plug_ins_look(files, tmp_path, registered, monkeypatch, capsys):
    (tmp_path / "looking_plugin.py").write_text(
        "import dagnas\n\n\n@dagnas.method(label='Mine', colour='teal')\n"
        "def mine(space, rng):\n    yield space.sample(1, rng)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.parquet"
    write_parquet(trace(TWO), path, metadata(method="mine"))
    out = tmp_path / "out.svg"
    command = ["compare", str(files[0]), str(path), "--plugin", "looking_plugin"]
    assert main([*command, "--out", str(out)]) == 0
    assert "#008080" in out.read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "out.pdf"], "out.pdf: expected a name that ends in one of .png, .svg, .csv"),
        (["--metric", "error"], "unknown metric 'error'"),
        (["--labels", "a"], "1 labels for 2 traces"),
        (["--plugin", "absent_module"], "cannot import the plug-in module 'absent_module'"),
        (["absent.parquet"], "no such file: absent.parquet"),
    ],
)
def test_a_wrong_comparison_is_told_in_one_line(files, more, message, capsys):
    extra = [str(path) for path in files]
    command = ["compare", *more[:1], *extra] if len(more) == 1 else ["compare", *extra, *more]
    assert main(command) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out


def test_several_benchmarks_are_told_in_one_line(files, tmp_path, capsys):
    path = tmp_path / "other.parquet"
    write_parquet(trace(TWO), path, metadata(method="b", benchmark="other"))
    assert main(["compare", str(files[0]), str(path)]) == 2
    assert "several benchmarks, bench, other" in capsys.readouterr().err
