"""The ledger: every kind of check, what is not run and why, and the claims of our papers."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from dagnas import papers
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.papers.claims.check import Tables, check
from dagnas.papers.claims.model import Claim
from dagnas.papers.claims.page import counts, to_csv, to_lines, to_markdown
from dagnas.papers.claims.reader import FOLDER, read
from dagnas.papers.claims.rule import FAILED, NOT_RUN, REPRODUCED, UNDECIDED
from dagnas.papers.make import make
from dagnas.papers.result import all_results, load, results
from dagnas.pipeline import scales

TABLE = pd.DataFrame(
    {
        "method": ["a", "a", "b", "b", "oracle"],
        "seconds": [1, 2, 1, 2, 2],
        "error": [9.0, 7.0, 8.0, 6.0, 5.0],
        "sd": [0.5, 0.25, 0.5, 0.5, float("nan")],
        "n": [50, 50, 40, 40, 3],
        "emulated": ["", "", "signal", "signal", ""],
        "note": ["", "", "", "the signal is a mean", ""],
    }
)


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "p").mkdir()
    TABLE.to_csv(tmp_path / "p/r.csv", index=False)
    return Tables(tmp_path, ["p/r"])


def at(method, seconds=2, **more):
    where = {"method": method, "seconds": seconds}
    return {"result": "p/r", "column": "error", "where": where, "error": "none", **more}


def entry(tables, test, **more):
    claim = Claim.model_validate(
        {"id": "c", "place": "Figure 1", "statement": "It is so.", "check": test, **more}
    )
    return check("p", claim, tables)


ALL_OF_A = {"result": "p/r", "column": "error", "where": {"method": "a"}, "error": "none"}


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ({"kind": "less", "value": at("b"), "other": at("a")}, True),
        ({"kind": "less", "value": at("a"), "other": at("b")}, False),
        ({"kind": "less", "value": at("a"), "other": 7}, False),
        ({"kind": "less", "value": at("a"), "other": at("b"), "tolerance": 1.5}, True),
        ({"kind": "greater", "value": at("a"), "other": at("b")}, True),
        ({"kind": "greater", "value": at("b"), "other": at("a"), "tolerance": 0.5}, False),
        ({"kind": "equal", "value": at("a"), "other": 7}, True),
        ({"kind": "equal", "value": at("a"), "other": 7.2, "tolerance": 0.1}, False),
        ({"kind": "equal", "value": at("a"), "other": 7.2, "tolerance": 0.25}, True),
        ({"kind": "ratio", "value": at("b"), "other": at("a"), "low": 0.8, "high": 0.9}, True),
        ({"kind": "ratio", "value": at("b"), "other": at("a"), "high": 0.8}, False),
        ({"kind": "ratio", "value": at("a"), "other": 0}, False),
        ({"kind": "between", "value": at("a"), "low": at("b"), "high": 7}, True),
        ({"kind": "between", "value": at("a"), "low": 7.5}, False),
        ({"kind": "order", "values": [at("oracle"), at("b"), at("a")]}, True),
        ({"kind": "order", "values": [at("oracle"), at("a"), at("b")]}, False),
        ({"kind": "order", "values": [at("a"), at("b")], "tolerance": 1.1}, True),
        ({"kind": "equal", "value": at("a", minus=at("b"), plus=at("oracle")), "other": 6}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "mean"}, "other": 8}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "first"}, "other": 9}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "last"}, "other": 7}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "min"}, "other": 7}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "sum"}, "other": 16}, True),
        ({"kind": "equal", "value": {**ALL_OF_A, "aggregate": "count"}, "other": 2}, True),
        ({"kind": "equal", "value": at(["a", "b"], aggregate="max"), "other": 7}, True),
        ({"kind": "equal", "value": at("a", {"min": 1.5}), "other": 7}, True),
        (
            {"kind": "equal", "value": at("a", {"min": 1, "max": 2}, aggregate="max"), "other": 9},
            True,
        ),
    ],
)
def test_every_kind_of_check(tables, test, holds):
    found = entry(tables, test)
    assert found.status == (REPRODUCED if holds else FAILED)
    assert found.measured
    assert not found.missing


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (
            {"kind": "less", "value": at("a"), "other": at("b"), "tolerance": 0.1},
            "7, asked below 6 (tolerance 0.1)",
        ),
        ({"kind": "greater", "value": at("a"), "other": 6}, "7, asked above 6"),
        ({"kind": "equal", "value": at("a"), "other": 6}, "7, asked equal to 6"),
        ({"kind": "between", "value": at("a"), "high": 9}, "7, asked at most 9"),
        ({"kind": "between", "value": at("a"), "low": 8}, "7, asked at least 8"),
        (
            {"kind": "between", "value": at("a"), "low": 1, "high": 9, "tolerance": 1},
            "7, asked at least 1 and at most 9 (tolerance 1)",
        ),
        (
            {"kind": "ratio", "value": at("b"), "other": at("a"), "low": 0.8},
            "6 / 7 = 0.857, asked 0.8 to inf",
        ),
        ({"kind": "ratio", "value": at("b"), "other": 0}, "6 / 0 = nan, asked -inf to inf"),
        ({"kind": "order", "values": [at("oracle"), at("b"), at("a")]}, "rising: 5, 6, 7"),
    ],
)
def test_what_was_measured_is_said(tables, test, words):
    assert entry(tables, test).measured == words


@pytest.mark.parametrize(
    ("test", "more", "missing"),
    [
        (None, {"needs": ["a GPU", "images"]}, "a GPU; images"),
        ({"kind": "less", "value": at("c"), "other": 1}, {}, "method c in p/r"),
        ({"kind": "less", "value": at("a", 3), "other": 1}, {}, "seconds 3 in p/r"),
        (
            {"kind": "less", "value": at("oracle", 1), "other": 1},
            {},
            "method oracle, seconds 1 in p/r",
        ),
        ({"kind": "less", "value": {**at("a"), "result": "p/x"}, "other": 1}, {}, "the result p/x"),
        ({"kind": "less", "value": {**at("oracle"), "column": "sd"}, "other": 1}, {}, "sd in p/r"),
        (
            {"kind": "less", "value": at("b"), "other": 1},
            {"trials": 50},
            "50 trials (there are 40)",
        ),
    ],
)
def test_what_cannot_be_checked_is_not_run_and_says_why(tables, test, more, missing):
    found = entry(tables, test, **more)
    assert (found.status, found.missing, found.measured) == (NOT_RUN, missing, "")


def test_the_oracle_needs_no_trials(tables):
    test = {"kind": "greater", "value": at("a"), "other": at("oracle")}
    assert entry(tables, test, trials=50).status == REPRODUCED


def test_a_table_with_a_row_per_trial_counts_its_rows(tables, tmp_path):
    TABLE.drop(columns="n").to_csv(tmp_path / "p/r.csv", index=False)
    test = {"kind": "less", "value": {**ALL_OF_A, "aggregate": "mean"}, "other": 100}
    assert entry(tables, test, trials=2).status == REPRODUCED
    assert entry(tables, test, trials=3).missing == "3 trials (there are 2)"


def test_a_result_of_another_scale_is_not_looked_at(tmp_path, tables):
    test = {"kind": "less", "value": at("b"), "other": at("a")}
    assert entry(Tables(tmp_path, []), test).missing == "the result p/r"


def test_emulated_data_are_flagged(tables):
    assert not entry(tables, {"kind": "less", "value": at("a"), "other": 1}).emulated
    assert entry(tables, {"kind": "less", "value": at("a"), "other": at("b")}).emulated


def test_a_note_on_the_signal_stands_in_the_ledger(tables):
    plain = entry(tables, {"kind": "less", "value": at("a"), "other": 8})
    noted = entry(tables, {"kind": "less", "value": at("b"), "other": at("a")})
    assert (plain.note, noted.note) == ("", "the signal is a mean")
    found, others = (to_markdown([each], "toy") for each in (noted, plain))
    assert "6, asked below 7 *(the signal is a mean)* |" in found
    assert "*(" not in others.rpartition("| claim |")[2]


def test_several_rows_need_an_aggregate(tables):
    with pytest.raises(DagnasError, match=r"2 rows of p/r .* say how to aggregate 'error'"):
        entry(tables, {"kind": "less", "value": ALL_OF_A, "other": 1})


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"column": "eror"}, "eror"),
        ({"where": {"methd": "a"}}, "methd"),
        ({"error": {"se": "se"}}, "se"),
        ({"error": "wait"}, "restricted_mean"),
    ],
)
def test_a_column_that_a_table_lacks_is_named_and_nothing_is_judged(tables, change, column):
    """A table made by older code lacks new columns."""
    found = entry(tables, {"kind": "less", "value": {**at("a"), **change}, "other": 1})
    assert (found.status, found.missing) == (NOT_RUN, f"the column {column} in p/r")


# claims.yaml.


def write(tmp_path, text):
    (tmp_path / "p").mkdir()
    (tmp_path / "p/claims.yaml").write_text(text)
    return lambda: read("p", tmp_path)


CLAIM = "id: c, place: F, statement: s"
SELECTION = "result: r, column: c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"claims: [{{{CLAIM}, tolerence: 1}}]", "claim c of p: tolerence: Extra inputs"),
        (f"claims: [{{{CLAIM}, check: {{kind: les, value: 1, other: 2}}}}]", "'less', 'greater'"),
        (f"claims: [{{{CLAIM}, check: {{kind: less, value: 1, othr: 2}}}}]", "othr: Extra inputs"),
        (
            f"claims: [{{{CLAIM}, check: {{kind: less, value: 1, other: 2, tolerance: -1}}}}]",
            "greater",
        ),
        ("claims: [{id: c, place: F}]", "statement: Field required"),
        # What a number's interval follows from is never left out.
        (
            f"claims: [{{{CLAIM}, check: {{kind: less, value: 1, other: {{{SELECTION}}}}}}}]",
            "error: Field required",
        ),
        (f"claims: [{{{CLAIM}}}, {{{CLAIM}}}]", "c given twice"),
        (f"claims: [{{{CLAIM}, for_each: [x]}}]", "no sets x"),
        # What a comma in a text without quotes makes of it.
        ("sets: {x: [{label: NASNet (2.65 %, 2000 days)}]}", "no value for '2000 days)'"),
        ("claim: []", "expected the keys sets and claims"),
        ("claims: [", "no valid YAML"),
    ],
)
def test_faults_in_claims_yaml_are_named(tmp_path, text, message):
    with pytest.raises(DagnasError, match=re.escape(message)):
        write(tmp_path, text)()


def test_for_each_makes_a_claim_of_every_combination(tmp_path):
    claims = write(
        tmp_path,
        """
