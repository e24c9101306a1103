"""The names that `dagnas` offers: they come late, are typed, and do what the command line does."""

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import dagnas
import dagnas.api
from dagnas.cli import main
from dagnas.search.runner import TRACE

QUICK = ["--budget-evaluations", "20", "--trials", "0:2"]


def python(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_an_import_of_dagnas_imports_nothing_large():
    large = ("numpy", "torch", "pandas", "matplotlib", "pyarrow", "pydantic", "scipy", "numba")
    code = f"import sys, dagnas; print([m for m in {large} if m in sys.modules])"
    assert python(code) == "[]"


def test_names_of_authors_do_not_import_torch():
    names = ("method", "predictor", "benchmark", "Policy", "CellSpace", "DecisionSpace", "SPACES")
    code = (
        f"import sys, dagnas; [getattr(dagnas, n) for n in {names}]; print('torch' in sys.modules)"
    )
    assert python(code) == "False"


def test_every_name_is_there_and_its_own():
    for name in dagnas.__all__:
        assert getattr(dagnas, name) is not None
        assert name in dir(dagnas)
    for name, module in dagnas.__places__.items():
        found = getattr(dagnas, name)
        assert getattr(found, "__module__", module).startswith("dagnas.")
        assert found is getattr(sys.modules[module], name)
    assert dagnas.testing.__name__ == "dagnas.testing"
    with pytest.raises(AttributeError, match="'dagnas' has no attribute 'opne'"):
        _ = dagnas.opne


def test_type_checkers_see_the_same_names():
    (block,) = (n for n in ast.parse(Path(dagnas.__file__).read_text()).body if type(n) is ast.If)
    typed = {alias.asname: node.module for node in block.body for alias in node.names}
    assert typed == {**dagnas.__places__, "testing": "dagnas"}
    assert (Path(dagnas.__file__).parent / "py.typed").exists()


def test_the_builtin_open_is_left_alone():
    code = "import dagnas; dagnas.open; print(open.__module__)"
    assert python(code) in ("io", "_io")


def test_examples_in_docstrings_run():
    import dagnas.testing

    for module in (dagnas, dagnas.api, dagnas.testing):
        found = doctest.testmod(module)
        assert found.failed == 0
        assert found.attempted > 1


def test_the_front_door_makes_no_result_stale():
    """All of it is what digests of jobs leave out, so names may come and go."""

    def left_out(part):
        match part:
            case ast.Expr(value=ast.Constant(value=str())) | ast.ImportFrom(module="typing"):
                return True
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
                return True
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.FunctionDef(name=name):
                return name.startswith("__") and name.endswith("__")
        return False

    tree = ast.parse(Path(dagnas.__file__).read_text())
    assert [ast.unparse(part) for part in tree.body if not left_out(part)] == []


# Opening and asking.


@pytest.fixture(scope="module")
def bench(data):
    return dagnas.open("nasbench201", data)


def test_the_folder_of_tables_is_the_command_lines(data, monkeypatch, tmp_path):
    monkeypatch.setenv("DAGNAS_DATA", str(data))
    assert len(dagnas.open("nasbench201")) == 15_625
    assert len(dagnas.open("nasbench201", str(data))) == 15_625
    monkeypatch.delenv("DAGNAS_DATA")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dagnas.DagnasError, match=r"no table data/nasbench201.parquet"):
        dagnas.open("nasbench201")
    with pytest.raises(dagnas.DagnasError, match=r"unknown benchmark 'digit201' \(did you mean"):
        dagnas.open("digit201")


def test_a_cell_is_asked_for_in_three_ways(bench):
    found = bench.query(4200)
    assert found == bench.query(found["cell"]) == bench.query(bench.cells[4200])
    assert found == bench.query(np.int64(4200))
    assert found["cell"] == bench.space.to_str(bench.cells[4200])[0]


def test_all_that_a_table_holds_of_a_cell(bench):
    found, table = bench.query(77), bench.table
    assert found["row"] == 77
    assert found["parameters"] == table["params"][77]
    assert found["multiply_adds"] == bench.space.madds(bench.cells[77])[0]
    for name in ("cifar10/valid/12", "cifar10/valid/200", "cifar10/test/200", "cifar10/seconds/12"):
        assert found[name] == table[f"{name}/mean"][77]
    assert {type(value) for value in found.values()} <= {str, int, float, tuple}
    # The repeat s0 of cifar10/valid/200 is emulated, but its mean is not.
    assert found["emulated"] == ("cifar10/seconds/12",)
    assert len(found) == 4 + len({c.rpartition("/")[0] for c in table.columns if "/" in c}) + 1


def test_what_a_policy_tells_of_a_cell(bench):
    found, table = bench.query(77, "goal"), bench.table
    repeats = [table[f"cifar10/valid/12/s{repeat}"][77] for repeat in range(2)]
    assert found["signal"] == pytest.approx(np.mean(repeats), rel=1e-12)
    assert found["seconds"] == table["cifar10/seconds/12/mean"][77]
    assert found["valid"] == table["cifar10/valid/200/mean"][77]
    assert found["test"] == table["cifar10/test/200/mean"][77]
    assert found["emulated"] == bench.emulated(bench.policies["goal"]) == ("seconds",)
    assert bench.query(77, bench.policies["goal"]) == found
    assert bench.query(77, "bonas")["signal"] == table["cifar10/test/200/mean"][77]
    assert "cifar10/test/200" not in found


