"""Plug-ins from a named module and from an entry point: the tutorial pages themselves are run."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dagnas import plugins, run
from dagnas import registry as registries
from dagnas.cli import main
from dagnas.closure import closure, digest
from dagnas.errors import DagnasError
from dagnas.pipeline import scales
from dagnas.registry import Registry
from dagnas.search import METHODS
from dagnas.search.method import Method

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial_plugin.md", DOCS / "tutorial_decisions.md"]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the modules of the tutorials; registries and imports as before, afterwards."""
    text = "".join(page.read_text() for page in PAGES)
    for name, code in re.findall(r"```python\n# (\w+)\.py\n(.*?)```", text, re.DOTALL):
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    for registry in plugins.REGISTRIES:
        monkeypatch.setattr(registry, "_added", dict(registry._added))
    yield tmp_path
    for name in set(sys.modules) - known:
        if any(tmp_path.rglob(f"{name}.py")):
            del sys.modules[name]


def test_a_method_of_the_tutorial(workplace, data, capsys):
    assert main(["list", "methods", "--plugin", "my_method"]) == 0
    assert "local_search  starts=4" in capsys.readouterr().out.splitlines()
    command = ["search", "--plugin", "my_method", "--benchmark", "nasbench201"]
    command += ["--method", "local_search", "--set", "starts=8", "--trials", "0:2"]
    command += ["--budget-evaluations", "60", "--data", str(data), "--out", "out.parquet"]
    assert main(command) == 0
    trace = pq.read_table("out.parquet").to_pandas()
    assert trace.groupby("trial").size().tolist() == [60, 60]
    first = trace[trace["trial"] == 0]
    # The second batch are the neighbours of the best of the first eight: 6 edges x 4 others.
    assert first["signal"][8:32].max() > first["signal"][:8].max()


def test_a_space_of_decisions_of_the_tutorial(workplace, capsys):
    command = ["search", "--plugin", "my_layers", "--benchmark", "my_layers", "--policy", "reward"]
    command += ["--method", "controller_reinforce", "--set", "lr=0.01", "--trials", "0:3"]
    assert main([*command, "--budget-evaluations", "40", "--out", "layers.parquet"]) == 0
    trace = pq.read_table("layers.parquet").to_pandas()
    assert trace.groupby("trial").size().tolist() == [40, 40, 40]
    assert trace["signal"].between(0, 1).all()
    assert trace["cell"].str.endswith(" > no").all()
    assert main([*command, "--budget-seconds", "9", "--out", "layers.parquet"]) == 2
    assert "not budget_seconds" in capsys.readouterr().err
    (script,) = re.findall(r"In Python:\n\n```python\n(.*?)```", PAGES[1].read_text(), re.DOTALL)
    sys.path.insert(0, str(workplace))
    exec(script.replace("300", "20"), found := {})
    for name in ("pqt", "random"):
        assert found[name].groupby("trial").size().tolist() == [20] * 10
    assert (workplace / "layers.svg").exists()


def test_a_space_and_a_benchmark_of_the_tutorial(workplace, capsys):
    assert main(["list", "benchmarks", "--plugin", "my_benchmark"]) == 0
    assert "chain_benchmark" in capsys.readouterr().out.splitlines()
    command = ["search", "--plugin", "my_benchmark", "--benchmark", "chain_benchmark"]
    command += ["--method", "goal", "--set", "initial=10", "--set", "epochs=3"]
    assert main([*command, "--trials", "0:1", "--out", "chain.parquet"]) == 0
    trace = pq.read_table("chain.parquet").to_pandas()
    assert len(trace) == 60
    assert not trace["code"].duplicated().any()
    assert set(trace["emulated"]) == {"signal seconds valid test"}


def test_a_method_ends_where_its_space_is_spent(workplace):
    command = ["search", "--plugin", "my_benchmark", "--benchmark", "chain_benchmark"]
    command += ["--method", "goal", "--set", "epochs=1", "--set", "proposals=200"]
    command += ["--set", "predictor=mlp", "--budget-evaluations", "5000"]
    assert main([*command, "--trials", "0:1", "--out", "chain.parquet"]) == 0
    assert pq.read_table("chain.parquet").num_rows == 3**6


