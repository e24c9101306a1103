"""AlphaX: Monte Carlo tree search and a predictor (Wang et al. 2019, arXiv 1903.11059)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import nn

from dagnas.predictors.fit import fit, predict
from dagnas.predictors.predictor import drawing_from
from dagnas.predictors.products import Linear
from dagnas.search.method import Trial, method
from dagnas.search.models.tree import Node, back_up, ucb
from dagnas.search.pool import Sameness
from dagnas.seeds import torch_generator
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate

# A state counts as dead if none of 1,024 completions is valid (1,000 in the released code).
_BLOCK, _BLOCKS = 64, 16
_WIDTHS = (512, 2048, 2048, 512)


@method()
def alphax(
    space: CellSpace,
    rng: np.random.Generator,
    *,
    device: str = "cpu",
    exploration: NonNegativeFloat = 0.5,
    rollouts: PositiveInt = 10,
    interval: PositiveInt = 100,
    epochs: PositiveInt = 20,
    sameness: Sameness = "class",
) -> Trial:
    """Build cells variable by variable in a Monte Carlo tree search.

    A state is a cell of which only the first variables have values; an action gives the next one
    its value. (The paper's actions add vertices and edges to a small cell, or end it.) Each step
    goes along upper confidence bounds to a state that is not in the tree, adds it, and completes
    it at random. The state's value is the average of one completion's accuracy and the mean
    accuracy of others, which a network predicts (the Meta-DNN); it counts for all states passed.

    Settings are those of the released code for NAS-Bench-101, but for ``exploration``: 0.5 is the
    paper's, and 2 the code's.

    Parameters
    ----------
    exploration : float
        c of `ucb`, for accuracies in [0, 1].
    rollouts : int
        Other completions.
    interval : int
        The network is trained whenever so many more cells are evaluated; before, the other
        completions do not count.
    epochs : int
        Passes over all evaluated cells in each training.
    sameness : {"cell", "class"}
        Whether a completion has the accuracy of an evaluation before, instead of a new one, if
        this very cell was evaluated, or also if a cell isomorphic to it was.
    """
    generator = torch_generator(rng)
    with drawing_from(generator):
        network = _MetaDNN(space).to(device)
    optimizer: torch.optim.Optimizer | None = None
    number = space.canonical if sameness == "class" else space.pack
    known: dict[int, float] = {}
    cells = space.sample(0, rng)
    root, sizes = _State(), space.sizes.tolist()
    while not root.closed:
        path, prefix = _walk(root, sizes, exploration, rng)
        completions = _complete(space, prefix, 1 + rollouts, rng)
        if not len(completions):
            _close(path, sizes)
            continue
        codes = number(completions).tolist()
        is_new = codes[0] not in known
        if is_new:
            (signal,) = yield completions[0]
            known[codes[0]] = signal / 100
            cells = concatenate([cells, completions[0]])
        value = known[codes[0]]
        if optimizer is not None and len(codes) > 1:
            predicted = predict(network, space.to_graph(space.prune(completions[1:]))).tolist()
            pairs = zip(codes[1:], predicted, strict=True)
            value = (value + fmean(known.get(code, guess) for code, guess in pairs)) / 2
        back_up(path, value)
        if len(prefix) == len(sizes):
            _close(path, sizes)
        if is_new and len(known) % interval == 0:
            optimizer = fit(
                network,
                space.to_graph(space.prune(cells)),
                list(known.values()),
                epochs=epochs,
                batch_size=128,
                lr=2e-4,
                weight_decay=0,
                generator=generator,
                optimizer=optimizer,
                loss=nn.functional.mse_loss,
            ).optimizer


@dataclass(slots=True, eq=False)
class _State(Node):
    """A cell of which the first variables have values: a node of the tree.

    Attributes
    ----------
    children : dict of int to _State
        States in the tree that the values of the next variable lead to.
    closed : bool
        Whether there is nothing to evaluate below.
    """

    children: dict[int, _State] = field(default_factory=dict)
    closed: bool = False


def _walk(
    root: _State, sizes: list[int], exploration: float, rng: np.random.Generator
) -> tuple[list[_State], list[int]]:
    """States from the root to one that has no visits yet, and the values that lead there."""
    path, prefix = [root], list[int]()
    while path[-1].visits:
        state, size = path[-1], sizes[len(prefix)]
        untried = [value for value in range(size) if value not in state.children]
        if untried:
            value = untried[rng.integers(len(untried))]
            state.children[value] = _State()
        else:
            bounds = {
                value: ucb(child, state, exploration)
                for value, child in state.children.items()
                if not child.closed
            }
            value = max(bounds, key=bounds.__getitem__)
        path.append(state.children[value])
        prefix.append(value)
    return path, prefix


def _complete(space: CellSpace, prefix: list[int], n: int, rng: np.random.Generator) -> Cells:
    """Up to ``n`` valid cells with the given first values, the other values drawn uniformly."""
    rest = space.sizes[len(prefix) :]
    if not len(rest):
        cell = space.from_values(np.array([prefix]))
        return cell[space.is_valid(cell)]
    found = space.sample(0, rng)
    for _ in range(_BLOCKS):
        values = np.empty((_BLOCK, len(space.sizes)), dtype=np.int64)
        values[:, : len(prefix)] = prefix
        values[:, len(prefix) :] = rng.integers(rest, size=(_BLOCK, len(rest)))
        drawn = space.from_values(values)
        found = concatenate([found, drawn[space.is_valid(drawn)]])
        if len(found) >= n:
            break
    return found[:n]


def _close(path: list[_State], sizes: list[int]) -> None:
    """Close the last state of ``path``, and those above that have nothing else below."""
    path[-1].closed = True
    for state, size in reversed(list(zip(path[:-1], sizes, strict=False))):
        children = state.children.values()
        state.closed = len(children) == size and all(child.closed for child in children)


class _MetaDNN(nn.Module):
    """Fully connected network from a cell's one-hots to its accuracy in [0, 1]."""

    allowed: torch.Tensor

    def __init__(self, space: CellSpace) -> None:
        super().__init__()
        masks = np.concatenate([space.node_mask.ravel(), space.edge_mask.ravel()])
        allowed = torch.from_numpy(np.flatnonzero(masks))
        self.register_buffer("allowed", allowed, persistent=False)
        widths = [len(allowed), *_WIDTHS, 1]
        layers = [Linear(a, b) for a, b in pairwise(widths)]
        for number, layer in enumerate(layers):
            if number < 3:
                nn.init.uniform_(layer.weight, -0.05, 0.05)
            else:
                nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        hidden = [module for layer in layers[:-1] for module in (layer, nn.ReLU())]
        self.layers = nn.Sequential(*hidden, layers[-1], nn.Sigmoid())

    def forward(self, graphs: Graphs) -> torch.Tensor:
        """Predict accuracies, shape (B,)."""
        flat = torch.cat([graphs.nodes.flatten(1), graphs.edges.flatten(1)], dim=1)
        accuracies: torch.Tensor = self.layers(flat[:, self.allowed])
        return accuracies[:, 0]
