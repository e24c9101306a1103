"""Stacks of language models, computed as one model with a leading axis of cells.

Models of a table are small, so that calls cost more than arithmetic. A stack of G models needs one
call in place of G: states have the shape (G, B, H) for B texts and H units, and products are one
batched product. Models with more nodes come first, so that those that have node i are the first
ones. No model's numbers depend on the others of its stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dagnas.spaces.recurrent import ACTIVATIONS, Trees
from dagnas.training.language_recipe import LanguageRecipe

_TANH, _RELU, _IDENTITY, _SIGMOID = range(len(ACTIVATIONS))


class _Node(NamedTuple):
    """A node of the first ``models`` models of a stack.

    Attributes
    ----------
    models : int
    source : tensor of int64, shape (models,)
        Row of each model's source among the states so far, one below the other.
    scale, shift : tensor, shape (models, 1, 1)
        With these, tanh and sigmoid are scale tanh(scale x) + shift.
    bends : tensor of bool, shape (models, 1, 1)
        Whether the activation is one of these two.
    slope : tensor, shape (models, 1, 1)
        Of relu and identity on negative numbers: 0 or 1.
    """

    models: int
    source: Tensor
    scale: Tensor
    shift: Tensor
    bends: Tensor
    slope: Tensor

    def activate(self, x: Tensor) -> Tensor:
        """Each model's own activation of x, shape (count, B, H)."""
        smooth = torch.tanh(x * self.scale) * self.scale + self.shift
        return torch.where(self.bends, smooth, torch.maximum(x, x * self.slope))