@pytest.mark.parametrize(
    ("cell", "policy", "message"),
    [
        (15_625, None, "nasbench201 has no row 15625; valid: 0 to 15624"),
        (-1, None, "nasbench201 has no row -1; valid: 0 to 15624"),
        ("|none~0|", None, r"'\|none~0\|' is no nasbench201 cell: expected \|op~0\|"),
        (2.5, None, "2.5 is no cell of nasbench201: give its text, its row, or a batch of one"),
        (True, None, "True is no cell"),
        (0, "gaol", r"unknown policy of nasbench201 'gaol' \(did you mean 'goal'"),
    ],
)
def test_faults_of_a_question(bench, cell, policy, message):
    with pytest.raises(dagnas.DagnasError, match=message):
        bench.query(cell, policy)


def test_one_cell_is_asked_for_at_a_time(bench):
    with pytest.raises(dagnas.DagnasError, match="this is a batch of 3"):
        bench.query(bench.cells[:3])


def test_a_frame_holds_what_queries_give(bench):
    for policy in (None, "goal"):
        frame = dagnas.frame(bench, policy)
        assert len(frame) == len(bench)
        for row in (0, 4200, 15_624):
            asked = bench.query(row, policy)
            assert {**frame.loc[row].to_dict(), "row": row, "emulated": asked["emulated"]} == asked


# Running.


def test_a_search_in_memory_gives_the_command_lines_numbers(data, tmp_path):
    out = tmp_path / "out.parquet"
    for method, where, more, given in (
        ("regularized_evolution", "nasbench201", ["--set", "population=5"], {"population": 5}),
        ("random_search", "nasbench201", ["--study", "mine"], {"study": "mine"}),
        ("controller_pqt", "select_optimizer_2", ["--policy", "reward"], {}),
    ):
        command = ["search", "--method", method, "--benchmark", where, "--data", str(data)]
        assert main([*command, *QUICK, *more, "--out", str(out), "--overwrite"]) == 0
        frame = dagnas.run(method, where, trials=2, budget_evaluations=20, data=data, **given)
        read = dagnas.read(out)
        pd.testing.assert_frame_equal(frame, read, check_exact=True)
        stored = pq.read_table(out)
        for name in TRACE.names:
            column = frame[name].to_numpy(dtype=object, na_value=None).tolist()
            assert column == stored[name].to_pylist()
        assert list(frame)[: len(TRACE.names)] == TRACE.names


def test_settings_budgets_and_trials_reach_the_search(data):
    frame = dagnas.run(
        dagnas.METHODS.get("random_search"),
        dagnas.open("nasbench201", data),
        trials=range(3, 5),
        budget_seconds=900.0,
        policy="goal",
        batch=3,
    )
    assert frame["trial"].unique().tolist() == [3, 4]
    assert (frame["settings"] == '{"batch": 3, "distinct": false}').all()
    assert (frame["budget_seconds"] == 900).all()
    assert frame["budget_evaluations"].isna().all()
    assert frame.groupby("trial")["seconds"].last().between(600, 900).all()
    assert dagnas.run("random_search", "digits201", 1, 5)["policy"].unique().tolist() == ["goal"]


def test_a_search_until_the_best_cell(data):
    frame = dagnas.run(
        "random_search",
        "nasbench201",
        trials=1,
        policy="bonas",
        until_best=True,
        budget_evaluations=300,
        data=data,
    )
    assert frame["until_best"].all()
    assert len(frame) < 300
    assert frame["step"].iloc[-1] == 299


def test_limits_and_objectives_reach_the_search():
    given = {"trials": 1, "budget_evaluations": 20, "constraints": ["parameters<2000"]}
    frame = dagnas.run("random_search", "digits201_costs", **given)
    assert (frame["constraints"] == "parameters<2000").all()
    assert (frame["feasible"] == (frame["cost_parameters"] < 2000)).all()
    frame = dagnas.run("nsga2", "digits201_costs", 1, 25, objectives=["parameters"])
    assert (frame["objectives"] == "parameters").all()
    with pytest.raises(dagnas.DagnasError, match="latency"):
        dagnas.run("random_search", "digits201_costs", 1, 5, constraints=["latency<2"])


def test_a_frame_of_a_table_by_its_name():
    cells = dagnas.frame("digits201", "goal")
    assert list(cells)[-4:] == ["signal", "seconds", "valid", "test"]
    assert len(cells) == 15625
    with pytest.raises(dagnas.DagnasError, match="benchmark 'select_optimizer_2' is no table"):
        dagnas.frame("select_optimizer_2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, r"trials is 0; expected how many"),
        ({"trials": range(-2, 2)}, r"trials is range\(-2, 2\)"),
        ({"trials": "0:5"}, r"trials is '0:5'"),
        ({"budget_evaluations": 0}, "budget_evaluations"),
        ({"policy": "gaol"}, "unknown policy of digits201 'gaol'"),
        ({"bach": 3}, r"unknown setting of method 'random_search' 'bach'"),
        ({"method": "gaol"}, r"unknown method 'gaol' \(did you mean 'goal'"),
        ({"benchmark": "select_optimizer_2", "method": "goal"}, "searches cells"),
        ({"prior": "select_optimizer_2"}, "prior 'select_optimizer_2' is no table"),
        ({"prior": "digits201"}, "makes no use of a prior"),
    ],
)
def test_faults_of_a_search(given, message):
    usual = {"method": "random_search", "benchmark": "digits201", "budget_evaluations": 5}
    with pytest.raises(dagnas.DagnasError, match=message):
        dagnas.run(**{**usual, **given})


def test_no_setting_of_a_method_has_the_name_of_an_argument():
    import inspect

    taken = set(inspect.signature(dagnas.run).parameters) - {"settings"}
    for name in dagnas.METHODS.names():
        assert not taken & set(dagnas.METHODS.get(name).settings())
