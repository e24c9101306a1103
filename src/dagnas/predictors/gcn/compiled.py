"""Training of a GCN on a CPU, compiled, with the gradient written out.

A step on a batch of cells is some hundred operations on small arrays. In PyTorch most of its time
is taken by calling them, by going through memory for each, and by vertices that are not there.

`loss_and_gradient` is the one function that has a gradient of its own: it equals PyTorch's for
`dagnas.predictors.gcn.model.Body` under a weighted squared error, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.floating]
Places = NDArray[np.int64]


def _compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is called first; keep the code on disk where there is a place."""
    # Contraction lets a product and a sum be one instruction; nothing is reordered.
    compiled = njit(error_model="numpy", fastmath={"contract"})(function)
    # Neither the package's folder nor the user's can be written.
    with suppress(RuntimeError):
        compiled.enable_caching()
    return compiled


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
    """Train the network of `dagnas.predictors.gcn.model.Body` by Adam on a weighted squared error.

    Parameters
    ----------
    sums, messages : ndarray, shapes (N, V, F) and (N, V, V)
        Encoded cells.
    targets, importances : ndarray, shape (N,)
        True errors as fractions, and the weights of their squared differences.
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
    gradient = np.empty_like(weights)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    losses = np.zeros(len(orders), weights.dtype)
    step = 0
    for epoch in range(len(orders)):
        for start in range(0, orders.shape[1], batch_size):
            chosen = orders[epoch, start : start + batch_size]
            if len(chosen) < 2:
                continue
            losses[epoch] += loss_and_gradient(
                sums[chosen],
                messages[chosen],
                targets[chosen],
                importances[chosen],
                weights,
                gradient,
                mean,
                variance,
                epsilon,
                momentum,
            )
            step += 1
            length = number(lr / (1 - _DECAY**step))
            scale = number(1 / np.sqrt(1 - _SQUARE_DECAY**step))
            for i in range(len(weights)):
                first[i] += number(1 - _DECAY) * (gradient[i] - first[i])
                square = gradient[i] * gradient[i]
                second[i] += number(1 - _SQUARE_DECAY) * (square - second[i])
                root = np.sqrt(second[i]) * scale
                weights[i] -= length * first[i] / (root + number(_SMALL))
    return losses


@_compiled
def loss_and_gradient(
    sums: Array,
    messages: Array,
    targets: Array,
    importances: Array,
    weights: Array,
    gradient: Array,
    mean: Array,
    variance: Array,
    epsilon: float,
    momentum: float,
) -> np.floating:
    """Loss of a batch; its gradient with respect to the weights is written to ``gradient``.

    Parameters are those of `train`; running statistics move towards the batch's.
    """
    number = weights.dtype.type
    layers, hidden = mean.shape
    places, sizes = number_rows(messages, layers)
    inputs, values, states, means, variances = convolve(
        sums, messages, places, sizes, weights, layers, hidden, epsilon
    )
    for layer in range(layers):
        for at in range(hidden):
            mean[layer, at] += number(momentum) * (means[layer, at] - mean[layer, at])
            variance[layer, at] += number(momentum) * (variances[layer, at] - variance[layer, at])

    # The head: a weighted squared error of a sigmoid of a linear layer.
    graphs, place = len(sums), len(weights) - hidden - 1
    head, bias = weights[place : place + hidden], weights[place + hidden]
    output = np.dot(states[-1], head)
    loss = number(0)
    for graph in range(graphs):
        score = 1 / (1 + np.exp(output[graph] + bias))
        gap = score - targets[graph]
        loss += importances[graph] * gap * gap
        output[graph] = 2 * importances[graph] * gap * score * (score - 1) / number(graphs)
    np.dot(output, states[-1], gradient[place : place + hidden])
    gradient[place + hidden] = output.sum()

    # The layers, last to first; ``back`` is the gradient with respect to a layer's states.
    back = np.dot(output.reshape(graphs, 1), head.reshape(1, hidden))
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
            gradient[place : place + hidden],
            gradient[place + hidden : place + 2 * hidden],
        )
        place -= width * hidden
        end = place + width * hidden
        np.dot(inputs[layer].T, back, gradient[place:end].reshape(width, hidden))
        if layer:
            # What was received goes back along the messages.
            kernel = weights[place:end].reshape(width, hidden)
            received = np.dot(back, kernel.T)
            back = collect(messages, True, places[layer + 1], places[layer], received, sizes[layer])
    return loss / number(graphs)


@_compiled
def number_rows(messages: Array, layers: int) -> tuple[list[Places], list[int]]:
    """Rows of the vertices that each layer computes, which leaves out those that are not there.

    Parameters
    ----------
    messages : ndarray, shape (B, V, V)
    layers : int

    Returns
    -------
    places : list of ndarray of int, shape (B, V), length ``layers + 1``
        Row of every vertex among the inputs of a layer, or -1; at last among the embeddings, which
        are the global vertices' alone.
    sizes : list of int
        Number of rows of each.
    """
    graphs, vertices, _ = messages.shape
    rows = np.full((graphs, vertices), -1)
    last = np.full((graphs, vertices), -1)
    count = 0
    for graph in range(graphs):
        last[graph, vertices - 1] = graph
        for vertex in range(vertices):
            if messages[graph, vertex, vertex] > 0:
                rows[graph, vertex] = count
                count += 1
    return [rows] * layers + [last], [count] * layers + [graphs]


@_compiled
def convolve(
    sums: Array,
    messages: Array,
    places: list[Places],
    sizes: list[int],
    weights: Array,
    layers: int,
    hidden: int,
    epsilon: float,
) -> tuple[list[Array], list[Array], list[Array], Array, Array]:
    """Apply all layers in training.

    Parameters are those of `train` and what `number_rows` gives.

    Returns
    -------
    inputs, values, states : list of ndarray
        For each layer what its vertices receive, that times the kernel, and what `normalise`
        makes of it; a row a vertex.
    means, variances : ndarray, shape (L, H)
        Statistics of the values.
    """
    graphs, vertices, features = sums.shape
    # What the first layer receives is given.
    received = np.empty((sizes[1], features), weights.dtype)
    for graph in range(graphs):
        for vertex in range(vertices):
            if places[1][graph, vertex] >= 0:
                for feature in range(features):
                    received[places[1][graph, vertex], feature] = sums[graph, vertex, feature]
    inputs = [received]
    values, states = inputs[:0], inputs[:0]  # empty, but of a type that the compiler knows
    means = np.empty((layers, hidden), weights.dtype)
    variances = np.empty_like(means)
    place = 0
    for layer in range(layers):
        if layer:
            inputs.append(
                collect(
                    messages, False, places[layer], places[layer + 1], states[-1], sizes[layer + 1]
                )
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
    return inputs, values, states, means, variances


@_compiled
def collect(
    messages: Array, reverse: bool, sources: Places, targets: Places, states: Array, size: int
) -> Array:
    """Sum what vertices receive from each other.

    Parameters
    ----------
    messages : ndarray, shape (B, V, V)
        Weights: [b, i, j] of the message from j to i.
    reverse : bool
        Whether messages go from i to j instead.
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
                source = sources[graph, tail]
                weight = messages[graph, tail, head] if reverse else messages[graph, head, tail]
                if weight != 0 and source >= 0:
                    for channel in range(width):
                        sums[target, channel] += weight * states[source, channel]
    return sums


