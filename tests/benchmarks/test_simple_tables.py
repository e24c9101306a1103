"""Tables of one's own: their check, the benchmarks they are, and parts of built tables."""

import csv
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dagnas
from dagnas import plugins
from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.simple import open_simple, simple_entry
from dagnas.cli import main
from dagnas.closure import digest
from dagnas.errors import DagnasError
from dagnas.pipeline import scales
from dagnas.spaces import SPACES
from dagnas.spaces.nasbench201 import nasbench201 as space
from dagnas.tables.simple import SimpleTable
from dagnas.testing import benchmark_checks

DESCRIBED = """
table: own_cells.csv
space: nasbench201
architecture: cell
signal: {column: acc, unit: fraction}
test: {column: err, better: lower}
seconds: {column: minutes, unit: min}
costs:
  size: {column: params, unit: M}
budget_evaluations: 30
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Empty working folder; registries are as before, afterwards."""
    monkeypatch.chdir(tmp_path)
    for registry in plugins.REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
    return tmp_path


@pytest.fixture(scope="module")
def known():
    """Numbers of some cells of digits201."""
    frame = dagnas.frame(dagnas.open("digits201"), "bonas")
    return frame.sample(300, random_state=0).reset_index(drop=True)


def rows_of(known):
    return [
        {
            "cell": row.cell,
            "acc": row.valid / 100,
            "err": 100 - row.test,
            "minutes": row.seconds / 60,
            "params": row.parameters / 1e6,
        }
        for row in known.itertuples()
    ]


def write(folder, rows, described=DESCRIBED, name="own_cells"):
    with (folder / f"{name}.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    path = folder / f"{name}.yaml"
    path.write_text(described)
    return path


def test_numbers_are_in_percent_and_seconds(folder, known):
    bench = open_simple(write(folder, rows_of(known)))
    assert bench.name == "own_cells"
    cells = space.from_str(known["cell"].tolist())
    found = bench.evaluate(cells, bench.policies["goal"], np.random.default_rng(0))
    np.testing.assert_allclose(found.signal, known["valid"])
    np.testing.assert_allclose(found.valid, known["valid"])
    np.testing.assert_allclose(found.test, known["test"])
    np.testing.assert_allclose(found.seconds, known["seconds"])
    np.testing.assert_allclose(found.costs["size"], known["parameters"] / 1e6)
    assert bench.query(known["cell"][5], "goal")["size"] == known["parameters"][5] / 1e6


def test_parquet_is_read_as_csv_is(folder, known):
    path = write(folder, rows_of(known))
    same = folder / "other.yaml"
    pq.write_table(pa.Table.from_pylist(rows_of(known)), folder / "own_cells.parquet")
    same.write_text(DESCRIBED.replace(".csv", ".parquet"))
    one, other = SimpleTable(path), SimpleTable(same)
    assert one.texts == other.texts
    for name in ("signal", "test", "seconds"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))
    assert other.place(0) == "row 0"


def test_what_is_left_out_is_the_signal_and_a_second(folder, known):
    described = "table: own_cells.csv\nspace: nasbench201\narchitecture: cell\nsignal: err\n"
    bench = open_simple(write(folder, rows_of(known), described))
    cells = bench.space.sample(9, np.random.default_rng(0))
    found = bench.evaluate(cells, bench.policies["goal"], np.random.default_rng(0))
    assert (found.seconds == 1).all()
    assert (found.test == found.signal).all()
    assert "an evaluation counts as one second" in bench.policies["goal"].note


def test_contract_of_the_benchmark(folder, known):
    for check in benchmark_checks(open_simple(write(folder, rows_of(known)))):
        check()


# The check