sets:
  size: [{size: 1}, {size: 2}]
  rival: [{rival: x, label: X}, {rival: y, label: Y}]
claims:
  - id: "{rival}-{size}"
    for_each: [size, rival]
    place: F
    statement: Better than {label}.
    check:
      kind: less
      value: "{size}"
      other: {result: r, column: c, where: {m: "{rival}"}, error: none}
""",
    )()
    assert [claim.id for claim in claims] == ["x-1", "y-1", "x-2", "y-2"]
    assert claims[3].statement == "Better than Y."
    assert claims[3].check.value == 2.0
    assert claims[3].check.other.where == {"m": "y"}


def test_a_paper_without_claims_has_none(tmp_path):
    assert read("p", tmp_path) == []


# The ledger's files.


def test_ledger_files(tables):
    less = {"kind": "less", "value": at("b"), "other": at("a")}
    more = {"kind": "less", "value": at("a"), "other": at("b")}
    entries = [
        entry(tables, less, reason="Means | only.", deviation="what"),
        entry(tables, more),
        entry(tables, None, needs=["a GPU"]),
    ]
    assert counts(entries) == "1 reproduced, 0 undecided, 1 not reproduced, 1 not run"
    lines = to_csv(entries).splitlines()
    assert lines[0].startswith("paper,id,place,statement,status,measured,tolerance")
    assert len(lines) == 4
    text = to_markdown(entries, "toy")
    assert "1 reproduced, 0 undecided, 1 not reproduced, 1 not run." in text
    assert "| **not reproduced** *emulated* | 7, asked below 6 *(the signal is a mean)* |" in text
    assert "Means \\| only. [Deviation](../../src/dagnas/papers/p/deviations.md#what)." in text
    assert "| not run | needs a GPU |" in text
    assert list(to_lines(entries)) == [
        "reproduced      p/c: 6, asked below 7 [emulated]",
        "not reproduced  p/c: 7, asked below 6 [emulated]",
        "not run         p/c: needs a GPU",
        "1 reproduced, 0 undecided, 1 not reproduced, 1 not run",
    ]


# Claims of the papers that ship with the package.


def selections(part):
    if isinstance(part, dict):
        if "result" in part:
            yield part
        for value in part.values():
            yield from selections(value)
    elif isinstance(part, list):
        for value in part:
            yield from selections(value)


def test_goals_claims_name_results_that_exist():
    known = all_results()
    used = {s["result"] for claim in read("goal") for s in selections(claim.model_dump())}
    assert used <= set(known)
    assert {"goal/fig2", "goal/fig3", "goal/fig4", "goal/fig5", "goal/fig6", "goal/fig7"} <= used


@pytest.mark.parametrize("paper", ["goal", "digits201"])
def test_claims_say_why_or_what_they_need(paper):
    for claim in read(paper):
        assert claim.reason if claim.check else claim.needs, claim.id


def test_claims_of_figures_3_and_6_are_those_of_nas_bench_201(
    inputs_of, digits_inputs_of, tmp_path
):
    """Another benchmark's ranking is not checked against the paper, and the ledger says so."""
    names = ["goal/fig3", "goal/fig6"]
    claims = [c for c in read("goal") if c.id.startswith(("fig3-", "fig6-"))]
    assert len(claims) == 9
    used = [s for claim in claims for s in selections(claim.check.model_dump())]
    assert {selection["where"].get("benchmark") for selection in used} == {"nasbench201"}
    for scale, function in (("ours", digits_inputs_of), ("theirs", inputs_of)):
        for name in names:
            path = tmp_path / scale / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = load(all_results()[name]).tabulate(function(name))
            # As if there were as many trials and sizes as the claims ask for.
            if "predictor" in table:
                table = pd.concat([table, table.assign(train_size=512)])
            table = pd.concat([table.assign(trial=table["trial"] + 2 * k) for k in range(3)])
            table.to_csv(path, index=False)
    for claim in claims:
        used = "fig3" if claim.id.startswith("fig3") else "fig6"
        ours = check("goal", claim, Tables(tmp_path / "ours", names))
        assert (ours.status, ours.missing) == (NOT_RUN, f"benchmark nasbench201 in goal/{used}")
        theirs = check("goal", claim, Tables(tmp_path / "theirs", names))
        assert theirs.status != NOT_RUN, (claim.id, theirs.missing)


