"""Results: declared, found, made; the same bytes each time, and all files or none."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.papers.goal import fig4
from dagnas.papers.inputs import Inputs, note
from dagnas.papers.make import make
from dagnas.papers.panels import budget_words, counted, number, plural
from dagnas.papers.result import all_results, artifacts, find, methods_of, results
from dagnas.pipeline import scales

ROOT = Path(__file__).parents[2]
BONAS = ["choices", "fig3", "fig4", "fig5", "samplers", "table1", "table2", "transfer"]
GOAL = ["ablation", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "noise", "search_table"]
#: Results of GOAL on shared weights.
SHARED = ["darts214", "fig8", "sharing", "table1", "table2"]
#: Results of BONAS on trainings.
TRAINED = ["fig8", "hours", "short_trainings", "table3", "table4", "table5"]
NAMES = [
    *sorted(f"bonas/{name}" for name in [*BONAS, *TRAINED]),
    *("digits201/quality", "digits201/relation"),
    *sorted(f"goal/{name}" for name in [*GOAL, *SHARED]),
    *(f"graph_search_space/fig{number}" for number in range(2, 7)),
    "graph_search_space/fig6_digits",
    *(f"hardware/{name}" for name in ("constrained", "front", "hypervolume")),
    *(f"leaderboard/{name}" for name in ("best", "evaluations", "published", "rank", "speed")),
    *(
        f"nago/{name}"
        for name in ("fig1", "fig2", "pareto", "search", "similar", "space", "table1")
    ),
    *(f"ngae/{name}" for name in ("fig3", "fig4", "fig5", "table1")),
]
KINDS = ["csv", "svg", "png", "md"]
#: Figure 2 opens the table of NAS-Bench-101, which the made-up scale has not.
TOY = [f"goal/{name}" for name in ("fig3", "fig4", "fig5", "fig6", "fig7", "search_table")]


def only201(toy, tmp_path):
    path = tmp_path / "toy.yaml"
    lines = (toy / "config/toy.yaml").read_text().splitlines()
    others = ("nasbench101", "digits201")
    path.write_text("\n".join(line for line in lines if not any(o in line for o in others)))
    return scales.load(path)


def test_every_module_of_a_paper_is_a_result():
    found = all_results()
    assert sorted(found) == NAMES
    assert found["goal/fig4"].place == "Figure 4"
    assert found["goal/fig4"].module == "dagnas.papers.goal.fig4"


def test_declarations_are_read_without_pandas_or_matplotlib():
    import subprocess
    import sys

    code = (
        "import sys; from dagnas.papers.result import all_results; all_results();"
        "print({'matplotlib', 'pandas', 'torch'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_a_scale_has_the_results_that_it_has_inputs_for(scale):
    found = results(scale)
    assert "goal/ablation" not in found
    assert found["goal/fig4"].missing == ()
    assert found["goal/fig4"].names("studies") == (
        "goal_nasbench101",
        "goal_nasbench201",
        "goal_digits201",
    )


def test_a_scale_without_an_optional_input_shows_the_rest_and_says_so(toy, tmp_path):
    scale = only201(toy, tmp_path)
    found = results(scale)
    assert "goal/fig7" not in found
    assert found["goal/fig4"].names("studies") == ("goal_nasbench201",)
    assert found["goal/fig4"].missing == ("goal_nasbench101", "goal_digits201", "digits201")
    assert found["goal/fig2"].benchmarks == ("nasbench201",)
    make(Inputs(scale, found["goal/fig4"], toy), tmp_path)
    text = (tmp_path / "goal/fig4.md").read_text()
    # A study that lacks is named, not its benchmark as well.
    assert "The scale toy lacks goal_nasbench101, goal_digits201. Scale" in text
    assert note(scale, found["goal/fig2"]) == (
        "The scale toy lacks nasbench101, digits201. Scale: toy."
    )


def test_the_shipped_benchmark_alone_gives_all_but_what_needs_others(only_digits):
    found = results(scales.load(only_digits / "config/digits.yaml"))
    shown = ["fig2", "fig3", "fig4", "fig5", "fig6", "search_table"]
    assert sorted(found) == ["digits201/quality", *(f"goal/{name}" for name in shown)]
    assert found["goal/fig4"].benchmarks == ("digits201",)


def test_unknown_and_unavailable_results_are_told_apart(toy, tmp_path):
    known = results(only201(toy, tmp_path))
    with pytest.raises(DagnasError, match=r"unknown result 'goal/fig44'.*did you mean 'goal/fig4'"):
        find("goal/fig44", known)
    with pytest.raises(DagnasError, match="lacks the inputs of goal/fig7: goal_nasbench101"):
        find("goal/fig7", known)


@pytest.mark.parametrize("name", TOY)
def test_results_are_whole_and_repeat_byte_for_byte(name, inputs_of, tmp_path):
    first = make(inputs_of(name), tmp_path / "a")
    second = make(inputs_of(name), tmp_path / "b")
    assert [path.suffix[1:] for path in first] == KINDS
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size > 100
    svg, png = first[1].read_bytes(), first[2].read_bytes()
    assert b"<dc:date>" not in svg
    assert b"Software" not in png
    assert len(pd.read_csv(first[0])) > 0


@pytest.mark.parametrize("name", ["goal/fig4", "goal/fig5", "goal/fig7"])
def test_emulated_data_are_marked_in_table_caption_and_figure(name, inputs_of, tmp_path):
    inputs = inputs_of(name)
    csv, _, _, md = make(inputs, tmp_path)
    assert "**Emulated**" in md.read_text()
    marks = pd.read_csv(csv, keep_default_na=False)
    if "benchmark" in marks:
        marks = marks[marks["benchmark"] == "nasbench101"]
    assert (marks["emulated"] != "").all()

    from dagnas.papers.result import load

    module = load(inputs.result)
    figure = module.draw(module.tabulate(inputs))
    texts = [*figure.texts, *(text for ax in figure.axes for text in ax.texts)]
    assert any(text.get_text().startswith("EMULATED: ") for text in texts)


def test_real_data_are_not_marked(toy, tmp_path):
    inputs = Inputs(only201(toy, tmp_path), results(only201(toy, tmp_path))["goal/fig4"], toy)
    *_, md = make(inputs, tmp_path)
    assert "**Emulated**" not in md.read_text()


def test_nothing_is_left_if_drawing_fails(inputs_of, tmp_path, monkeypatch):
    import dagnas.drawing.style as style

    def fail(figure, path, kind):
        if kind == "png":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(style, "save", fail)
    with pytest.raises(DagnasError, match="No space left on device"):
        make(inputs_of("goal/fig3"), tmp_path)
    # The table is whole before anything is drawn.
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["fig3.csv"]


def test_a_result_may_only_read_what_it_declares(inputs_of):
    with pytest.raises(DagnasError, match="unknown name in studies declared by goal/fig7"):
        inputs_of("goal/fig7").traces("goal_nasbench201")
    with pytest.raises(DagnasError, match="unknown name in benchmarks declared by goal/fig3"):
        inputs_of("goal/fig3").benchmark("nasbench201")


def test_traces_hold_all_methods_in_the_order_of_the_study(inputs_of, scale):
    traces = inputs_of("goal/fig4").traces("goal_nasbench201")
    assert list(traces["method"].unique()) == scale.section("studies")["goal_nasbench201"].methods
    assert traces.groupby("method")["trial"].unique().map(list).tolist() == [[0, 1, 2]] * 4


@pytest.mark.parametrize(
    ("name", "methods"),
    [
        ("goal/fig4", set(fig4.METHODS)),
        ("goal/fig5", set(fig4.METHODS)),
        ("goal/fig7", {"goal"}),
        ("goal/fig8", {"goal"}),
        ("bonas/fig8", {"bonas"}),
        ("bonas/table4", {"bonas"}),
        ("bonas/samplers", {"bonas", "bonas_rl", "bonas_random"}),
        ("graph_search_space/fig3", set()),
        ("graph_search_space/fig5", set()),
    ],
)
def test_a_result_asks_for_the_searches_that_it_shows(name, methods):
    paper = scales.load(ROOT / "config/paper.yaml")
    found = artifacts(paper, results(paper)[name])
    assert {item.split("/")[1] for kind, item in found if kind.name == "search"} == methods


def test_a_study_without_the_methods_of_a_figure_is_shown_as_it_is(scale):
    figure = replace(results(scale)["goal/fig4"], methods=("bananas",))
    listed = ["random_search", "npnas", "goal_mlp", "goal"]
    assert methods_of(scale, figure, "goal_nasbench201") == listed


@pytest.mark.parametrize("name", [name for name in TOY if name not in ("goal/fig3", "goal/fig6")])
def test_a_result_reads_no_other_traces_than_it_asks_for(name, toy, scale, tmp_path, monkeypatch):
    result = results(scale)[name]
    for kind, item in artifacts(scale, result):
        path = kind.path(scale, item)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(toy / path, tmp_path / path)
    monkeypatch.setenv("DAGNAS_DATA", str(toy / "data"))
    csv = make(Inputs(scale, result, tmp_path), tmp_path / "some")[0]
    assert csv.read_bytes() == make(Inputs(scale, result, toy), tmp_path / "all")[0].read_bytes()


def test_a_result_of_no_traces_cannot_read_any(scale):
    figure = replace(results(scale)["goal/fig7"], traces=False)
    with pytest.raises(DagnasError, match="goal/fig7 declares that it reads no traces"):
        Inputs(scale, figure).traces("goal_nasbench101")


def test_a_missing_trace_is_named(toy, scale, tmp_path):
    inputs = Inputs(scale, results(scale)["goal/fig7"], tmp_path)
    with pytest.raises(DagnasError, match=r"no such file: .*goal_nasbench101/goal/0000"):
        inputs.traces("goal_nasbench101")


def test_command_line(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(toy)
    monkeypatch.delenv("DAGNAS_DATA", raising=False)
    arguments = ["--config", "config/toy.yaml", "--out", str(tmp_path)]
    assert main(["result", "goal/fig3", *arguments]) == 0
    assert [line.rsplit(".", 1)[1] for line in capsys.readouterr().out.split()] == KINDS
    assert main(["result", "goal/fig9", *arguments]) == 2
    assert "goal/ablation, goal/darts214, goal/fig2" in capsys.readouterr().err
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["result", "goal/fig3", "--config", "config/toy.yaml", "--out", str(blocked)]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_numbers_of_things_are_in_words():
    assert counted(pd.Series([1, 1]), "trial") == "1 trial"
    assert counted(pd.Series([50, 50]), "trial") == "50 trials"
    assert counted(pd.Series([1, 3]), "trial") == "1 to 3 trials"
    assert (plural(1, "method"), plural(0, "method")) == ("1 method", "0 methods")
    # Ticks have a zero with a sign, and one beside zero.
    assert [number(x) for x in (-0.0, -1e-17, 28000.0, 0.5, -2)] == [
        "0",
        "0",
        "28,000",
        "0.5",
        "-2",
    ]


def test_a_budget_is_in_what_it_was_given_in(toy, scale, tmp_path):
    rows = pd.DataFrame({"n": [1]})
    assert budget_words(rows, 28000.0) == "28,000 s"
    assert budget_words(rows.assign(evaluations=float("nan")), 28000.0) == "28,000 s"
    assert budget_words(rows.assign(evaluations=60.0), 811.6543) == "60 evaluations (812 s at most)"
    # As the metadata of traces say it.
    inputs = Inputs(scale, results(scale)["goal/fig7"], tmp_path)
    path = tmp_path / inputs._jobs("goal_nasbench101")[0][1].relative_to(tmp_path)
    for seconds, evaluations, found in (
        ("9.0", "null", None),
        ("9.0", "5", None),
        ("null", "5", 5),
    ):
        about = {"dagnas.budget_seconds": seconds, "dagnas.budget_evaluations": evaluations}
        write_parquet(pa.table({"trial": [0]}), path, about)
        assert inputs.evaluations("goal_nasbench101") == found