def test_check_table_tells_all_that_is_wrong(folder, known, capsys):
    rows = rows_of(known)
    cell = rows[3]["cell"]
    rows[3]["cell"] = "|skip~0|"
    rows[5]["cell"] = rows[1]["cell"]
    rows[7]["acc"] = ""
    rows[8]["minutes"] = "soon"
    rows[9]["err"] = 130
    rows[10]["minutes"] = 0
    rows[11]["params"] = -1
    path = write(folder, rows)
    assert main(["check-table", str(path)]) == 1
    out = capsys.readouterr().out
    assert "300 rows" in out
    assert "invalid architectures: 1\n  line 5: '|skip~0|' is no nasbench201 cell: expected" in out
    assert "duplicates: 1\n  line 7: the cell of line 3\n" in out
    assert "missing or wrong numbers: 5\n  line 9: acc is missing\n" in out
    assert "  line 10: minutes is 'soon', no number\n" in out
    assert "  line 11: err is 130; test goes from 0 to 100 as its unit is percent\n" in out
    assert "  line 12: minutes is 0; seconds are positive\n" in out
    assert "  line 13: params is -1; the cost size is finite and not negative\n" in out
    assert "coverage: 298 of 15,625 cells (1.91%)\n" in out
    with pytest.raises(DagnasError, match=r"line 5: architecture: .*check-table.*tells all"):
        open_simple(path)
    rows[3]["cell"] = cell
    with pytest.raises(DagnasError, match="line 7: duplicate: the cell of line 3"):
        open_simple(write(folder, rows))


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_fractions_that_are_said_to_be_percent(folder, known, capsys, better):
    fault = f"{{column: acc, unit: percent, better: {better}}}"
    described = DESCRIBED.replace("{column: acc, unit: fraction}", fault)
    assert main(["check-table", str(write(folder, rows_of(known), described))]) == 1
    assert "  acc: signal is 1 % at most in every row; if these" in capsys.readouterr().out


def test_a_description_has_the_name_that_a_plug_in_needs(folder, known, capsys):
    path = write(folder, rows_of(known)).rename(folder / "own_cells.yml")
    assert main(["check-table", str(path)]) == 2
    assert "a file whose name ends in .yaml" in capsys.readouterr().err


def test_check_table_of_a_good_one(folder, known, capsys):
    path = write(folder, rows_of(known))
    assert main(["check-table", str(path)]) == 0
    out = capsys.readouterr().out
    best = int(known["valid"].argmax())
    assert f"best: line {best + 2}: {known['cell'][best]} (signal " in out
    assert "it is a benchmark: --plugin" in out
    assert out.count(": none\n") == 3


def test_isomorphic_cells_are_duplicates_where_rows_stand_for_classes(folder, known, capsys):
    rows = rows_of(known)
    cells = space.from_str(known["cell"].tolist())
    classes = len(np.unique(space.canonical(cells)))
    path = write(folder, rows, f"{DESCRIBED}by_class: true\n")
    assert main(["check-table", str(path)]) == (classes < len(rows))
    out = capsys.readouterr().out
    assert f"coverage: {classes} of 6,466 classes" in out
    assert f"duplicates: {len(rows) - classes or 'none'}\n" in out


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("table: own_cells.csv\nspace: nasbench201\n", "it lacks architecture, signal"),
        ("table: other.csv\n", "there is no file"),
        ("table: own_cells.yaml\n", "neither a .csv nor a .parquet file"),
        (DESCRIBED.replace("fraction", "promille"), "signal.unit: .*'percent' or 'fraction'"),
        (DESCRIBED.replace("nasbench201", "nasbench202"), "nasbench202.*nasbench201"),
        (DESCRIBED.replace("space: nasbench201", "space: nago"), "a table is of cells"),
        (
            DESCRIBED.replace("column: acc", "column: accuracy"),
            "lacks the columns accuracy; it has",
        ),
        (DESCRIBED.replace("column: acc", "column: cell"), "cell is '.*, no number"),
        (f"{DESCRIBED}colour: red\n", "unknown argument 'colour'"),
        ("- a list\n", "a mapping of keys to values"),
    ],
)
def test_a_wrong_description_is_told(folder, known, described, message):
    path = write(folder, rows_of(known), described)
    with pytest.raises(DagnasError, match=message):
        open_simple(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cell,acc,err,minutes,params\n", "has no rows"),
        (b"\xff\xfe\x00", "is no CSV file"),
        (b"cell,acc,err,minutes,params\na,1,2,3,4,5\n", "line 2 has more values than"),
        (b"cell,acc,err,minutes,params,acc\n", "has the column acc more than once"),
    ],
)
def test_a_damaged_table_is_told(folder, known, content, message):
    path = write(folder, rows_of(known))
    (folder / "own_cells.csv").write_bytes(content)
    with pytest.raises(DagnasError, match=message):
        open_simple(path)


