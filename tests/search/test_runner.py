"""The runner: budgets, clock, trace, streams, resuming."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dagnas.benchmarks import BENCHMARKS, nasbench101
from dagnas.cli import main
from dagnas.errors import DagnasError
from dagnas.search import METHODS
from dagnas.search.method import Evaluated, Proposal, method
from dagnas.search.runner import TRACE, Search, run, run_trial


@pytest.fixture(scope="module")
def bench(data):
    return BENCHMARKS.get("nasbench201").open(data)


def search(bench, name="random_search", **options):
    chosen = name if not isinstance(name, str) else METHODS.get(name)
    return Search(bench, chosen, **options)


def test_a_trial_stops_within_its_seconds(bench):
    trace = run_trial(search(bench, budget_seconds=3000.0), 0).to_pandas()
    assert trace["seconds"].iloc[-1] <= 3000
    longer = run_trial(search(bench, budget_seconds=6000.0), 0).to_pandas()
    # The longer trial is the same one, going on; its next evaluation would not have fitted.
    assert longer.iloc[: len(trace)].equals(trace)
    assert longer["seconds"].iloc[len(trace)] > 3000


@pytest.mark.parametrize("budget", [1, 7, 8, 20])
def test_a_trial_stops_at_its_number_of_evaluations(bench, budget):
    trace = run_trial(search(bench, budget_evaluations=budget), 0)
    assert trace["step"].to_pylist() == list(range(budget))


def test_a_trace_says_what_the_benchmark_says(bench):
    chosen = search(bench, budget_evaluations=30)
    trace = run_trial(chosen, 3)
    assert trace.schema == TRACE
    assert set(trace["trial"].to_pylist()) == {3}
    cells = bench.space.unpack(trace["code"].to_numpy())
    assert bench.space.to_str(cells) == trace["cell"].to_pylist()
    rows = bench.rows(cells)
    seconds = np.cumsum(bench.values("cifar10/seconds/12")[rows])
    np.testing.assert_allclose(trace["seconds"].to_numpy(), seconds)
    assert (trace["valid"].to_numpy() == bench.values("cifar10/valid/200")[rows]).all()
    assert set(trace["emulated"].to_pylist()) == {"seconds"}


def test_trials_and_studies_have_streams_of_their_own(bench):
    def cells(trial, study):
        return run_trial(search(bench, study=study, budget_evaluations=9), trial)[
            "code"
        ].to_pylist()

    assert cells(0, "a") == cells(0, "a")
    assert len({tuple(cells(0, "a")), tuple(cells(1, "a")), tuple(cells(0, "b"))}) == 3


def test_global_random_state_has_no_part(bench):
    import torch

    small = {"initial": 4, "epochs": 1}
    chosen = search(bench, "goal", given=small, budget_evaluations=12)
    one = run_trial(chosen, 0)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert run_trial(chosen, 0).equals(one)


def test_the_policy_gives_the_budget_unless_one_is_given(bench):
    assert search(bench).terms.budget_seconds == 2.8e4
    assert search(bench).terms.budget_evaluations is None
    assert search(bench, budget_evaluations=3).terms.budget_seconds is None
    assert search(bench, policy="bonas").terms.budget_evaluations == 1000


@pytest.mark.parametrize("budget", [{"budget_seconds": -1.0}, {"budget_evaluations": 0}])
def test_a_budget_must_be_positive(bench, budget):
    with pytest.raises(DagnasError, match="greater than 0"):
        search(bench, **budget)


def test_parents_are_steps_and_the_first_cells_have_none(bench):
    trace = run_trial(search(bench, "regularized_evolution", budget_evaluations=40), 0).to_pandas()
    assert (trace["parent"][:10] == -1).all()
    later = trace.iloc[10:]
    assert ((later["parent"] >= 0) & (later["parent"] < later["step"])).all()
    space = bench.space
    child = space.to_values(space.unpack(later["code"].to_numpy()))
    parent = space.to_values(space.unpack(trace["code"].to_numpy()[later["parent"]]))
    assert ((child != parent).sum(axis=1) == 1).all()


def test_a_method_may_end_by_itself_and_may_not_stall(bench):
    @method()
    def three(space, rng):
        yield space.sample(3, rng)

    @method()
    def nothing(space, rng):
        yield space.sample(0, rng)

    assert len(run_trial(search(bench, three), 0)) == 3
    with pytest.raises(DagnasError, match="no cells"):
        run_trial(search(bench, nothing), 0)


def test_a_method_is_told_signals_and_nothing_else(bench):
    told = []

    @method()
    def listening(space, rng):
        while True:
            told.append((yield Proposal(space.sample(2, rng), np.array([-1, -1]))))

    trace = run_trial(search(bench, listening, budget_evaluations=6), 0)
    assert np.concatenate(told).tolist() == trace["signal"].to_pylist()[:4]


# Until the best cell


@pytest.fixture(scope="module")
def digits():
    return BENCHMARKS.get("digits201").open(Path("nowhere"))


def until_best(bench, name="random_search", trial=0, **options):
    """Trace of a trial that ends with the best cell, and of the same one that does not."""
    options = {"policy": "bonas", "given": {"distinct": True}, **options}
    return [
        run_trial(search(bench, name, until_best=until, **options), trial).to_pandas()
        for until in (True, False)
    ]


@pytest.mark.parametrize("batch", [8, 500])
def test_a_trial_ends_with_the_best_cell_and_keeps_what_was_better_than_before(bench, batch):
    best = bench.best_signal(bench.policies["bonas"])
    given = {"distinct": True, "batch": batch}
    short, full = until_best(bench, given=given, budget_evaluations=15_625)
    told = full["signal"].to_numpy()
    last = int(told.argmax())
    assert told[last] == best == short["signal"].iloc[-1]
    better = [step for step in range(last + 1) if told[step] > told[:step].max(initial=-1)]
    assert short.equals(full.iloc[better].reset_index(drop=True))
    assert 3 < len(short) < 40


@pytest.mark.parametrize(
    "budget", [{"budget_evaluations": 50}, {"budget_seconds": 4e4}, {"budget_evaluations": 1}]
)
def test_a_trial_that_does_not_find_the_best_ends_with_its_budget(bench, budget):
    short, full = until_best(bench, **budget)
    told = full["signal"].to_numpy()
    better = [step for step in range(len(full)) if told[step] > told[:step].max(initial=-1)]
    kept = sorted({*better, len(full) - 1})
    assert short.equals(full.iloc[kept].reset_index(drop=True))
    # The last row tells how many evaluations there were.
    assert short["step"].iloc[-1] == len(full) - 1
    assert told.max() < bench.best_signal(bench.policies["bonas"])


@pytest.mark.parametrize("after", [0, 2])
def test_a_trial_ends_within_a_batch_and_not_with_a_best_cell_beyond_its_budget(bench, after):
    policy = bench.policies["bonas"]
    best = bench.values(policy.signal).argmax()

    @method()
    def oracle(space, rng):
        yield bench.cells[np.array([0, 1, 2, best, *range(after)])]
        pytest.fail("went on after the best cell")

    found = run_trial(search(bench, oracle, policy="bonas", until_best=True), 0)
    assert found["code"].to_pylist()[-1] == bench.table["code"][best]
    assert found["step"].to_pylist()[-1] == 3
    options = {"policy": "bonas", "until_best": True, "budget_evaluations": 3}
    assert run_trial(search(bench, oracle, **options), 0)["step"].to_pylist()[-1] == 2


def test_no_cell_is_the_best_where_the_signal_is_drawn(bench):
    with pytest.raises(DagnasError, match="drawn at each query, so no cell is the best; choose"):
        run_trial(search(bench, until_best=True), 0)


def test_the_best_cell_of_what_is_no_table_is_not_known(bench):
    class Open:
        name, space, policies = "open", bench.space, bench.policies

    with pytest.raises(DagnasError, match="open is no table: its best cell is not known"):
        search(Open(), until_best=True)


def test_random_search_may_take_each_cell_once(bench):
    given = {"distinct": True, "batch": 1000}
    chosen = search(bench, policy="bonas", given=given, budget_evaluations=20_000)
    codes = run_trial(chosen, 0)["code"].to_numpy()
    assert (np.sort(codes) == bench.space.pack(bench.space.enumerate())).all()
    # In an order by chance, which another trial has not.
    assert abs(np.corrcoef(codes, np.arange(len(codes)))[0, 1]) < 0.05
    assert (run_trial(chosen, 1)["code"].to_numpy() != codes).any()


# Trainings of chosen length


def trained(*epochs):
    """A method that evaluates pairs of cells at these lengths, and what it was given."""
    told = []

    @method()
    def lengths(space, rng, *, fidelities=()):
        told.append(fidelities)
        for length in epochs:
            told.append((yield Proposal(space.sample(2, rng), epochs=length)))

    return lengths, told


def test_a_training_of_chosen_length_gives_its_signal_at_its_cost(digits):
    asked = [1, 3, None, 2, 1]
    lengths, told = trained(*asked)
    trace = run_trial(search(digits, lengths), 0).to_pandas()
    assert told[0] == (1, 2, 3)
    epochs = np.repeat([1, 3, 3, 2, 1], 2)
    assert trace["epochs"].tolist() == epochs.tolist()
    rows = digits.rows(digits.space.unpack(trace["code"].to_numpy()))
    for row, length, told_of in zip(rows, epochs, trace["signal"], strict=True):
        repeats = [digits.table[f"digits/valid/{length}/s{repeat}"][row] for repeat in range(2)]
        assert told_of in repeats
    costs = [digits.values(f"digits/seconds/{e}")[row] for row, e in zip(rows, epochs, strict=True)]
    np.testing.assert_allclose(trace["seconds"], np.cumsum(costs))
    # What is reported are the accuracies of the whole training.
    assert (trace["valid"] == digits.values("digits/valid/12")[rows]).all()
    assert np.concatenate(told[1:]).tolist() == trace["signal"].tolist()


def test_lengths_do_not_change_the_draws_of_repeats(digits):
    """Each evaluation takes one number of the stream, whatever its length."""
    full = [run_trial(search(digits, trained(*e)[0]), 0).to_pandas() for e in ([3, 3], [1, 3])]
    assert full[0].iloc[2:]["signal"].equals(full[1].iloc[2:]["signal"])


def test_lengths_that_no_training_has_are_refused(digits, bench):
    lengths, _ = trained(5)
    message = r"'lengths' asked for a training of 5 epochs; digits201 has 1, 2, 3$"
    with pytest.raises(DagnasError, match=message):
        run_trial(search(digits, lengths), 0)
    with pytest.raises(DagnasError, match=r"nasbench201 has 12$"):
        run_trial(search(bench, lengths), 0)


def test_short_trainings_say_nothing_of_who_is_best(digits, monkeypatch):
    # As if trainings of 11 epochs told more than those of 12.
    told = ("digits/test/11", "mean")
    monkeypatch.setitem(digits._values, told, np.full(len(digits), 100.0))
    policy = digits.policies["bonas"]
    truth = digits.values(policy.signal)
    order = np.argsort(truth)
    best, good, poor = digits.cells[int(order[-1])], digits.cells[int(order[-99])], digits.cells[0]

    @method()
    def short_first(space, rng):
        yield Proposal(poor)
        yield Proposal(best, epochs=11)
        yield Proposal(good)
        yield Proposal(best, epochs=2)

    chosen = search(digits, short_first, policy="bonas", until_best=True)
    assert run_trial(chosen, 0)["step"].to_pylist() == [0, 2, 3]


# Priors


def test_a_prior_is_handed_over_whole(bench, digits):
    told = []

    @method()
    def listening(space, rng, *, prior=None):
        told.append(prior)
        yield space.sample(1, rng)

    run_trial(search(bench, listening, prior=digits), 0)
    assert isinstance(told[0], Evaluated)
    assert told[0].cells.same(digits.cells).all()
    # Signals of the prior's own policy of the same name, means over trainings.
    assert (told[0].signals == digits.values("digits/valid/3")).all()
    run_trial(search(bench, listening), 0)
    assert told[1] is None


def test_a_prior_is_refused_by_methods_that_make_no_use_of_one(bench, digits):
    with pytest.raises(DagnasError, match="'random_search' makes no use of a prior"):
        search(bench, prior=digits)


def test_a_trace_names_its_prior_and_where_it_ends(bench, digits):
    about = search(bench, "bonas", policy="bonas", prior=digits, until_best=True).metadata()
    assert (about["dagnas.prior"], about["dagnas.until_best"]) == ("digits201", "true")
    about = search(bench).metadata()
    assert (about["dagnas.prior"], about["dagnas.until_best"]) == ("", "false")


# Draws of random cells


def test_random_cells_are_drawn_as_the_terms_say_else_as_the_policy(bench):
    classes = set(bench.space.representatives().tolist())

    def codes(draw, policy="bonas"):
        chosen = search(bench, policy=policy, draw=draw, budget_evaluations=300)
        told = json.loads(chosen.metadata()["dagnas.draw"])
        return told, run_trial(chosen, 0)["code"].to_pylist()

    told, usual = codes(None)
    assert told is None
    assert not set(usual) <= classes
    # The usual way has a name too, and a trial that names it is the same trial.
    assert codes("variables") == ("variables", usual)
    told, drawn = codes("classes")
    assert (told, set(drawn) <= classes) == ("classes", True)
    other = replace(bench, policies={"drawn": replace(bench.policies["bonas"], draw="classes")})
    chosen = search(other, policy="drawn", budget_evaluations=300)
    assert run_trial(chosen, 0)["code"].to_pylist() == drawn
    assert json.loads(chosen.metadata()["dagnas.draw"]) == "classes"


def test_a_draw_that_the_space_has_not_is_refused(bench):
    with pytest.raises(DagnasError, match="unknown draw of nasbench201 'script'; valid: classes, "):
        search(bench, draw="script")
    with pytest.raises(DagnasError, match="draw: Input should be 'variables', 'classes' or"):
        search(bench, draw="rows")


def test_protocols_of_nasbench101_draw_each_in_its_own_way():
    draws = {name: policy.draw for name, policy in nasbench101._POLICIES.items()}
    assert draws == {"goal": "variables", "bonas": "classes"}


# Files


COMMAND = [
    *("search", "--benchmark", "nasbench201", "--method", "goal", "--set", "initial=6"),
    *("--set", "epochs=2", "--budget-evaluations", "40", "--trials", "0:4"),
]


def test_two_runs_of_one_command_give_the_same_bytes(data, tmp_path):
    for name in ("a", "b"):
        out = tmp_path / f"{name}.parquet"
        assert main([*COMMAND, "--data", str(data), "--out", str(out)]) == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.parquet", "a.wall.csv", "b.parquet", "b.wall.csv"}
    about = pq.read_schema(tmp_path / "a.parquet").metadata
    assert json.loads(about[b"dagnas.settings"])["initial"] == 6
    assert about[b"dagnas.emulated"] == b'["seconds"]'


def test_a_killed_search_goes_on_to_the_same_trace(data, tmp_path):
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    command = [*COMMAND, "--data", str(data), "--out"]
    assert main([*command, str(whole)]) == 0
    parts = tmp_path / ".out.parquet.partial"
    process = subprocess.Popen([sys.executable, "-m", "dagnas", *command, str(out)])
    deadline = time.monotonic() + 120
    while not (parts / "0.parquet").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    done = {path.name for path in parts.glob("[0-9].parquet")}
    assert "3.parquet" not in done
    calls = []

    def counted(search, trial, *rest, **options):
        calls.append(trial)
        return run_trial(search, trial, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dagnas.search.runner.run_trial", counted)
        assert main([*command, str(out)]) == 0
    assert calls == [trial for trial in range(4) if f"{trial}.parquet" not in done]
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def test_parts_of_another_search_are_not_taken(bench, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"

    def stop(search, trial, *rest):
        if trial == 1:
            raise KeyboardInterrupt
        return run_trial(search, trial, *rest)

    chosen = search(bench, budget_evaluations=5)
    with monkeypatch.context() as patch:
        patch.setattr("dagnas.search.runner.run_trial", stop)
        with pytest.raises(KeyboardInterrupt):
            run(chosen, range(2), out)
    part = tmp_path / ".out.parquet.partial" / "0.parquet"
    assert part.exists()
    run(search(bench, budget_evaluations=6), range(2), out)
    assert pq.read_table(out)["step"].to_pylist() == [*range(6), *range(6)]


def test_a_damaged_part_is_run_again(bench, tmp_path):
    out, chosen = tmp_path / "out.parquet", search(bench, budget_evaluations=5)
    part = tmp_path / ".out.parquet.partial" / "0.parquet"
    part.parent.mkdir()
    part.write_bytes(b"PAR1 cut off")
    run(chosen, range(1), out)
    assert pq.read_table(out).num_rows == 5


@pytest.mark.parametrize("code", ["ENOSPC", "EROFS"])
def test_a_folder_that_takes_no_file_is_told_before_the_first_trial(
    bench, tmp_path, monkeypatch, code
):
    import errno
    import tempfile

    def refuse(*args, **kwargs):
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr("dagnas.search.runner.run_trial", lambda *a: pytest.fail("ran"))
    with pytest.raises(DagnasError, match=r"cannot write .*: (No space|Read-only)"):
        run(search(bench), range(1), tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_disk_that_fills_up_leaves_no_trace_behind(bench, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        with pytest.raises(DagnasError, match="No space left on device"):
            run(search(bench, budget_evaluations=4000), range(1), disk / "out.parquet")
        assert not list(disk.glob("*.parquet"))
        assert not list((disk / ".out.parquet.partial").glob("*.parquet"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