class StackedModels:
    """Stack of G language models, one per cell; see `dagnas.networks.recurrent.RecurrentModel`.

    Parameters
    ----------
    trees : Trees
        G cells, those with more nodes first.
    loose : ndarray of bool, shape (G, N)
        Nodes whose mean is the output.
    words : int
        Size of the vocabulary.
    recipe : LanguageRecipe
        Whose units, dropout and initial weights count.
    rngs : sequence of numpy Generator
        One per cell, for its initial weights: embedding, first product, nodes.
    device : str or torch.device
    """

    def __init__(
        self,
        trees: Trees,
        loose: NDArray[np.bool_],
        words: int,
        recipe: LanguageRecipe,
        rngs: Sequence[np.random.Generator],
        device: str | torch.device = "cpu",
    ) -> None:
        counts, units = trees.counts, recipe.units
        if (np.diff(counts) > 0).any():
            raise ValueError("models with more nodes come first")
        self.count, self.recipe, self.device = len(counts), recipe, torch.device(device)
        # Model after model, since each draws its numbers from a stream of its own.
        drawn = [
            [
                rng.uniform(-recipe.initial, recipe.initial, size)
                for size in (
                    (words, units),
                    (2 * units, 2 * units),
                    *[(units, 2 * units)] * int(count),
                )
            ]
            for rng, count in zip(rngs, counts, strict=True)
        ]
        #: Trainable tensors; the first axis is models.
        self.embedding, self.first = (self._stacked([d[i] for d in drawn]) for i in (0, 1))
        self.bias = torch.zeros(self.count, 1, words, device=self.device).requires_grad_()
        self.weights: list[Tensor] = []
        self._nodes: list[_Node] = []
        # Row of state i of model g among all states, where each has its first models alone.
        starts = [0, self.count]
        for node in range(int(counts.max())):
            members = int((counts > node).sum())
            self.weights.append(self._stacked([d[2 + node] for d in drawn[:members]]))
            self._nodes.append(self._node(trees, node, members, starts))
            starts.append(starts[-1] + members)
        self._output = self._mean(loose, starts)

    def _stacked(self, drawn: Sequence[NDArray[np.float64]]) -> Tensor:
        tensor = torch.from_numpy(np.stack(drawn)).to(self.device, torch.float32)
        return tensor.requires_grad_()

    def _node(self, trees: Trees, node: int, members: int, starts: Sequence[int]) -> _Node:
        model = np.arange(members)
        kind = trees.activations[:members, node]
        is_sigmoid = kind == _SIGMOID

        def factor(values: NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(values).to(self.device, torch.float32).view(-1, 1, 1)

        return _Node(
            members,
            torch.from_numpy(np.array(starts)[trees.sources[:members, node]] + model).to(
                self.device
            ),
            factor(np.where(is_sigmoid, 0.5, 1.0)),
            factor(np.where(is_sigmoid, 0.5, 0.0)),
            factor(np.isin(kind, (_TANH, _SIGMOID)).astype(np.float64)) > 0,
            factor((kind == _IDENTITY).astype(np.float64)),
        )

    def _mean(self, loose: NDArray[np.bool_], starts: Sequence[int]) -> list[tuple[int, Tensor]]:
        """Number of models of each node, and their weights in the mean, shape (count, 1, 1)."""
        shares = loose / loose.sum(axis=1, keepdims=True)
        return [
            (
                node.models,
                torch.from_numpy(shares[: node.models, number].reshape(-1, 1, 1)).to(
                    self.device, torch.float32
                ),
            )
            for number, node in enumerate(self._nodes)
        ]

    @property
    def parameters(self) -> list[Tensor]:
        """All trainable tensors."""
        return [self.embedding, self.bias, self.first, *self.weights]

    def start(self, batch: int) -> Tensor:
        """States before the first word: zeros of shape (G, B, units)."""
        return torch.zeros(self.count, batch, self.recipe.units, device=self.device)

    def forward(
        self, words: Tensor, state: Tensor, rngs: Sequence[np.random.Generator] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of the words that follow, of all models on the same words.

        Parameters
        ----------
        words : tensor of int64, shape (T, B)
        state : tensor, shape (G, B, units)
            Outputs after the word before.
        rngs : sequence of numpy Generator, optional
            One per cell, for dropout; without them nothing is dropped.

        Returns
        -------
        tuple of tensors
            Logits, shape (G, T * B, words); outputs after each word, shape (T, G, B, units).
        """
        recipe, (steps, batch) = self.recipe, words.shape
        inputs = self.embedding.index_select(1, words.flatten())
        inputs = inputs.view(self.count, steps, batch, recipe.units)
        masks = self._masks(batch, rngs)
        for name in ("dropout_embedding", "dropout_input"):
            if name in masks:
                inputs = inputs * masks[name][:, None]
        hidden = masks.get("dropout_hidden")
        outputs = []
        for word in inputs.unbind(1):
            state = self._step(word, state, hidden)
            outputs.append(state)
        found = torch.stack(outputs)
        read = found if "dropout" not in masks else found * masks["dropout"]
        read = read.transpose(0, 1).reshape(self.count, steps * batch, recipe.units)
        return torch.baddbmm(self.bias, read, self.embedding.transpose(1, 2)), found

    def _step(self, word: Tensor, last: Tensor, mask: Tensor | None) -> Tensor:
        read = last if mask is None else last * mask
        products = torch.bmm(torch.cat([word, read], dim=2), self.first)
        carry, candidate = products.chunk(2, dim=2)
        states = last + torch.sigmoid(carry) * (torch.tanh(candidate) - last)
        output = torch.zeros_like(last)
        for node, weights, (count, share) in zip(
            self._nodes, self.weights, self._output, strict=True
        ):
            before = states.index_select(0, node.source)
            read = before if mask is None else before * mask[:count]
            carry, candidate = torch.bmm(read, weights).chunk(2, dim=2)
            state = before + torch.sigmoid(carry) * (node.activate(candidate) - before)
            states = torch.cat([states, state])
            part = state * share
            output = output + (part if count == self.count else _padded(part, self.count))
        return output

    def _masks(self, batch: int, rngs: Sequence[np.random.Generator] | None) -> dict[str, Tensor]:
        """Factors of units, shape (G, B, units), of each kind of dropout that there is."""
        found: dict[str, Tensor] = {}
        for name in ("dropout_embedding", "dropout_input", "dropout_hidden", "dropout"):
            probability = getattr(self.recipe, name)
            if rngs is not None and probability:
                size = (batch, self.recipe.units)
                kept = np.stack([rng.random(size) >= probability for rng in rngs])
                mask = torch.from_numpy(kept).to(self.device, torch.float32)
                found[name] = mask / (1 - probability)
        return found

    def clip(self, norm: float) -> None:
        """Clip the gradients of each model to a norm of their own."""
        squares = [torch.zeros((), device=self.device) for _ in range(self.count)]
        gradients = [tensor.grad for tensor in self.parameters]
        for gradient in gradients:
            assert gradient is not None
            # One by one, since the order of sums in a joint one depends on their number.
            for model, own in enumerate(gradient.unbind()):
                squares[model] = squares[model] + own.square().sum()
        scale = (norm / (torch.stack(squares).sqrt() + 1e-6)).clamp(max=1).view(-1, 1, 1)
        for gradient in gradients:
            assert gradient is not None
            gradient.mul_(scale[: len(gradient)])


def _padded(part: Tensor, count: int) -> Tensor:
    """Zeros for the models that have no such node."""
    return F.pad(part, (0, 0, 0, 0, 0, count - len(part)))


def cross_entropies(logits: Tensor, following: Tensor) -> Tensor:
    """Sum of the cross-entropies of the words of a window, of each model; shape (G,).

    Parameters
    ----------
    logits : tensor, shape (G, T * B, words)
    following : tensor of int64, shape (T, B)
    """
    each = [F.cross_entropy(own, following.flatten(), reduction="sum") for own in logits.unbind()]
    return torch.stack(each)


def largest_first(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of cells, those with more nodes first."""
    return np.argsort(-counts, kind="stable")