def test_an_entry_point_is_found_by_its_name(monkeypatch):
    point = metadata.EntryPoint("elsewhere", "dagnas.search.methods.goal:goal", "dagnas.search")
    wrong = metadata.EntryPoint("wrong", "dagnas.errors:unknown", "dagnas.search")
    points = metadata.EntryPoints([point, wrong])
    monkeypatch.setattr(registries, "_installed", lambda: points)
    methods: Registry[Method] = Registry(
        "method", "dagnas.search", "dagnas.search.method:Method", {}
    )
    assert "elsewhere" in methods.names()
    assert methods.get("elsewhere") is METHODS.get("goal")
    assert methods.module("elsewhere") == "dagnas.search.methods.goal"
    with pytest.raises(DagnasError, match=r"method 'wrong' is .* not a Method"):
        methods.get("wrong")


def test_faults_of_plugins(workplace):
    (workplace / "broken.py").write_text("1 / 0")
    (workplace / "empty.py").write_text("from dagnas.search.methods.goal import goal")
    (workplace / "taken.py").write_text(
        "from dagnas import method\n@method()\ndef goal(space, rng):\n    yield"
    )
    for module, message in {
        "absent": "cannot import the plug-in module 'absent': ModuleNotFoundError",
        "broken": "cannot import the plug-in module 'broken': ZeroDivisionError",
        "empty": "'empty' defines no space, benchmark, predictor, method",
        "taken": "the method 'goal' exists already",
    }.items():
        with pytest.raises(DagnasError, match=message):
            plugins.load([module])


@pytest.mark.parametrize(
    ("kind", "code"),
    {
        "method": "@dagnas.method()\ndef bare(space, rng, *, step: float):\n    yield",
        "predictor": "@dagnas.predictor\ndef bare(space, *, step: float):\n    return None",
    }.items(),
)
def test_a_setting_without_default_is_told_by_all_that_load_it(kind, code, workplace, capsys):
    (workplace / "bare.py").write_text(f"import dagnas\n{code}\n")
    told = f"setting step of the {kind} 'bare' of bare has no default: give it one"
    search = "search --benchmark digits201 --method bare --set step=1 --trials 0:1 --out a.parquet"
    for words in ("list methods", f"{search} --budget-evaluations 2"):
        assert main([*words.split(), "--plugin", "bare.py"]) == 2
        assert told in capsys.readouterr().err
    with pytest.raises(DagnasError, match=f"mine.yaml: plugins: {told}"):
        scales.parse({"scale": "mine", "plugins": ["bare"], "studies": {}}, "mine.yaml")


