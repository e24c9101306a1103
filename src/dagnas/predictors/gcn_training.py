"""Training of a GCN on a CPU, compiled.

A step on a batch of cells is some hundred operations on small arrays. In PyTorch most of its time
is taken by calling them, by going through memory for each, and by vertices that are not there.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.floating]
Places = NDArray[np.int64]

#: Contraction lets a product and a sum be one instruction; nothing is reordered.
_compiled = njit(cache=True, error_model="numpy", fastmath={"contract"})

# Adam's, as PyTorch's.
_DECAY, _SQUARE_DECAY, _SMALL = 0.9, 0.999, 1e-8


@_compiled
def train(
    sums: Array,
    messages: Array,
    targets: Array,
    importances: Array,
    weights: Array,
    mean: Array,
    variance: Array,
    orders: Places,
    batch_size: int,
    lr: float,
    epsilon: float,
    momentum: float,
) -> Array:
    """Train the network of `dagnas.predictors.gcn.Body` by Adam on a weighted squared error.

    Parameters
    ----------
    sums, messages : ndarray, shapes (N, V, F) and (N, V, V)
        Encoded cells.
    targets, importances : ndarray, shape (N,)
        True errors, shares in [0, 1], and the weights of their squared differences.
    weights : ndarray, shape (P,)
        The body's; changed in place.
    mean, variance : ndarray, shape (L, H)
        Running statistics of the batch normalisations; changed in place.
    orders : ndarray of int, shape (epochs, N)
        Cells in the order of each epoch.
    batch_size : int
        Cells of a step. A last batch of a single cell is left out.
    lr : float
        Step size.
    epsilon, momentum : float
        Of batch normalisation.

    Returns
    -------
    ndarray, shape (epochs,)
        Sum of the batches' losses in each epoch.
    """
    number = weights.dtype.type
    slope, first, second = np.empty_like(weights), np.zeros_like(weights), np.zeros_like(weights)
    losses = np.zeros(len(orders), weights.dtype)
    step = 0
    for epoch in range(len(orders)):
        for start in range(0, orders.shape[1], batch_size):
            chosen = orders[epoch, start : start + batch_size]
            if len(chosen) < 2:
                continue
            losses[epoch] += differentiate(
                sums[chosen],
                messages[chosen],
                targets[chosen],
                importances[chosen],
                weights,
                slope,
                mean,
                variance,
                epsilon,
                momentum,
            )
            step += 1
            length = number(lr / (1 - _DECAY**step))
            scale = number(1 / np.sqrt(1 - _SQUARE_DECAY**step))
            for i in range(len(weights)):
                first[i] += number(1 - _DECAY) * (slope[i] - first[i])
                square = slope[i] * slope[i]
                second[i] += number(1 - _SQUARE_DECAY) * (square - second[i])
                root = np.sqrt(second[i]) * scale
                weights[i] -= length * first[i] / (root + number(_SMALL))
    return losses


@_compiled
def differentiate(
    sums: Array,
    messages: Array,
    targets: Array,
    importances: Array,
    weights: Array,
    slope: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
    momentum: float,
) -> np.floating:
    """Loss of a batch; its gradient with respect to the weights goes to ``slope``.

    Parameters are those of `train`; running statistics take in the batch's.
    """
    number = weights.dtype.type
    graphs, vertices, features = sums.shape
    layers, hidden = mean.shape

    # Rows of the vertices that are there, and of the last layer, which has global ones alone.
    rows = np.full((graphs, vertices), -1)
    last = np.full((graphs, vertices), -1)
    count = 0
    for graph in range(graphs):
        last[graph, vertices - 1] = graph
        for vertex in range(vertices):
            if messages[graph, vertex, vertex] > 0:
                rows[graph, vertex] = count
                count += 1
    places = [rows] * layers + [last]
    sizes = [count] * layers + [graphs]

    # What the first layer receives is given.
    received = np.empty((sizes[1], features), weights.dtype)
    for graph in range(graphs):
        for vertex in range(vertices):
            if places[1][graph, vertex] >= 0:
                received[places[1][graph, vertex]] = sums[graph, vertex]
    inputs = [received]
    values, states = inputs[:0], inputs[:0]  # empty, but of a type that the compiler knows
    means, variances = np.empty_like(mean), np.empty_like(variance)
    place = 0
    for layer in range(layers):
        if layer:
            inputs.append(
                collect(messages, places[layer], places[layer + 1], states[-1], sizes[layer + 1])
            )
        width = inputs[layer].shape[1]
        kernel = weights[place : place + width * hidden].reshape(width, hidden)
        place += width * hidden
        values.append(np.dot(inputs[layer], kernel))
        scale, shift = weights[place : place + hidden], weights[place + hidden : place + 2 * hidden]
        states.append(
            normalise(values[layer], scale, shift, epsilon, means[layer], variances[layer])
        )
        place += 2 * hidden
    mean += number(momentum) * (means - mean)
    variance += number(momentum) * (variances - variance)

    head, bias = weights[place : place + hidden], weights[place + hidden]
    output = np.dot(states[-1], head)
    loss = number(0)
    for graph in range(graphs):
        score = 1 / (1 + np.exp(output[graph] + bias))
        gap = score - targets[graph]
        loss += importances[graph] * gap * gap
        output[graph] = 2 * importances[graph] * gap * score * (score - 1) / number(graphs)
    slope[place : place + hidden] = np.dot(output, states[-1])
    slope[place + hidden] = output.sum()

    back = np.outer(output, head)
    for layer in range(layers - 1, -1, -1):
        width = inputs[layer].shape[1]
        place -= 2 * hidden
        normalise_back(
            back,
            states[layer],
            values[layer],
            means[layer],
            variances[layer],
            weights[place : place + hidden],
            epsilon,
            slope[place : place + hidden],
            slope[place + hidden : place + 2 * hidden],
        )
        place -= width * hidden
        slope[place : place + width * hidden] = np.dot(inputs[layer].T, back).ravel()
        if layer:
            # What was received goes back along the messages.
            kernel = weights[place : place + width * hidden].reshape(width, hidden)
            back = collect(
                messages.transpose(0, 2, 1),
                places[layer + 1],
                places[layer],
                np.dot(back, kernel.T),
                sizes[layer],
            )
    return loss / number(graphs)


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
    values: Array, scale: Array, shift: Array, epsilon: float, mean: Array, variance: Array
) -> Array:
    """Batch normalisation in training, and ReLU.

    Parameters
    ----------
    values : ndarray, shape (R, H)
    scale, shift : ndarray, shape (H,)
    epsilon : float
        Is added to variances.
    mean, variance : ndarray, shape (H,)
        Are given those of the values; the biased variance.

    Returns
    -------
    ndarray, shape (R, H)
    """
    rows, width = values.shape
    number = values.dtype.type
    total, square = np.zeros(width, values.dtype), np.zeros(width, values.dtype)
    for row in range(rows):
        for channel in range(width):
            value = values[row, channel]
            total[channel] += value
            square[channel] += value * value
    factor, offset = np.empty_like(total), np.empty_like(total)
    for channel in range(width):
        average = total[channel] / number(rows)
        spread = max(square[channel] / number(rows) - average * average, number(0))
        factor[channel] = scale[channel] / np.sqrt(spread + number(epsilon))
        offset[channel] = shift[channel] - average * factor[channel]
        mean[channel], variance[channel] = average, spread
    states = np.empty_like(values)
    for row in range(rows):
        for channel in range(width):
            state = values[row, channel] * factor[channel] + offset[channel]
            states[row, channel] = max(state, number(0))
    return states


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
    factor, pull, offset = np.empty_like(total), np.empty_like(total), np.empty_like(total)
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
