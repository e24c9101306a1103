"""Layers of the GCN in training on a CPU, each compiled to a pass over the vertices.

In single operations of PyTorch a layer goes through memory a dozen times and computes vertices
that are not there.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.floating]
Places = NDArray[np.int64]

#: Contraction lets a product and a sum be one instruction; nothing is reordered.
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})


@_compiled
def collect(messages: Array, sources: Places, targets: Places, states: Array, size: int) -> Array:
    """Sum what vertices send to each other.

    Parameters
    ----------
    messages : ndarray, shape (B, V, V)
        Weights: [b, i, j] of the message from j to i.
    sources, targets : ndarray of int, shape (B, V)
        Row of every vertex among those that send and those that receive; -1 if it does not.
    states : ndarray, shape (R, H)
        What is sent, a row a vertex.
    size : int
        Number of vertices that receive.

    Returns
    -------
    ndarray, shape (size, H)
    """
    width = states.shape[1]
    sums = np.zeros((size, width), states.dtype)
    for graph in range(messages.shape[0]):
        for head in range(messages.shape[1]):
            target = targets[graph, head]
            if target < 0:
                continue
            for tail in range(messages.shape[2]):
                weight, source = messages[graph, head, tail], sources[graph, tail]
                if weight != 0 and source >= 0:
                    for channel in range(width):
                        sums[target, channel] += weight * states[source, channel]
    return sums


@_compiled
def normalise(
    values: Array, scale: Array, shift: Array, epsilon: float
) -> tuple[Array, Array, Array]:
    """Batch normalisation in training, and ReLU.

    Parameters
    ----------
    values : ndarray, shape (R, H)
    scale, shift : ndarray, shape (H,)
    epsilon : float
        Is added to variances.

    Returns
    -------
    states : ndarray, shape (R, H)
    mean, variance : ndarray, shape (H,)
        Of the values; the biased variance.
    """
    rows, width = values.shape
    number = values.dtype.type
    mean, variance = np.zeros(width, values.dtype), np.zeros(width, values.dtype)
    for row in range(rows):
        for channel in range(width):
            value = values[row, channel]
            mean[channel] += value
            variance[channel] += value * value
    factor, offset = np.empty_like(mean), np.empty_like(mean)
    for channel in range(width):
        mean[channel] /= number(rows)
        square = variance[channel] / number(rows) - mean[channel] * mean[channel]
        variance[channel] = max(square, number(0))
        factor[channel] = scale[channel] / np.sqrt(variance[channel] + number(epsilon))
        offset[channel] = shift[channel] - mean[channel] * factor[channel]
    states = np.empty_like(values)
    for row in range(rows):
        for channel in range(width):
            state = values[row, channel] * factor[channel] + offset[channel]
            states[row, channel] = max(state, number(0))
    return states, mean, variance


@_compiled
def normalise_back(
    slope: Array,
    states: Array,
    values: Array,
    mean: Array,
    variance: Array,
    scale: Array,
    epsilon: float,
    of_scale: Array,
    of_shift: Array,
) -> None:
    """Gradient of `normalise`.

    Parameters
    ----------
    slope : ndarray, shape (R, H)
        Gradient with respect to the states; becomes that with respect to the values.
    states, values, mean, variance, scale, epsilon
        As in `normalise`.
    of_scale, of_shift : ndarray, shape (H,)
        Are given the gradients with respect to scale and shift.
    """
    rows, width = values.shape
    number = values.dtype.type
    total, product = np.zeros(width, values.dtype), np.zeros(width, values.dtype)
    for row in range(rows):
        for channel in range(width):
            change = slope[row, channel] if states[row, channel] > 0 else number(0)
            total[channel] += change
            product[channel] += change * values[row, channel]
    factor, pull, offset = np.empty_like(mean), np.empty_like(mean), np.empty_like(mean)
    for channel in range(width):
        inverse = number(1) / np.sqrt(variance[channel] + number(epsilon))
        of_shift[channel] = total[channel]
        of_scale[channel] = (product[channel] - mean[channel] * total[channel]) * inverse
        factor[channel] = scale[channel] * inverse
        # Every row moves mean and variance by its share.
        share = factor[channel] / number(rows)
        pull[channel] = -share * inverse * of_scale[channel]
        offset[channel] = -share * total[channel] - mean[channel] * pull[channel]
    for row in range(rows):
        for channel in range(width):
            change = slope[row, channel] if states[row, channel] > 0 else number(0)
            slope[row, channel] = (
                change * factor[channel] + values[row, channel] * pull[channel] + offset[channel]
            )