@pytest.mark.parametrize(
    ("code", "told"),
    {
        "@method\ndef bare(space, rng):\n    yield": r"takes 0 positional .*; write @method\(\)",
        "@method()\nclass bare:\n    pass": "the method 'bare' of bare is no function but <class",
        "@method()\ndef bare(space, rng, k: int = 3):\n    yield": (
            r"setting k of the method 'bare' of bare is positional: .* \(..., \*, k: int = 3\)"
        ),
        "@method()\ndef bare(space, rng, *, k: int = 'abc'):\n    yield": (
            "setting k='abc' of method 'bare': Input should be a valid integer"
        ),
    }.items(),
)
def test_methods_that_cannot_be_called_or_set_are_refused(code, told, workplace, capsys):
    (workplace / "bare.py").write_text(f"from dagnas import method\n{code}\n")
    assert main(["list", "methods", "--plugin", "bare.py"]) == 2
    assert re.search(told, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("    policies =", "    others ="), "policies, a mapping"),
        ((r"policies = {.*}\n", "policies = {}\n"), "policies, a mapping"),
        (("    space =", "    room ="), "space, a Space"),
        (("def digest", "def hash"), "digest, a function"),
        (('return "1"', "return 1"), "digest, a function that gives a text"),
        (("def emulated", "def made_up"), "emulated, a function"),
        (("def evaluate", "def weigh"), "evaluate, a function"),
        (("return ChainBenchmark", "ChainBenchmark"), "name, a text; it is None"),
        ((r"chain_benchmark\(data\)", "chain_benchmark()"), "its function has one argument"),
    ],
)
def test_benchmarks_that_lack_something_are_refused(change, told, workplace, capsys):
    wrong, number = re.subn(*change, (workplace / "my_benchmark.py").read_text(), count=1)
    assert number == 1
    (workplace / "wrong.py").write_text(wrong)
    words = "search --plugin wrong --benchmark chain_benchmark --method random_search --trials 0:1"
    for policy in ([], ["--policy", "goal"]):
        assert main([*words.split(), *policy, "--out", "a.parquet"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("dagnas: the benchmark 'chain_benchmark' of wrong")
        assert told in error
    assert not Path("a.parquet").exists()


def test_an_object_that_is_no_benchmark_is_refused_in_python():
    with pytest.raises(DagnasError, match="the benchmark lacks name, a text; it is None"):
        run("random_search", None)


def test_a_file_is_taken_for_the_module_that_it_is(workplace, capsys):
    folder = workplace / "a folder"
    folder.mkdir()
    (workplace / "my_method.py").rename(folder / "climber.py")
    (folder / "beside.py").write_text("STARTS = 8\n")
    text = (folder / "climber.py").read_text()
    (folder / "climber.py").write_text(f"import beside\n{text}")
    assert main(["list", "methods", "--plugin", "a folder/climber.py"]) == 0
    assert "local_search  starts=4" in capsys.readouterr().out.splitlines()
    assert METHODS.module("local_search") == "climber"
    # Both are code of its searches.
    assert {"climber", "beside"} <= set(closure(["climber"]))
    search = ["search", "--benchmark", "digits201", "--method", "local_search", "--trials", "0:1"]
    search += ["--budget-evaluations", "9", f"--plugin={folder / 'climber.py'}"]
    assert main([*search, "--out", "out.parquet"]) == 0
    assert pq.read_table("out.parquet").num_rows == 9


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.py", "no such file; expected a module, such as my_method, or its file"),
        ("folder/my_method", "no such file; expected a module"),
        ("..", "no such file"),
        ("my method.py", "'my method' is no name of a module"),
        ("my.method.py", "'my.method' is no name of a module"),
        ("__init__.py", "'__init__' is no name of a module"),
        ("json.py", "another module is called 'json'"),
        ("sys.py", "another module is called 'sys'"),
        ("numpy.py", "another module is called 'numpy'"),
        ("dagnas.py", "another module is called 'dagnas'"),
        ("my_method.py", "another module is called 'my_method'"),
    ],
)
def test_names_of_files_that_cannot_be_modules(name, message, workplace, capsys):
    folder = workplace / "folder"
    folder.mkdir()
    path = folder / name
    if name.endswith(".py") and name != "absent.py":
        path.write_text("raise SystemExit('it ran')")
    assert main(["list", "methods", "--plugin", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_plugin_belongs_to_the_searches_that_run_it(workplace):
    """Of a scale that names one the other searches stay as they are (docs/leaderboard.md)."""
    scale = """
scale: s
trials: 1
studies: {goal_digits201: {benchmark: digits201, methods: [random_search, METHOD]}}
papers: []
"""
    (workplace / "plain.yaml").write_text(scale.replace("METHOD", "goal"))
    named = scale.replace("METHOD", "local_search") + "plugins: [my_method]\n"
    (workplace / "named.yaml").write_text(named)
    plain, more = (
        scales.load(name).jobs("search")["goal_digits201/random_search/0000-0001"]
        for name in ("plain.yaml", "named.yaml")
    )
    assert plain.arguments() == more.arguments()
    assert digest(plain.roots()) == digest(more.roots())
    own = scales.load("named.yaml").jobs("search")["goal_digits201/local_search/0000-0001"]
    assert own.plugin == ["my_method"]