# Searches


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("random_search", {}),
        ("regularized_evolution", {"population": 10, "tournament": 3}),
        ("local_search_nas", {}),
        ("goal", {"initial": 10, "epochs": 2}),
        ("npnas", {"samples": 10}),
        ("bohb", {}),
        ("nsga2", {"population": 8}),
    ],
)
def test_methods_search_among_the_rows(folder, known, method, settings):
    bench = open_simple(write(folder, rows_of(known)))
    trace = dagnas.run(method, bench, trials=1, budget_evaluations=24, **settings)
    assert len(trace) == 24
    assert set(trace["cell"]) <= set(known["cell"])


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("reinforce", {}),
        ("smac", {"challengers": 50}),
        ("nao", {"initial": 8, "proposals": 4, "steps": 2}),
        ("alphax", {}),
        ("regularized_evolution", {"population": 5, "tournament": 2}),
        ("local_search_nas", {}),
    ],
)
def test_methods_search_a_few_cells_of_a_large_space(folder, method, settings, by_class):
    large = SPACES.get("nasbench101")
    classes = np.unique(large.canonical(large.sample(40, np.random.default_rng(0))))
    texts = large.to_str(large.unpack(classes))
    rows = [{"cell": text, "acc": 50 + number} for number, text in enumerate(texts)]
    described = "table: few.csv\nspace: nasbench101\narchitecture: cell\nsignal: acc\n"
    bench = open_simple(write(folder, rows, f"{described}by_class: {by_class}\n", "few"))
    trace = dagnas.run(method, bench, trials=1, budget_evaluations=15, **settings)
    found = large.from_str(trace["cell"].tolist())
    assert np.isin(large.canonical(found), classes).all()
    assert len(trace) == 15
    assert bench.space.is_valid(bench.space.neighbours(found[:1])).all()


def test_a_whole_table_is_searched_as_its_space_is(folder):
    whole = dagnas.frame(dagnas.open("digits201"), "bonas")
    bench = open_simple(write(folder, rows_of(whole)))
    assert type(bench.space) is type(space)
    trace = dagnas.run("random_search", bench, trials=1, budget_evaluations=40, study="same")
    other = dagnas.run("random_search", "digits201", trials=1, budget_evaluations=40, study="same")
    assert trace["cell"].tolist() == other["cell"].tolist()
    rows = dagnas.open("digits201").rows(space.from_str(trace["cell"].tolist()))
    np.testing.assert_allclose(trace["signal"], whole["valid"].to_numpy()[rows])


def test_commands_take_the_file_as_a_plugin(folder, known, capsys):
    write(folder, rows_of(known))
    search = ["search", "--plugin", "own_cells.yaml", "--benchmark", "own_cells"]
    search += ["--trials", "0:2", "--budget-evaluations", "20"]
    for method in ("random_search", "regularized_evolution"):
        assert main([*search, "--method", method, "--out", f"{method}.parquet"]) == 0
    assert main(["compare", "random_search.parquet", "regularized_evolution.parquet"]) == 0
    assert "on own_cells, policy goal" in capsys.readouterr().out
    assert main(["list", "benchmarks", "--plugin", "own_cells.yaml"]) == 0
    assert "\nown_cells\n" in capsys.readouterr().out
    limited = ["--method", "nsga2", "--objective", "size", "--constraint", "size<0.02"]
    assert main([*search, *limited, "--out", "nsga2.parquet"]) == 0
    trace = dagnas.read("nsga2.parquet")
    assert (trace["feasible"] == (trace["cost_size"] < 0.02)).all()
    wrong = [
        "search",
        "--plugin",
        "other.yaml",
        *search[3:],
        "--method",
        "goal",
        "--out",
        "a.parquet",
    ]
    assert main(wrong) == 2
    assert "--plugin other.yaml: no such file" in capsys.readouterr().err


def test_python_opens_the_file(folder, known):
    write(folder, rows_of(known))
    assert len(dagnas.open("own_cells.yaml")) == 300
    trace = dagnas.run("random_search", "own_cells.yaml", trials=1)
    assert len(trace) == 30
    assert trace["benchmark"].unique() == ["own_cells"]


SCALE = """
scale: own
trials: 3
trials_per_job: 3
plugins: [own_cells.yaml]
studies:
  goal_own_cells:
    benchmark: own_cells
    methods: [random_search, regularized_evolution, local_search_nas]
    settings: {population: 8, tournament: 3}
papers: [goal, leaderboard]
"""


def test_leaderboard_and_figure_4_without_python(folder, known):
    write(folder, rows_of(known))
    (folder / "scale.yaml").write_text(SCALE)
    scale = scales.load("scale.yaml")
    for name, job in scale.jobs("search").items():
        # As the pipeline calls it.
        words = [job.COMMAND, *job.arguments()]
        assert "own_cells.yaml" in words
        assert main([*words, "--out", f"results/own/traces/{name}.parquet"]) == 0
    for result in ("goal/fig4", "leaderboard/rank"):
        assert main(["result", result, "--config", "scale.yaml"]) == 0
    shown = {
        name: list(csv.DictReader((folder / f"results/own/{name}.csv").open()))
        for name in ("goal/fig4", "leaderboard/rank")
    }
    assert {row["benchmark"] for row in shown["goal/fig4"]} == {"own_cells"}
    own = [row for row in shown["leaderboard/rank"] if row["benchmark"] == "own_cells"]
    ends = {row["method"]: row for row in own if float(row["share"]) == 1}
    assert set(ends) == {"random_search", "regularized_evolution", "local_search_nas"}
    assert all(float(row["regret"]) >= 0 for row in ends.values())
    caption = (folder / "results/own/goal/fig4.md").read_text()
    assert "the search is among 300 cells of nasbench201" in caption