@_compiled
def normalise(
    values: Array, scale: Array, shift: Array, epsilon: float, mean: Array, variance: Array
) -> Array:
    """Apply batch normalisation as in training, and ReLU.

    Parameters
    ----------
    values : ndarray, shape (R, H)
    scale, shift : ndarray, shape (H,)
    epsilon : float
        Is added to variances.
    mean, variance : ndarray, shape (H,)
        Receive those of the values; the biased variance.

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
    gradient: Array,
    states: Array,
    values: Array,
    mean: Array,
    variance: Array,
    scale: Array,
    epsilon: float,
    of_scale: Array,
    of_shift: Array,
) -> None:
    """Write the gradient of `normalise`.

    Parameters
    ----------
    gradient : ndarray, shape (R, H)
        Gradient with respect to the states; becomes that with respect to the values.
    states, values, mean, variance, scale, epsilon
        As in `normalise`.
    of_scale, of_shift : ndarray, shape (H,)
        Receive the gradients with respect to scale and shift.
    """
    rows, width = values.shape
    number = values.dtype.type
    total, product = np.zeros(width, values.dtype), np.zeros(width, values.dtype)
    for row in range(rows):
        for channel in range(width):
            change = gradient[row, channel] if states[row, channel] > 0 else number(0)
            total[channel] += change
            product[channel] += change * values[row, channel]
    factor, pull, offset = np.empty_like(total), np.empty_like(total), np.empty_like(total)
    for channel in range(width):
        inverse = number(1) / np.sqrt(variance[channel] + number(epsilon))
        of_shift[channel] = total[channel]
        of_scale[channel] = (product[channel] - mean[channel] * total[channel]) * inverse
        factor[channel] = scale[channel] * inverse
        # Every row moves the mean by one part in `rows`, and the variance with it.
        part = factor[channel] / number(rows)
        pull[channel] = -part * inverse * of_scale[channel]
        offset[channel] = -part * total[channel] - mean[channel] * pull[channel]
    for row in range(rows):
        for channel in range(width):
            change = gradient[row, channel] if states[row, channel] > 0 else number(0)
            gradient[row, channel] = (
                change * factor[channel] + values[row, channel] * pull[channel] + offset[channel]
            )
