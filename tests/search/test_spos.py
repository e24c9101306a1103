"""SPOS's evolution against its paper and the authors' public script."""

import numpy as np
import pytest

from dagnas.search import METHODS
from dagnas.spaces import SPACES


@pytest.fixture(params=["nasbench201", "darts"])
def space(request):
    return SPACES.get(request.param)


def begin(space, seed=0, **given):
    chosen = METHODS.get("spos")
    settings = chosen.settings(space.name, given)
    return chosen.start(space, np.random.default_rng(seed), settings, device="cpu")


def test_the_papers_parameters_are_the_defaults():
    assert METHODS.get("spos").settings("nasbench201") == {
        "population": 50,
        "top": 10,
        "mutation": 0.1,
        "mutated": 25,
        "crossed": 25,
    }


def test_a_generation_is_of_mutations_and_crossovers_of_the_best(space):
    trial = begin(space)
    first = space.to_values(next(trial))
    best = first[np.argsort(-np.arange(50) % 50)[:10]]
    signals = np.zeros(50)
    for rank, row in enumerate(best):
        signals[(first == row).all(axis=1)] = 10 - rank
    second = space.to_values(trial.send(signals))
    assert len(second) == 50
    # A mutation has few values of its own; a crossover has none but its parents'.
    mutated, crossed = second[:25], second[25:]
    own = [(best != child).sum(axis=1).min() for child in mutated]
    assert 0 < np.mean(own) < 0.25 * len(space.sizes)
    pairs = [
        ((best[:, None] == child) | (best[None] == child)).all(axis=2).any() for child in crossed
    ]
    assert all(pairs)


def test_parents_are_the_best_of_all_generations():
    space = SPACES.get("darts")
    trial = begin(space, crossed=0, mutated=50, top=1, mutation=0.05)
    first = space.to_values(next(trial))
    signals = np.zeros(50)
    signals[7] = 1
    for _ in range(3):
        children = space.to_values(trial.send(signals))
        # Later cells are worse, so the eighth of the first generation stays the parent.
        assert (children != first[7]).sum(axis=1).mean() < 4
        signals = np.zeros(50)


def test_no_cell_is_proposed_twice_and_the_trial_ends_where_the_space_is_spent():
    space = SPACES.get("nasbench201")
    trial = begin(space)
    proposed = []
    cells = next(trial)
    for _ in range(40):
        proposed += space.pack(cells).tolist()
        cells = trial.send(np.arange(len(cells), dtype=float))
    assert len(set(proposed)) == len(proposed)
