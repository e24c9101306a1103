"""Learning curves: training of stacked language models, with perplexities after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dagnas.seeds import stream
from dagnas.spaces.cells import Cells
from dagnas.spaces.recurrent import RecurrentSpace
from dagnas.training.language import TextWindows, saved
from dagnas.training.language_recipe import LanguageRecipe
from dagnas.training.stacked_language import StackedModels, cross_entropies, largest_first
from dagnas.training.texts import PARTS, TextSet


class LanguageCurves:
    """Learning curves of cells whose language models are trained together on the same windows.

    All random numbers are drawn on the CPU from streams of the text, the seed and the cell, so that
    they depend neither on the device nor on the other cells.

    Parameters
    ----------
    space : RecurrentSpace
    text : TextSet
        Of the recipe's vocabulary and sizes.
    recipe : LanguageRecipe
    device : str
    """

    def __init__(
        self, space: RecurrentSpace, text: TextSet, recipe: LanguageRecipe, device: str = "cpu"
    ) -> None:
        self.space, self.recipe, self.device = space, recipe, device
        self._vocabulary, self._guessing = len(text.words), text.guessing
        self._text = TextWindows(text, recipe, device)

    def train(
        self,
        cells: Cells,
        codes: Sequence[int],
        seed: int,
        after_epoch: Callable[[], object] = lambda: None,
    ) -> NDArray[np.float64]:
        """Train a language model of every cell.

        Parameters
        ----------
        cells : Cells
            G cells.
        codes : sequence of int
            Their packed numbers, which name their random streams.
        seed : int
        after_epoch : callable
            Called after every epoch.

        Returns
        -------
        ndarray of float64, shape (G, epochs, 3)
            Perplexity saved after each epoch, in % (`dagnas.training.language.saved`): of training
            (each word at the step that trains on it), of validation, of test.
        """
        order = largest_first(self.space.to_trees(cells).counts)
        name, recipe = self._text.name, self.recipe
        ordered = [int(codes[place]) for place in order]
        models = self._models(
            cells[order], [stream(name, "weights", seed, code) for code in ordered]
        )
        dropping = [stream(name, "dropout", seed, code) for code in ordered]
        optimizer = self._optimizer(models)
        rates, steps = recipe.trainer(), len(self._text.split.train)
        curves = []
        for epoch in range(recipe.epochs):
            state, total = models.start(recipe.batch_size), np.zeros(models.count)
            for step, (words, following) in enumerate(self._text.of("train")):
                optimizer.param_groups[0]["lr"] = rates.rate(epoch, step, steps)
                losses, state = self._step(models, optimizer, words, following, state, dropping)
                total += losses
            parts = [total, *(self._total(models, part) for part in PARTS[1:])]
            curves.append(
                np.stack(
                    [self._in_percent(t, p) for t, p in zip(parts, PARTS, strict=True)], axis=1
                )
            )
            after_epoch()
        found = np.empty((models.count, recipe.epochs, len(PARTS)))
        found[order] = np.stack(curves, axis=1)
        return found

    def seconds(self, cells: Cells, steps: int = 2) -> float:
        """Seconds that `train` would take for these cells and one seed, from a few steps."""
        order = largest_first(self.space.to_trees(cells).counts)
        models = self._models(cells[order], [stream("seconds")] * len(order))
        optimizer, state = self._optimizer(models), models.start(self.recipe.batch_size)
        words, following = next(self._text.of("train"))
        times = []
        for _ in range(1 + steps):
            begin = time.perf_counter()
            self._step(models, optimizer, words, following, state, [stream("seconds")] * len(order))
            times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with torch.no_grad():
            models.forward(words, state)
        forward = time.perf_counter() - begin
        held_out = sum(len(self._text.words[part]) for part in PARTS[1:]) / len(words)
        # The first step is slower than the others.
        step = float(np.mean(times[1:]))
        return self.recipe.epochs * (len(self._text.split.train) * step + held_out * forward)

    def _models(self, cells: Cells, rngs: Sequence[np.random.Generator]) -> StackedModels:
        trees, ends = self.space.to_trees(cells), cells.edges[:, 1:-1, -1] > 0
        return StackedModels(trees, ends, self._vocabulary, self.recipe, rngs, self.device)

    def _optimizer(self, models: StackedModels) -> torch.optim.Optimizer:
        recipe = self.recipe
        return torch.optim.SGD(
            models.parameters,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            foreach=True,
        )

    def _step(
        self,
        models: StackedModels,
        optimizer: torch.optim.Optimizer,
        words: Tensor,
        following: Tensor,
        state: Tensor,
        rngs: Sequence[np.random.Generator],
    ) -> tuple[NDArray[np.float64], Tensor]:
        """Train all models one window; gives the sums of their cross-entropies, and the states."""
        logits, outputs = models.forward(words, state, rngs)
        losses = cross_entropies(logits, following)
        # Models have no weights in common, so the gradient of the sum holds that of each.
        loss = losses.sum() / following.numel()
        if self.recipe.slowness and len(outputs) > 1:
            differences = outputs.diff(dim=0)
            # Divided by the numbers of one model, whatever the number of models.
            weight = self.recipe.slowness / differences[:, 0].numel()
            loss = loss + weight * differences.square().sum()
        optimizer.zero_grad()
        loss.backward()
        if self.recipe.clip:
            models.clip(self.recipe.clip)
        optimizer.step()
        return losses.detach().cpu().double().numpy(), outputs[-1].detach()

    def _total(self, models: StackedModels, part: str) -> NDArray[np.float64]:
        """Sums of the cross-entropies of all words of a part."""
        state, total = models.start(self.recipe.batch_size), np.zeros(models.count)
        with torch.no_grad():
            for words, following in self._text.of(part):
                logits, outputs = models.forward(words, state)
                total += cross_entropies(logits, following).cpu().double().numpy()
                state = outputs[-1]
        return total

    def _in_percent(self, total: NDArray[np.float64], part: str) -> NDArray[np.float64]:
        words = self._text.words[part]
        count = words.numel() - words.shape[1]
        return np.array([saved(value / count, self._guessing) for value in total])
