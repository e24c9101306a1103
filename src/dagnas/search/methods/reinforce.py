"""REINFORCE: policy gradient on the variables of a space."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from dagnas.search.method import Trial, method
from dagnas.spaces.cell_space import CellSpace

_BLOCK = 8


@method()
def reinforce(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    learning_rate: PositiveFloat = 0.1,
    optimizer: Literal["sgd", "adam"] = "sgd",
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
) -> Trial:
    """Sample cells from a policy, and make those better than average likelier (Williams 1992).

    The policy is one softmax for each variable of the space, independent of the others, and not a
    recurrent controller. This and the settings are those of the public script of NAS-Bench-101,
    which GOAL runs on both benchmarks (appendix B). The reward is the accuracy as a fraction.
    Invalid cells are drawn again: they cost nothing, and the policy does not learn from them.

    Parameters
    ----------
    learning_rate : float
        Step of the ascent.
    optimizer : {"sgd", "adam"}
        Plain gradient ascent, or Adam, as in the public script of NAS-Bench-201.
    momentum : float
        Weight of the past in the exponential average of rewards that is the baseline.
    """
    policy = Policy(space.sizes, learning_rate, optimizer, momentum)
    while True:
        values = policy.draw(_BLOCK, rng)
        cells = space.from_values(values)
        valid = np.flatnonzero(space.is_valid(cells))
        if len(valid):
            first = valid[0]
            (signal,) = yield cells[first]
            policy.learn(values[first], signal / 100)


class Policy:
    """Independent categorical variables that learn by REINFORCE.

    Parameters
    ----------
    sizes : ndarray of int, shape (D,)
        Number of values of every variable.
    learning_rate, optimizer, momentum
        As in `reinforce`.

    Attributes
    ----------
    logits : ndarray, shape (D, largest size)
        Minus infinity where a variable has no such value.
    """

    def __init__(
        self,
        sizes: NDArray[np.integer],
        learning_rate: float,
        optimizer: Literal["sgd", "adam"],
        momentum: float,
    ) -> None:
        self.logits = np.where(np.arange(sizes.max()) < sizes[:, None], 0.0, -np.inf)
        self._rate, self._momentum = learning_rate, momentum
        self._direction = _Adam(self.logits.shape) if optimizer == "adam" else np.asarray
        self._total = self._weight = 0.0

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Values of ``n`` cells, shape (n, D); the largest logit plus Gumbel noise is a draw."""
        noisy = self.logits + rng.gumbel(size=(n, *self.logits.shape))
        return np.asarray(noisy.argmax(axis=2))

    def gradient(self, values: NDArray[np.integer]) -> NDArray[np.float64]:
        """Gradient of the log-probability of a cell with respect to the logits."""
        odds = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        gradient: NDArray[np.float64] = -odds / odds.sum(axis=1, keepdims=True)
        gradient[np.arange(len(values)), values] += 1
        return gradient

    def learn(self, values: NDArray[np.integer], reward: float) -> None:
        """Ascend by the gradient times the advantage: the reward less its average so far."""
        self._total = self._momentum * self._total + (1 - self._momentum) * reward
        self._weight = self._momentum * self._weight + 1 - self._momentum
        # The average holds this reward already, so that the first advantage is zero.
        advantage = reward - self._total / self._weight
        self.logits += self._rate * self._direction(advantage * self.gradient(values))


class _Adam:
    """Adam's direction of a gradient, with its usual parameters (Kingma and Ba 2015).

    It takes microseconds a step. ``torch.optim`` would make every trial wait for seconds, until
    torch is imported and its optimizer set up, and no other part of REINFORCE needs torch.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._first, self._second = np.zeros(shape), np.zeros(shape)
        self._steps = 0

    def __call__(self, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        self._steps += 1
        self._first = 0.9 * self._first + 0.1 * gradient
        self._second = 0.999 * self._second + 0.001 * gradient**2
        mean = self._first / (1 - 0.9**self._steps)
        spread = np.sqrt(self._second / (1 - 0.999**self._steps))
        return mean / (spread + 1e-8)