def test_goals_claims_point_to_headings_of_its_deviations():
    text = (FOLDER / "goal/deviations.md").read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert {claim.deviation for claim in read("goal")} - {""} <= anchors


def test_goals_claims_cover_the_whole_paper():
    places = " ".join(claim.place for claim in read("goal"))
    for place in ("Appendix A", "6.2", "Figure 3", "6.3", "Figure 4", "Appendix C", "Appendix D"):
        assert place in places
    assert {"Appendix E", "Table 1", "Table 2"} <= {claim.place for claim in read("goal")}


def test_goals_claims_run_on_results_of_the_right_size(toy, scale, inputs_of, tmp_path):
    """With trials and budgets that claims ask for, nothing built stays unchecked."""
    names = ["goal/fig4", "goal/fig5"]
    for name in names:
        csv, *_ = make(inputs_of(name), tmp_path)
        table = pd.read_csv(csv, keep_default_na=False)
        # As if these searches had had the paper's budgets and number of trials.
        full = {"nasbench201": 28000 / 2000, "nasbench101": 500000 / 40000, "digits201": 1.0}
        table["seconds"] = (table["seconds"] * table["benchmark"].map(full)).round()
        table["n"], table["se"] = 50, 0.01
        extra = table[table["method"] == "goal"]
        clock = [extra.assign(seconds=time) for time in (12000, 20000)]
        rea = extra.assign(method="regularized_evolution")
        pd.concat([table, *clock, rea]).drop_duplicates(
            ["benchmark", "metric", "method", "seconds"]
        ).to_csv(csv, index=False)
    tables = Tables(tmp_path, names)
    unbuilt = ("reinforce", "bohb", "smac", "nao", "alphax")
    for claim in read("goal"):
        used = {s["result"] for s in selections(claim.model_dump())}
        if claim.check is None or not used <= set(names):
            continue
        found = check("goal", claim, tables)
        expected = [rival for rival in unbuilt if claim.id.endswith(rival)]
        if expected:
            assert found.missing.startswith(f"method {expected[0]} in"), claim.id
        elif claim.id == "fig4-201-test-oracle-range":
            assert found.missing == "sd in goal/fig4"
        else:
            assert found.status != NOT_RUN, (claim.id, found.missing)
            assert found.emulated == ("101" in claim.id), claim.id