def test_files_are_inputs_of_the_pipeline_and_their_reader_is_its_code(folder, known):
    write(folder, rows_of(known))
    entry = simple_entry("own_cells.yaml")
    assert entry.tables == tuple(str(folder / f"own_cells.{kind}") for kind in ("yaml", "csv"))
    assert simple_entry("own_cells.yaml") is entry
    assert digest(["own_cells.yaml"]) == digest(["dagnas.benchmarks.simple"])
    before = open_simple(folder / "own_cells.yaml").digest()
    rows = rows_of(known)
    rows[0]["acc"] += 0.001
    assert open_simple(write(folder, rows)).digest() != before


def test_a_table_cannot_have_the_name_of_a_benchmark(folder, known, capsys):
    write(folder, rows_of(known), DESCRIBED.replace("own_cells", "digits201"), name="digits201")
    with pytest.raises(DagnasError, match="the benchmark 'digits201' exists already"):
        dagnas.open("digits201.yaml")
    # Where there is no fault but that, it is no benchmark either.
    assert main(["check-table", "digits201.yaml"]) == 2
    told = capsys.readouterr()
    assert "it is a benchmark" not in told.out
    assert "the benchmark 'digits201' exists already" in told.err


@pytest.mark.slow
def test_commands_of_the_tutorial_run(folder, capsys):
    """All blocks in their order: Python is run, YAML written, `dagnas` called; not Snakemake."""
    page = (Path(__file__).parents[2] / "docs/tutorial_table.md").read_text()
    called, names = [], {}
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if kind == "python":
            exec(block, names)
        elif kind == "yaml":
            (folder / block.splitlines()[0].removeprefix("# ")).write_text(block)
        for line in block.replace("\\\n", " ").splitlines() if kind == "console" else ():
            words = shlex.split(line.removeprefix("$ "))
            if words[0] == "dagnas":
                # A part of fewer cells than a reader would wait for.
                assert main([word.replace("0:32", "0:3") for word in words[1:]]) == 0, line
                called.append(words[1])
    assert {"check-table", "search", "compare", "build-table", "show"} == set(called)
    assert set(scales.load("own_scale.yaml").section("studies")) == {"goal_own_cells"}
    assert "of 3 of 6,466 cells that are trained" in capsys.readouterr().out


# Parts of built tables


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """Part of a table of one epoch on digits."""
    path = tmp_path_factory.mktemp("part") / "part.parquet"
    words = ["--images", "digits", "--set", "epochs=1", "--set", "seeds=1"]
    assert main(["build-table", *words, "--cells", "64:80", "--out", str(path)]) == 0
    return path, words


def test_a_part_of_a_built_table_is_a_benchmark(folder, part, capsys):
    path, words = part
    merge = ["build-table", *words, "--merge", str(path)]
    assert main([*merge, "--out", "half.parquet"]) == 2
    assert "the parts lack 6,450 of 6,466 cells" in capsys.readouterr().err
    assert main([*merge, "--partial", "--out", "half.parquet"]) == 0
    (folder / "half.yaml").write_text("table: half.parquet\n")
    assert main(["check-table", "half.yaml"]) == 0
    out = capsys.readouterr().out
    assert "of 16 of 6,466 cells that are trained" in out
    bench = open_simple(folder / "half.yaml")
    classes = space.representatives()[64:80]
    assert set(space.canonical(bench.cells)) == set(classes)
    assert f"among {len(bench):,} cells of nasbench201" in bench.policies["goal"].note
    search = ["search", "--plugin", "half.yaml", "--benchmark", "half", "--method"]
    search += ["regularized_evolution", "--set", "population=5", "--set", "tournament=2"]
    search += ["--trials", "0:1", "--budget-evaluations", "20", "--out", "half_search.parquet"]
    assert main(search) == 0
    trace = dagnas.read("half_search.parquet")
    assert np.isin(space.canonical(space.unpack(trace["code"].to_numpy())), classes).all()
    about = pq.read_schema("half_search.parquet").metadata
    assert "not all" in json.loads(about[b"dagnas.rules"])["note"]
    assert BENCHMARKS.added("half")
