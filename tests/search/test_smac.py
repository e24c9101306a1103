"""SMAC: its search against hand-made functions, and the package as we set it."""

import contextlib
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from dagnas.benchmarks import BENCHMARKS
from dagnas.search import METHODS
from dagnas.search.models import smac_optimizer
from dagnas.search.models.smac_optimizer import climb, maximize
from dagnas.search.runner import Search, run_trial
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace

SIZES = np.array([2, 5, 3, 4])


def all_points(sizes):
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(
        -1, len(sizes)
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# The search for the largest expected improvement


def test_climbing_ends_at_the_peak_of_a_sum(rng):
    worth = rng.normal(size=(len(SIZES), SIZES.max()))

    def value(points):
        return worth[np.arange(len(SIZES)), points].sum(axis=1)

    starts = all_points(SIZES)
    ends, values = climb(value, starts, SIZES, rng)
    peak = [row[:size].argmax() for row, size in zip(worth, SIZES, strict=True)]
    assert (ends == peak).all()
    assert values == pytest.approx(value(ends))
    assert (starts == all_points(SIZES)).all()


def test_steps_upwards_are_not_counted(rng):
    sizes = np.full(25, 2)
    ends, _ = climb(lambda points: points.sum(axis=1), np.zeros((2, 25), dtype=int), sizes, rng)
    assert (ends == 1).all()


def test_climbing_stays_on_a_peak_that_is_only_local(rng):
    peaks = np.array([[1, 4, 2, 0], [0, 0, 0, 3]])
    heights = np.array([1.0, 2.0])

    def value(points):
        return ((points[:, None] == peaks).all(axis=2) * heights).sum(axis=1)

    ends, values = climb(value, peaks, SIZES, rng)
    assert (ends == peaks).all()
    assert values.tolist() == [1, 2]


def test_ten_steps_are_taken_on_a_plateau(rng):
    asked = []

    def value(points):
        asked.append(len(points))
        return np.zeros(len(points))

    ends, _ = climb(value, np.zeros((3, 4), dtype=int), SIZES, rng)
    neighbours = (SIZES - 1).sum()
    assert asked == [3] + 10 * [3 * neighbours]
    assert len(np.unique(ends, axis=0)) > 1


def test_a_step_changes_one_variable_and_any_better_one_may_be_taken(rng):
    def value(points):  # all neighbours of the start are better, and equal; none of theirs is
        return np.minimum(points.sum(axis=1), 1) - 2.0 * ((points > 0).sum(axis=1) > 1)

    ends = climb(value, np.zeros((3000, 4), dtype=int), SIZES, rng)[0]
    assert ((ends > 0).sum(axis=1) == 1).all()
    counts = np.unique(ends, axis=0, return_counts=True)[1]
    # A variable of size n is left with n - 1 of all ten neighbours.
    assert len(counts) == (SIZES - 1).sum()
    moved = np.bincount(ends.argmax(axis=1)) / 3000
    assert moved == pytest.approx((SIZES - 1) / (SIZES - 1).sum(), abs=0.04)


def test_the_best_new_point_is_found(rng):
    points = rng.permutation(all_points(SIZES))
    worth = rng.normal(size=SIZES)
    known, new = points[:60], points[60:]

    def value(points):
        return worth[tuple(points.T)]

    def search(known, **given):
        return maximize(value, known, -value(known), SIZES, rng=rng, **given)

    # Enough random points to hit all.
    point, best = search(known, challengers=3000, local_searches=3)
    assert best == value(new).max()
    assert point.tolist() == new[value(new).argmax()].tolist()
    # A known point only where there is no other.
    assert best < value(search(points, challengers=3000, local_searches=3)[0][None])[0]


def test_local_searches_start_from_the_best_of_both_kinds(rng, monkeypatch):
    starts = []

    def recorded(value, points, sizes, rng):
        starts.append(points)
        return points, value(points)

    monkeypatch.setattr(smac_optimizer, "climb", recorded)
    known = rng.permutation(all_points(SIZES))[:50]
    costs = rng.permutation(50) / 50

    def value(points):
        return points @ np.array([1, 10, 100, 1000]).astype(float)

    maximize(value, known, costs, SIZES, 500, 2, rng)
    (points,) = starts
    assert points[:2].tolist() == known[np.argsort(costs)[:2]].tolist()
    assert value(points[2:]).tolist() == pytest.approx([value(SIZES[None] - 1)[0]] * 2)


def test_ties_are_broken_at_random(rng):
    known = all_points(SIZES)[:1]

    def flat(points):
        return np.zeros(len(points))

    found = [maximize(flat, known, np.zeros(1), SIZES, 200, 1, rng)[0] for _ in range(50)]
    assert len(np.unique(found, axis=0)) > 20


# The package


def build(space, seed=0, **given):
    settings = METHODS.get("smac").settings("", {"challengers": 200, "local_searches": 2, **given})
    settings.pop("max_invalid")
    return smac_optimizer.build(space, np.random.default_rng(seed), **settings)


def begin(space, seed=0, **given):
    method = METHODS.get("smac")
    settings = method.settings(space.name, {"challengers": 200, "local_searches": 2, **given})
    return method.start(space, np.random.default_rng(seed), settings)


def signal(space, cells):
    """An accuracy that every variable adds to."""
    return 100 * (space.to_values(cells) / (space.sizes - 1)).mean(axis=1)


def run(trial, space, n):
    """Cells of ``n`` evaluations, or of fewer if the trial ends."""
    cells = [next(trial)]
    with contextlib.suppress(StopIteration):
        while len(cells) < n:
            cells.append(trial.send(signal(space, cells[-1])))
    return cells


@pytest.fixture
def space():
    return SPACES.get("nasbench201")


class Toy(CellSpace):
    """Twelve cells; those of ``valid`` numbers are valid."""

    def __init__(self, valid=range(12)):
        self.valid = list(valid)
        edges = np.zeros((3, 3, 3), dtype=bool)
        edges[np.triu_indices(3, k=1)] = True
        edges[0, 1, 2] = edges[0, 2, 2] = False
        super().__init__("toy", ("a",), ("x", "y", "z"), np.ones((3, 1), dtype=bool), edges)

    def is_valid(self, cells):
        return np.isin(self.pack(cells), self.valid)

    canonical = CellSpace.pack

    def enumerate(self):
        return self.unpack(np.array(self.valid))

    def to_str(self, cells):
        return [str(code) for code in self.pack(cells)]

    key = to_str

    def from_str(self, texts):
        return self.unpack(np.array(texts, dtype=int))


def test_settings_are_those_of_the_public_script():
    expected = {
        "trees": 10,
        "random_fraction": 0.33,
        "repeats": 4,
        "challengers": 5000,
        "local_searches": 10,
        "max_invalid": 100,
    }
    assert METHODS.get("smac").settings("nasbench101") == expected
    assert METHODS.get("smac").settings("nasbench201") == {**expected, "repeats": 1}


def test_the_forest_predicts_what_the_packages_own_does(space, rng):
    from smac.model.random_forest import RandomForest

    optimizer = build(space, trees=7)
    ours, configspace = optimizer._model, optimizer.scenario.configspace
    theirs = RandomForest(configspace, n_trees=7, n_jobs=1, seed=optimizer.scenario.seed)
    points = rng.integers(space.sizes, size=(150, 6)).astype(float)
    costs = rng.random((100, 1))
    ours.train(points[:100], costs)
    theirs.train(points[:100], costs)
    for mine, other in zip(
        ours.predict_marginalized(points), theirs.predict_marginalized(points), strict=True
    ):
        assert mine.tolist() == other.tolist()
    assert len(ours._rf.estimators_) == 7
    best, cost = optimizer._config_selector._get_x_best(points)
    theirs_best, theirs_cost = super(
        type(optimizer._config_selector), optimizer._config_selector
    )._get_x_best(points)
    assert (best.tolist(), cost) == (theirs_best.tolist(), theirs_cost)


def test_configurations_are_the_values_of_all_variables_in_order():
    space = SPACES.get("nasbench101")
    configspace = build(space).scenario.configspace
    assert [len(variable.choices) for variable in configspace.values()] == space.sizes.tolist()
    drawn = np.array([config.get_array() for config in configspace.sample_configuration(300)])
    assert (drawn.max(axis=0) == space.sizes - 1).all()


def test_errors_are_told_and_invalid_cells_have_error_one(monkeypatch):
    space = SPACES.get("nasbench101")
    made = []
    whole = smac_optimizer.build
    monkeypatch.setattr(smac_optimizer, "build", lambda *of: made.append(whole(*of)) or made[0])
    trial = begin(space, repeats=1)
    cells = run(trial, space, 15)
    assert all(space.is_valid(cell).all() for cell in cells)
    (optimizer,) = made
    history = optimizer.runhistory
    told = {
        tuple(history.get_config(key.config_id).get_array().astype(int)): value.cost
        for key, value in history.items()
        if value.status.name == "SUCCESS"
    }
    expected = {
        tuple(space.to_values(cell)[0]): 1 - signal(space, cell)[0] / 100 for cell in cells[:-1]
    }
    invalid = {point for point, cost in told.items() if point not in expected}
    assert len(invalid) > 1
    assert not space.is_valid(space.from_values(np.array(list(invalid)))).any()
    assert {told[point] for point in invalid} == {1.0}
    assert {point: told[point] for point in expected} == pytest.approx(expected)


def test_invalid_cells_cannot_stall_it():
    space = Toy(valid=[7])
    cells = run(begin(space, max_invalid=2), space, 4)
    assert [int(space.pack(cell)[0]) for cell in cells] == [7] * 4


def test_it_ends_when_all_cells_are_evaluated():
    space = Toy()
    cells = run(begin(space, repeats=1), space, 13)
    assert sorted(int(space.pack(cell)[0]) for cell in cells) == list(range(12))


@pytest.mark.parametrize("repeats", [1, 3])
def test_no_cell_is_evaluated_more_often_than_set(space, repeats):
    cells = run(begin(space, repeats=repeats), space, 20)
    counts = np.unique([space.pack(cell)[0] for cell in cells], return_counts=True)[1]
    assert counts.max() == repeats
    assert repeats == 1 or counts.min() == 1


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_fraction_of_cells_is_random(space, fraction, monkeypatch):
    searches = []
    monkeypatch.setattr(smac_optimizer, "maximize", lambda *of: searches.append(1) or maximize(*of))
    run(begin(space, random_fraction=fraction), space, 12)
    assert len(searches) == (11 if fraction == 0 else 0)


def test_it_leaves_nothing_behind(space, tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    threads, children = threading.active_count(), multiprocessing.active_children()
    levels = logging.getLogger().handlers.copy(), logging.getLogger().level
    trial = begin(space)
    with caplog.at_level(logging.WARNING):
        run(trial, space, 5)
    assert list(tmp_path.iterdir()) == []
    assert (threading.active_count(), multiprocessing.active_children()) == (threads, children)
    assert (logging.getLogger().handlers, logging.getLogger().level) == levels
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_it_repeats_within_a_process(space):
    def codes(seed):
        return [int(space.pack(cell)[0]) for cell in run(begin(space, seed), space, 10)]

    first = codes(1)
    assert codes(2) != first
    assert codes(1) == first


@pytest.mark.slow
def test_another_hash_seed_changes_nothing():
    program = (
        "import numpy as np\n"
        "from dagnas.search.methods.smac import smac\n"
        "from dagnas.spaces import SPACES\n"
        "space = SPACES.get('nasbench101')\n"
        "settings = smac.settings('', {'challengers': 200, 'local_searches': 2})\n"
        "trial = smac.start(space, np.random.default_rng(0), settings)\n"
        "cells = next(trial)\n"
        "for _ in range(12):\n"
        "    print(*space.pack(cells))\n"
        "    signal = 100 * (space.to_values(cells) / (space.sizes - 1)).mean(axis=1)\n"
        "    cells = trial.send(signal)\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    space = SPACES.get("nasbench101")
    cells = run(begin(space), space, 12)
    assert [int(line) for line in printed.split()] == [int(space.pack(cell)[0]) for cell in cells]


@pytest.mark.slow
def test_what_it_chooses_is_better_than_random_cells():
    bench = BENCHMARKS.get("digits201").open(Path("nowhere"))

    def signals(method, trials, **given):
        search = Search(bench, METHODS.get(method), given=given, budget_evaluations=80)
        return np.array([run_trial(search, trial)["signal"].to_numpy() for trial in range(trials)])

    chosen = signals("smac", 2, random_fraction=0.0, challengers=500, local_searches=3)
    assert chosen[:, 40:].mean() > signals("random_search", 20).mean() + 6
