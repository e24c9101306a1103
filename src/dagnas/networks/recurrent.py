"""Language models of recurrent cells (Pham et al. 2018, section 2.1; Liu et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dagnas.settings import Described
from dagnas.spaces.recurrent import UNITS, RecurrentGenotype

#: Functions of the activations of `dagnas.spaces.recurrent.ACTIVATIONS`.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
}
Dropped = Annotated[float, Field(ge=0, lt=1)]


class LanguageShape(Described):
    """Size and dropout of a language model; the defaults are those of DARTS on Penn Treebank."""

    units: Annotated[int, Field(gt=0, le=10_000)] = UNITS
    """Units of words, states and outputs."""
    dropout: Dropped = 0.75
    """Probability of dropping a unit of the output."""
    dropout_hidden: Dropped = 0.25
    """Probability of dropping a unit of what a node or the next time step reads."""
    dropout_input: Dropped = 0.75
    """Probability of dropping a unit of the word that the cell reads."""
    dropout_embedding: Dropped = 0.2
    """Probability of dropping a unit of the embedding, before that."""
    initial: Annotated[float, Field(gt=0, le=10)] = 0.04
    """Largest initial weight."""


#: Fields of `LanguageShape` that are probabilities of dropping.
DROPPED = ("dropout", "dropout_hidden", "dropout_input", "dropout_embedding")


class RecurrentModel(nn.Module):
    """Language model: embedding, one recurrent cell, and a decoder that shares its weights.

    With word x, last output h and products without biases,

        c, g = halves of W_0 [x, h],  s_0 = h + sigmoid(c) (tanh(g) - h),
        c, g = halves of W_i s_j,     s_i = s_j + sigmoid(c) (f_i(g) - s_j)

    for each node i, its source j and its activation f_i; the output is the mean of the states that
    the genotype names. Dropout keeps one mask for all time steps of a window.

    Parameters
    ----------
    genotype : RecurrentGenotype
    words : int
        Size of the vocabulary.
    shape : LanguageShape
    """

    def __init__(self, genotype: RecurrentGenotype, words: int, shape: LanguageShape) -> None:
        super().__init__()
        self.genotype, self.shape = genotype, shape
        units = shape.units
        self.embedding = self._drawn(words, units)
        self.first = self._drawn(2 * units, 2 * units)
        self.nodes = nn.ParameterList(self._drawn(units, 2 * units) for _ in genotype.recurrent)
        self.bias = nn.Parameter(torch.zeros(words))

    def _drawn(self, *size: int) -> nn.Parameter:
        return nn.Parameter(torch.empty(size).uniform_(-self.shape.initial, self.shape.initial))

    def start(self, batch: int) -> Tensor:
        """State before the first word: zeros of shape (B, units)."""
        return self.bias.new_zeros(batch, self.shape.units)

    def forward(self, words: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the words that follow.

        Parameters
        ----------
        words : tensor of int64, shape (T, B)
        state : tensor, shape (B, units)
            Output after the word before.

        Returns
        -------
        tuple of tensors
            Logits, shape (T, B, words); outputs after each word, shape (T, B, units).
        """
        shape, batch = self.shape, words.shape[1]
        inputs = F.embedding(words, self.embedding)
        inputs = inputs * self._mask(batch, shape.dropout_embedding)
        inputs = inputs * self._mask(batch, shape.dropout_input)
        hidden = self._mask(batch, shape.dropout_hidden)
        outputs = []
        for word in inputs:
            state = self._step(word, state, hidden)
            outputs.append(state)
        found = torch.stack(outputs)
        read = found * self._mask(batch, shape.dropout)
        return F.linear(read, self.embedding, self.bias), found

    def _step(self, word: Tensor, last: Tensor, mask: Tensor | float) -> Tensor:
        states = [_gated(torch.cat([word, last * mask], dim=1) @ self.first, last, torch.tanh)]
        for weights, (name, source) in zip(self.nodes, self.genotype.recurrent, strict=True):
            before = states[source]
            states.append(_gated((before * mask) @ weights, before, FUNCTIONS[name]))
        return torch.stack([states[node] for node in self.genotype.concat]).mean(dim=0)

    def _mask(self, batch: int, probability: float) -> Tensor | float:
        """Factors of the units of each text, shape (B, units); 1 where nothing is dropped."""
        if not self.training or not probability:
            return 1.0
        kept = torch.bernoulli(self.bias.new_full((batch, self.shape.units), 1 - probability))
        return kept / (1 - probability)


def _gated(products: Tensor, before: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """State after a highway connection around an activation."""
    carry, candidate = products.chunk(2, dim=1)
    return before + torch.sigmoid(carry) * (function(candidate) - before)