def goals_claim(name, folder, result, rows):
    """Status of one of GOAL's claims on a result of these rows."""
    path = folder / f"{result}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    (claim,) = [claim for claim in read("goal") if claim.id == name]
    return check("goal", claim, Tables(folder, [result])).status


@pytest.mark.parametrize(
    ("fraction", "status"), [(0.74, FAILED), (0.96, UNDECIDED), (1.0, REPRODUCED)]
)
def test_trials_at_another_good_cell_are_not_at_the_optimum(tmp_path, fraction, status):
    about = {"benchmark": "nasbench201", "n": 50, "emulated": None}
    metric = {"metric": "validation error", "sd": 0.1, "se": 0.01}
    end = {"method": "goal", "seconds": 28000}
    rows = [
        {**about, **metric, **end, "mean": 8.49},
        {**about, **metric, **end, "seconds": 17000, "mean": 8.49},
        {**about, **metric, **end, "method": "oracle", "mean": 8.504},
        {**about, **end, "metric": "optimum held", "mean": 1.0},
        {**about, **end, "metric": "optimum held", "seconds": 17000, "mean": fraction},
        # Before that time nothing is asked.
        {**about, **end, "metric": "optimum held", "seconds": 16800, "mean": 0.1},
    ]
    assert goals_claim("fig4-201-stays-optimal", tmp_path, "goal/fig4", rows) == status
    assert goals_claim("fig4-201-valid-beside-oracle", tmp_path, "goal/fig4", rows) == REPRODUCED


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(0.60, 0.86, FAILED), (0.88, 0.99, UNDECIDED), (0.93, 1.0, REPRODUCED)],
)
def test_robustly_is_read_from_the_interval_of_the_fraction(tmp_path, low, high, status):
    about = {"benchmark": "nasbench201", "metric": "optimum held", "method": "goal", "n": 50}
    rows = [
        {**about, "seconds": 17000, "mean": high, "low": low, "high": high},
        {**about, "seconds": 28000, "mean": 1, "low": 0.95, "high": 1},
    ]
    assert goals_claim("fig5-201-stays-robustly", tmp_path, "goal/search_table", rows) == status


