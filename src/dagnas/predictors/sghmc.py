"""Bayesian neural network whose weights are sampled by SGHMC, with noise that varies (NAGO).

Springenberg et al. (2016, "Bayesian Optimization with Robust Bayesian Neural Networks") sample the
weights of a small network by stochastic gradient Hamiltonian Monte Carlo with steps that adapt to
the scale of each weight. NAGO (section 2.2) gives that network a second output, the noise as a
function of the input.

The network has a few hundred weights, so that in PyTorch nearly all of a step is the calling of
operations. Here the chain is compiled, with the gradient written out; a test compares it with
PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dagnas.errors import DagnasError, unknown

Array = NDArray[np.float64]
Places = NDArray[np.int64]

#: What the noise of the targets depends on: nothing, or the input.
Noise = Literal["homoscedastic", "heteroscedastic"]

#: Prior of the logarithm of the noise's variance, in units of the targets' variance: its centre,
#: and its sd where the noise is one number. An output of the network has about the same sd.
CENTRE, SPREAD = -3.0, 2.5
#: Least variance of the noise, in units of the targets' variance. A cost may have none.
FLOOR = 1e-4

#: Is added to V, which may be tiny in the first steps.
_SMALL = 1e-6


class Chain(NamedTuple):
    """Settings of the sampler; defaults are those of a public network of Springenberg et al.

    Attributes
    ----------
    steps : int
        Steps in all.
    burn_in : int
        First steps, which adapt the preconditioner and are thrown away.
    every : int
        Steps from one kept sample to the next.
    lr : float
        epsilon, the step size.
    batch : int
        Points of a step; a chain on fewer points takes all of them, and has no gradient noise.
    decay : float
        alpha, the fraction of the momentum that a step loses.
    """

    steps: int = 13_000
    burn_in: int = 3_000
    every: int = 100
    lr: float = 1e-2
    batch: int = 20
    decay: float = 0.05

    def check(self) -> None:
        """Check the settings.

        Raises
        ------
        DagnasError
            One is out of range, or no sample would be kept.
        """
        for name in ("every", "batch", "lr"):
            if not getattr(self, name) > 0:
                raise DagnasError(f"{name}={getattr(self, name)} of a chain: expected above 0")
        if not 0 < self.decay < 1:
            raise DagnasError(f"decay={self.decay} of a chain: expected between 0 and 1")
        if not 0 <= self.burn_in <= self.steps - self.every:
            raise DagnasError(
                f"a chain of {self.steps} steps, {self.burn_in} of them burn-in, keeps no sample "
                f"at every {self.every}: expected at least steps = burn_in + every"
            )


#: The defaults.
PUBLIC = Chain()


class Prediction(NamedTuple):
    """Predictive posterior at some points, in the units of the targets.

    Attributes
    ----------
    mean : ndarray, shape (B,)
        mu of NAGO's equation 1.
    variance : ndarray, shape (B,)
        sigma^2 of the same, of a new observation: what the samples disagree on, and the noise.
    model : ndarray, shape (B,)
        The former part alone.
    """

    mean: Array
    variance: Array
    model: Array

    @property
    def noise(self) -> Array:
        """Latter part of the variance, shape (B,)."""
        return self.variance - self.model


class BayesianNetwork:
    """Neural network with samples of its weights, given noisy values of a function.

    The prior of every weight is standard normal, for inputs and targets of variance 1. Those of
    the inputs are points of the unit cube, scaled as if uniform in it. Targets are standardised by
    their own mean and sd.

    Parameters
    ----------
    points : ndarray, shape (N, d)
        Inputs, points of the unit cube.
    targets : ndarray, shape (N,)
        Values there.
    rng : numpy.random.Generator
    noise : {"heteroscedastic", "homoscedastic"}
        Whether the variance of the noise is a second output of the network, or one number that is
        sampled with the weights.
    hidden : sequence of int
        Widths of the hidden layers, of tanh units (NAGO, section 2.2: three of 10); without any
        the function is linear.
    chain : Chain

    Attributes
    ----------
    samples : ndarray, shape (K, P)
        Weights w^i: of each layer the kernel (inputs, outputs) and the bias; at last, if the noise
        is one number, its logarithm in units of its prior.

    Raises
    ------
    DagnasError
        Inputs and targets do not fit or are not finite, a setting is out of range, or the chain
        diverges.
    """

    def __init__(
        self,
        points: Array,
        targets: Array,
        rng: np.random.Generator,
        *,
        noise: Noise = "heteroscedastic",
        hidden: Sequence[int] = (10, 10, 10),
        chain: Chain = PUBLIC,
    ) -> None:
        points, targets = np.asarray(points, np.float64), np.asarray(targets, np.float64)
        _check(points, targets)
        chain.check()
        if noise not in get_args(Noise):
            raise unknown("noise of a network", noise, get_args(Noise))
        self.varies = noise == "heteroscedastic"
        self.centre, self.unit = float(targets.mean()), float(targets.std()) or 1.0
        self.widths = np.array([points.shape[1], *hidden, 1 + self.varies], dtype=np.int64)
        self.samples = sample(
            scaled(points),
            (targets - self.centre) / self.unit,
            _start(self.widths, self.varies, rng),
            self.widths,
            self.varies,
            chain.steps,
            chain.burn_in,
            chain.every,
            chain.lr,
            chain.batch,
            chain.decay,
            rng,
        )
        if not np.isfinite(self.samples).all():
            raise DagnasError(f"a chain of step size {chain.lr} diverges: lower its lr")

    def outputs(self, points: Array) -> tuple[Array, Array]:
        """Function and variance of the noise under every sample, in standardised units.

        Parameters
        ----------
        points : ndarray, shape (B, d)

        Returns
        -------
        values, noise : ndarray, shape (K, B)
        """
        count, place = len(self.samples), 0
        states = np.broadcast_to(scaled(np.asarray(points, np.float64)), (count, *points.shape))
        for layer, (width, out) in enumerate(pairwise(self.widths)):
            kernel = self.samples[:, place : place + width * out].reshape(count, width, out)
            place += width * out
            bias = self.samples[:, None, place : place + out]
            place += out
            states = states @ kernel + bias
            if layer < len(self.widths) - 2:
                states = np.tanh(states)
        if self.varies:
            logs = CENTRE + states[:, :, 1]
        else:
            logs = np.broadcast_to(CENTRE + SPREAD * self.samples[:, -1:], states.shape[:2])
        return states[:, :, 0], FLOOR + np.exp(logs)

    def predict(self, points: Array) -> Prediction:
        """Predictive posterior (NAGO, equation 1 and the one after it).

        N is the number of samples there, and w_n^2 the variance of the noise. The latter equation
        averages it over samples. The former has one w_n^2 for all; it is sampled too, so the
        average is taken there as well, and both equations are one.

        Parameters
        ----------
        points : ndarray, shape (B, d)
            Points of the unit cube.
        """
        values, noise = self.outputs(points)
        model = values.var(axis=0)
        return Prediction(
            self.centre + self.unit * values.mean(axis=0),
            self.unit**2 * (model + noise.mean(axis=0)),
            self.unit**2 * model,
        )


def negative_log_likelihood(prediction: Prediction, targets: Array) -> float:
    """Mean negative logarithm of the normal density at targets, NLL of NAGO's table 1.

    Parameters
    ----------
    prediction : Prediction
    targets : ndarray, shape (B,)
    """
    gap = targets - prediction.mean
    terms = np.log(2 * np.pi * prediction.variance) + gap**2 / prediction.variance
    return float(terms.mean() / 2)


def root_mean_square_error(prediction: Prediction, targets: Array) -> float:
    """Root of the mean square of what the mean is off, RMSE of NAGO's table 1."""
    return float(np.sqrt(((targets - prediction.mean) ** 2).mean()))


