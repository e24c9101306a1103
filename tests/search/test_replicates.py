"""Random search with several evaluations of each vector."""

import numpy as np

from dagnas.search import METHODS
from dagnas.spaces.nago import nago_small


def proposed(networks, count):
    method = METHODS.get("replicates")
    settings = method.settings("", {"networks": networks})
    trial = method.start(nago_small, np.random.default_rng(0), settings)
    batches = [next(trial)]
    for _ in range(count - 1):
        batches.append(trial.send(np.zeros(networks)))
    return np.array(batches)


def test_each_vector_is_evaluated_so_often():
    batches = proposed(3, 40)
    assert batches.shape == (40, 3, len(nago_small.dimensions))
    assert (batches == batches[:, :1]).all()
    assert len(np.unique(batches[:, 0], axis=0)) == 40


def test_the_first_of_each_are_a_random_search():
    drawn = nago_small.encode(proposed(2, 400)[:, 0])
    # Of points of the unit cube, the mean is 1/2 and the variance 1/12, but for the whole numbers.
    whole = nago_small.whole
    assert (abs(drawn.mean(axis=0) - 0.5) < 4 * np.sqrt(1 / 12 / 400)).all()
    assert (abs(drawn[:, ~whole].var(axis=0) - 1 / 12) < 0.02).all()