@pytest.mark.parametrize(
    ("name", "method", "p", "opposite", "status"),
    [
        ("outperforms-nasbench201-test-smac", "smac", 0.01, 1, REPRODUCED),
        ("outperforms-nasbench201-test-smac", "smac", 0.06, 1, UNDECIDED),
        ("outperforms-nasbench201-test-smac", "smac", 1, 0.04, FAILED),
        ("fig4-nasbench201-test-goal-clearly-below-npnas", "npnas", 0.06, 1, UNDECIDED),
        ("fig4-nasbench201-test-goal-clearly-below-npnas", "npnas", 1, 0.06, UNDECIDED),
        ("fig4-nasbench201-test-goal_mlp-clearly-below-npnas", "npnas", 0.06, 1, REPRODUCED),
        ("fig4-nasbench201-test-goal_mlp-clearly-below-npnas", "npnas", 1, 0.06, FAILED),
    ],
)
def test_significance_is_a_corrected_p_value(tmp_path, name, method, p, opposite, status):
    row = {"benchmark": "nasbench201", "metric": "test error", "method": method, "n": 50}
    row |= {"seconds": 28000, "beaten_by_goal": p, "beaten_by_goal_mlp": p / 2}
    row |= {"beats_goal": opposite, "beats_goal_mlp": opposite / 2 if opposite < 1 else 1}
    assert goals_claim(name, tmp_path, "goal/search_table", [row]) == status


def test_columns_of_the_tests_are_those_of_the_table(inputs_of, tmp_path):
    """A wrong name would leave the claims unchecked for ever."""
    make(inputs_of("goal/search_table"), tmp_path)
    tables = Tables(tmp_path, ["goal/search_table"])
    claims = [claim for claim in read("goal") if "goal/search_table" in str(claim.check)]
    assert len(claims) > 30
    for claim in claims:
        assert not check("goal", claim, tables).missing.startswith("the column"), claim.id


def test_goal_outperforms_every_rival_of_the_paper_or_not():
    rivals = ("random_search", "regularized_evolution", "reinforce", "bohb", "smac")
    wanted = {
        f"outperforms-{benchmark}-{m}-{rival}"
        for benchmark, others in (("nasbench101", (*rivals, "alphax")), ("nasbench201", rivals))
        for m in ("valid", "test")
        for rival in others
    }
    assert wanted == {c.id for c in read("goal") if c.id.startswith("outperforms")}