def scaled(points: Array) -> Array:
    """Points of the unit cube, moved and stretched to mean 0 and variance 1 if uniform."""
    return np.asarray((points - 0.5) * np.sqrt(12.0))


def _check(points: Array, targets: Array) -> None:
    if points.ndim != 2 or targets.shape != points.shape[:1] or not points.size:
        raise DagnasError(
            f"points of shape {points.shape} with targets of shape {targets.shape}: expected "
            "(N, d) and (N,), at least one of each"
        )
    for name, values in (("points", points), ("targets", targets)):
        if not np.isfinite(values).all():
            raise DagnasError(f"{name} of a network hold NaN or infinity")


def _start(widths: Places, varies: bool, rng: np.random.Generator) -> Array:
    """First weights: kernels of variance 1 over the number of inputs, no biases, w_n of 0."""
    parts = []
    for width, out in pairwise(widths):
        parts += [rng.normal(scale=width**-0.5, size=width * out), np.zeros(out)]
    return np.concatenate([*parts, np.zeros(0 if varies else 1)])


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is called first; keep the code on disk where there is a place."""
    # Contraction lets a product and a sum be one instruction; nothing is reordered.
    compiled = njit(error_model="numpy", fastmath={"contract"})(function)
    # Neither the package's folder nor the user's can be written.
    with suppress(RuntimeError):
        compiled.enable_caching()
    return compiled


@_compiled
def sample(
    points: Array,
    targets: Array,
    weights: Array,
    widths: Places,
    varies: bool,
    steps: int,
    burn_in: int,
    every: int,
    lr: float,
    batch: int,
    decay: float,
    rng: np.random.Generator,
) -> Array:
    """Sample weights by scale-adapted SGHMC (Springenberg et al. 2016, section 4).

    A step is ``v += -e^2 V^(-1/2) g - alpha v + noise`` and ``w += v``, where g is the gradient of
    the energy on a minibatch, V the average of its square, and the noise is normal with variance
    ``2 e^2 alpha V^(-1/2) - e^4``: their update after the substitution of e C V^(-1/2) by alpha.
    The last term is what the gradient's own noise adds, estimated as V; a step on all points has
    none. Where the difference is negative, no noise is added.

    V is averaged in the burn-in alone, so that the chain has a stationary distribution after it.
    The window tau of the average is long while the gradient's mean is small beside its size:
    ``tau += 1 - (mean^2 / V) tau``.

    Parameters
    ----------
    points : ndarray, shape (N, d)
        Inputs, scaled.
    targets : ndarray, shape (N,)
        Standardised.
    weights : ndarray, shape (P,)
        Where the chain begins.
    widths : ndarray of int, shape (L + 1,)
        Of inputs, hidden layers and outputs.
    varies : bool
        Whether the noise is the second output, or the last weight.
    steps, burn_in, every, lr, batch, decay
        As in `Chain`.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (K, P)
        Weights after every ``every`` steps that follow the burn-in.
    """
    size, count = len(points), len(weights)
    batch = min(batch, size)
    weights = weights.copy()
    velocity, gradient = np.zeros(count), np.zeros(count)
    window, mean, square = np.zeros(count), np.zeros(count), np.ones(count)
    pull, spread = np.zeros(count), np.zeros(count)
    order = np.arange(size)
    kept = np.empty(((steps - burn_in) // every, count))
    states = np.empty((len(widths), batch, widths.max()))
    back = np.empty((2, batch, widths.max()))
    for step in range(steps):
        if batch < size:
            # The first places of a shuffle: points drawn without replacement.
            for place in range(batch):
                other = place + int(rng.random() * (size - place))
                order[place], order[other] = order[other], order[place]
        energy_and_gradient(
            points, targets, order[:batch], weights, widths, varies, gradient, states, back
        )
        if step < burn_in:
            adapt(gradient, window, mean, square)
        if step <= burn_in:
            own = lr**4 if batch < size else 0.0
            for i in range(count):
                pull[i] = lr * lr / np.sqrt(square[i] + _SMALL)
                spread[i] = np.sqrt(max(2 * decay * pull[i] - own, 0.0))
        move(weights, velocity, gradient, pull, spread, decay, rng)
        if step >= burn_in and (step - burn_in + 1) % every == 0:
            kept[(step - burn_in) // every] = weights
    return kept


@_compiled
def adapt(gradient: Array, window: Array, mean: Array, square: Array) -> None:
    """Take a gradient into the averages of the burn-in.

    Averages move by 1 / (tau + 1), not 1 / tau: a window of 1 would keep mean^2 = V, and so itself,
    for ever. A window of 0, the first, forgets where averages begin.

    Parameters
    ----------
    gradient : ndarray, shape (P,)
    window : ndarray, shape (P,)
        tau, the steps that averages go back; changed in place.
    mean, square : ndarray, shape (P,)
        Averages of the gradient and of its square, V; changed in place.
    """
    for i in range(len(gradient)):
        rate = 1 / (window[i] + 1)
        mean[i] += rate * (gradient[i] - mean[i])
        square[i] += rate * (gradient[i] * gradient[i] - square[i])
        window[i] += 1 - mean[i] * mean[i] / (square[i] + _SMALL) * window[i]


@_compiled
def move(
    weights: Array,
    velocity: Array,
    gradient: Array,
    pull: Array,
    spread: Array,
    decay: float,
    rng: np.random.Generator,
) -> None:
    """Take a step of SGHMC.

    Parameters
    ----------
    weights, velocity : ndarray, shape (P,)
        Changed in place.
    gradient : ndarray, shape (P,)
        Of the energy at the weights.
    pull : ndarray, shape (P,)
        e^2 V^(-1/2), what a gradient of 1 takes from the velocity.
    spread : ndarray, shape (P,)
        Standard deviation of the noise.
    decay : float
        alpha.
    rng : numpy.random.Generator
    """
    for i in range(len(weights)):
        velocity[i] -= pull[i] * gradient[i] + decay * velocity[i]
        velocity[i] += spread[i] * rng.standard_normal()
        weights[i] += velocity[i]


@_compiled
def energy_and_gradient(
    points: Array,
    targets: Array,
    rows: Places,
    weights: Array,
    widths: Places,
    varies: bool,
    gradient: Array,
    states: Array,
    back: Array,
) -> float:
    """Energy of weights on a minibatch: its gradient is written to ``gradient``.

    The energy is the negative logarithm of likelihood and prior up to a constant:
    ``N / b sum ((y - f)^2 / s + log s) / 2 + sum w^2 / 2`` over b of N points, with
    ``s = FLOOR + exp(...)`` of the second output or of the last weight.

    Parameters
    ----------
    points, targets, weights, widths, varies
        As in `sample`.
    rows : ndarray of int, shape (b,)
        Points of the minibatch.
    gradient : ndarray, shape (P,)
        Receives the gradient.
    states, back : ndarray, shapes (L + 1, b, W) and (2, b, W)
        Room for what layers compute, W the largest width.
    """
    layers, batch = len(widths) - 1, len(rows)
    share = len(points) / batch
    for row in range(batch):
        for i in range(widths[0]):
            states[0, row, i] = points[rows[row], i]
    place = 0
    for layer in range(layers):
        width, out = widths[layer], widths[layer + 1]
        bias = place + width * out
        for row in range(batch):
            for o in range(out):
                states[layer + 1, row, o] = weights[bias + o]
            for i in range(width):
                value = states[layer, row, i]
                for o in range(out):
                    states[layer + 1, row, o] += value * weights[place + i * out + o]
            if layer < layers - 1:
                for o in range(out):
                    states[layer + 1, row, o] = np.tanh(states[layer + 1, row, o])
        place = bias + out

    # The prior, and the likelihood with its gradient in the outputs.
    energy = 0.0
    for i in range(len(weights)):
        gradient[i] = weights[i]
        energy += 0.5 * weights[i] * weights[i]
    for row in range(batch):
        log = states[layers, row, 1] if varies else SPREAD * weights[-1]
        raw = np.exp(CENTRE + log)
        variance = FLOOR + raw
        gap = states[layers, row, 0] - targets[rows[row]]
        energy += 0.5 * share * (gap * gap / variance + np.log(variance))
        back[layers % 2, row, 0] = share * gap / variance
        of_log = 0.5 * share * raw * (1 - gap * gap / variance) / variance
        if varies:
            back[layers % 2, row, 1] = of_log
        else:
            gradient[-1] += SPREAD * of_log

    # The layers, last to first.
    for layer in range(layers - 1, -1, -1):
        width, out = widths[layer], widths[layer + 1]
        bias = place - out
        place = bias - width * out
        above, below = back[(layer + 1) % 2], back[layer % 2]
        for row in range(batch):
            for o in range(out):
                gradient[bias + o] += above[row, o]
            for i in range(width):
                value, total = states[layer, row, i], 0.0
                for o in range(out):
                    gradient[place + i * out + o] += value * above[row, o]
                    total += weights[place + i * out + o] * above[row, o]
                below[row, i] = total * (1 - value * value)
    return energy