@pytest.mark.parametrize(
    ("advantage", "se", "status"),
    [(-0.2, 0.01, FAILED), (0.1, 0.01, REPRODUCED), (0.1, 0.03, UNDECIDED)],
)
def test_a_smaller_disadvantage_is_no_advantage(tmp_path, advantage, se, status):
    about = {"metric": "test error", "n": 50, "emulated": None, "se": se}
    rows = [
        {**about, "benchmark": name, "seconds": end, "method": method, "mean": mean}
        for name, end, gain in (
            ("nasbench101", 500000, advantage + 0.1),
            ("nasbench201", 28000, advantage),
        )
        for method, mean in (("goal", 6.0), ("smac", 6.0 + gain))
    ]
    assert goals_claim("fig4-test-advantage-larger-on-101", tmp_path, "goal/fig4", rows) == status


@pytest.mark.parametrize(
    ("origin", "few_steps"),
    [("the worst quarter of the initial pool", REPRODUCED), ("the initial pool (no ...)", FAILED)],
)
def test_the_case_of_figure_7_starts_badly_and_is_judged_in_all_steps(tmp_path, origin, few_steps):
    about = {"origin": origin, "n": 50}
    rows = [
        {**about, "step": 3, "vertices": 7, "C1": 1, "MP": 2},
        {**about, "step": 70, "vertices": 5, "C1": 0, "MP": 1},
        {**about, "step": 90, "vertices": 5, "C1": 0, "MP": 0},
    ]
    for name, status in (
        ("fig7-few-steps", few_steps),
        # The first cell that GOAL selected has a pooling, and is no larger than the last.
        ("fig7-only-conv3x3", FAILED),
        ("fig7-shrinks", FAILED),
    ):
        assert goals_claim(name, tmp_path, "goal/fig7", rows) == status
    rows[1] |= {"vertices": 6, "MP": 0}
    for name in ("fig7-only-conv3x3", "fig7-shrinks"):
        assert goals_claim(name, tmp_path, "goal/fig7", rows) == REPRODUCED


def test_command_line(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(toy)
    arguments = ["claims", "--config", "config/toy.yaml", "--results", str(tmp_path)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert re.search(
        r"^not run +goal/fig3-gnn-above-mlp-128: needs the result goal/fig3$", out, re.M
    )
    assert main([*arguments, "--out", str(tmp_path / "o")]) == 0
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["claims.csv", "claims.md"]
    first = (tmp_path / "o/claims.md").read_bytes()
    assert main([*arguments, "--out", str(tmp_path / "o")]) == 0
    assert (tmp_path / "o/claims.md").read_bytes() == first
    assert main(["claims", "--config", "config/none.yaml"]) == 2


def test_command_line_without_a_scale_file(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(toy)
    place = ["--results", str(tmp_path), "--out"]
    assert main(["claims", "--config", "config/toy.yaml", *place, str(tmp_path / "a")]) == 0
    scale = scales.load(Path("config/toy.yaml"))
    words = ["--scale", scale.scale, "--papers", *scale.papers, "--have", *results(scale)]
    monkeypatch.chdir(tmp_path)
    assert main(["claims", *words, *place, str(tmp_path / "b")]) == 0
    for name in ("claims.csv", "claims.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    capsys.readouterr()
    assert main(["claims", *words]) == 2
    assert "belong together: give all" in capsys.readouterr().err
    assert main(["claims", "--scale", "s", "--papers", "gaol", "--have", "x", *place, "o"]) == 2
    assert "unknown paper 'gaol' (did you mean 'goal'?)" in capsys.readouterr().err
    words = ["claims", "--scale", "s", "--papers", "goal", "--have"]
    assert main([*words, "goal/fig0", *place, "o"]) == 2
    assert "unknown result 'goal/fig0'" in capsys.readouterr().err
    assert main([*words, "goal/fig2", "--results", "nowhere"]) == 2
    assert "--results nowhere: no such folder" in capsys.readouterr().err


# The page that describes all this.

PAGE = (Path(__file__).parents[2] / "docs/claims.md").read_text()


def block(language):
    return re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1]


def test_the_claim_of_the_page_is_valid(tmp_path):
    names = [claim.id for claim in write(tmp_path, block("yaml"))()]
    assert names == [f"fig4-201-{m}-goal-below-random-search" for m in ("valid", "test")]


def test_the_figure_of_the_page_is_made(inputs_of, tmp_path, monkeypatch):
    module = ModuleType("dagnas.papers.goal.fig9")
    exec(block("python"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(papers.PAPERS, "goal", (*papers.PAPERS["goal"], "fig9"))
    csv, *_, caption = make(inputs_of("goal/fig9"), tmp_path)
    assert list(pd.read_csv(csv)["method"]) == ["random_search", "npnas", "goal_mlp", "goal"]
    assert "for 4 methods." in caption.read_text()
