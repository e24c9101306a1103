"""Training of one language model by the one trainer, and its perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dagnas.errors import DagnasError
from dagnas.networks.recurrent import DROPPED, LanguageShape, RecurrentModel
from dagnas.spaces.recurrent import RecurrentGenotype
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import Split
from dagnas.training.language_recipe import LanguageRecipe
from dagnas.training.texts import PARTS, TextSet, columns, windows
from dagnas.training.trainer import Batch, Trainee, drawn, train

#: A number or an array of numbers.
Values = TypeVar("Values", float, NDArray[np.float64])


class TextWindows:
    """Windows of a text on a device, with what the trainer asks of a set of images.

    Its rows are windows, and its batches are all of them in the order of the text, whatever order
    is asked for, since a state is carried from one to the next.

    Parameters
    ----------
    text : TextSet
    recipe : LanguageRecipe
        Whose ``batch_size`` and ``window`` count.
    device : str

    Raises
    ------
    DagnasError
        A part has too few words for two of each stretch.
    """

    def __init__(self, text: TextSet, recipe: LanguageRecipe, device: str = "cpu") -> None:
        self.name, self.device = text.name, torch.device(device)
        self.window, self._text = recipe.window, text
        for part, words in zip(PARTS, text.parts, strict=True):
            if len(words) < 2 * recipe.batch_size:
                raise DagnasError(
                    f"text {text.name}: {part} has {len(words):,} words, too few for "
                    f"{recipe.batch_size} stretches of 2 words"
                )
        #: Words of each part, shape (T, B), by its name.
        self.words = {
            part: torch.from_numpy(columns(words, recipe.batch_size)).to(self.device)
            for part, words in zip(PARTS, text.parts, strict=True)
        }
        none = np.arange(0)
        self.split = Split(np.arange(len(self._places("train"))), none, none)

    def _places(self, part: str) -> list[slice]:
        return windows(len(self.words[part]), self.window)

    def digest(self) -> str:
        """Text that tells words and windows apart from others."""
        return f"{self.name} {self._text.digest()} {tuple(self.words['train'].shape)} {self.window}"

    def of(self, part: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Words and the words that follow them, window after window; shape (T, B) each."""
        words = self.words[part]
        for place in self._places(part):
            yield words[place], words[place.start + 1 : place.stop + 1]

    def batches(self, rows: NDArray[np.int64], *arguments: Any) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows to train on; see `of`."""
        return self.of("train")


class LanguageModelling(Trainee):
    """A language model with its loss: the mean cross-entropy of the next word, and slowness.

    Parameters
    ----------
    network : RecurrentModel
    recipe : LanguageRecipe
    """

    def __init__(self, network: RecurrentModel, recipe: LanguageRecipe) -> None:
        super().__init__(network)
        self._start = network.start(recipe.batch_size)
        self._slowness = recipe.slowness
        self._state = self._start

    def before_epoch(self, epoch: int, fraction: float) -> None:
        """Forget the end of the text."""
        self._state = self._start

    def loss(self, batch: Batch) -> Tensor:
        """Loss of a window, from the state after the one before."""
        words, following = batch.images, batch.labels
        logits, outputs = self.network(words, self._state.to(words.device))
        self._state = outputs[-1].detach()
        return language_loss(logits, following, outputs, self._slowness)

    def identity(self) -> str:
        """Name, and the weight of slowness."""
        return f"{super().identity()} {self._slowness}"


def language_loss(
    logits: Tensor, following: Tensor, outputs: Tensor, slowness: float = 0.0
) -> Tensor:
    """Mean cross-entropy of the words that follow, and a penalty on outputs that change quickly.

    Parameters
    ----------
    logits : tensor, shape (T, B, words)
    following : tensor of int64, shape (T, B)
    outputs : tensor, shape (T, B, units)
    slowness : float
        Weight of the mean squared difference of successive outputs.
    """
    loss = F.cross_entropy(logits.flatten(0, 1), following.flatten())
    if slowness and len(outputs) > 1:
        loss = loss + slowness * outputs.diff(dim=0).square().mean()
    return loss


def perplexity(network: nn.Module, text: TextWindows, part: str) -> float:
    """Exponential of the mean cross-entropy on a part of a text, in evaluation mode.

    All words but the first of each stretch count.
    """
    bare = cast(RecurrentModel, network)
    was_training = bare.training
    bare.eval()
    words = text.words[part]
    state = bare.start(words.shape[1]).to(words.device)
    total = torch.zeros((), dtype=torch.float64, device=words.device)
    with torch.no_grad():
        for some, following in text.of(part):
            logits, outputs = bare(some, state)
            state = outputs[-1]
            total += F.cross_entropy(
                logits.flatten(0, 1), following.flatten(), reduction="sum"
            ).double()
    bare.train(was_training)
    mean = float(total) / (words.numel() - words.shape[1])
    return exponential(mean)


def exponential(mean: float) -> float:
    """Perplexity of a mean cross-entropy; infinite where that is no number or far too large."""
    return math.exp(mean) if mean < 700 else math.inf


def saved(mean: float, guessing: float) -> float:
    """Share of the perplexity of guessing that a model saves, in %: its "accuracy" in tables.

    It is 100 (1 - perplexity / that of guessing), so it is 0 for guessing words by their frequency
    (`dagnas.training.texts.TextSet.guessing`), and falls with the perplexity along a line: its
    correlations are those of the perplexity. What is worse than guessing, or no number any more,
    counts as guessing.

    Parameters
    ----------
    mean : float
        Mean cross-entropy, the logarithm of the perplexity.
    guessing : float
        Perplexity of guessing.
    """
    return 100 * (1 - math.exp(mean) / guessing) if mean < math.log(guessing) else 0.0


def perplexity_of(percent: Values, guessing: float) -> Values:
    """Perplexity of a model that saves some % of that of guessing; see `saved`."""
    found: Values = guessing * (1 - percent / 100)
    return found


class TrainedLanguage(NamedTuple):
    """A language model after its training.

    Attributes
    ----------
    network : RecurrentModel
    curve : pyarrow.Table
        Columns epoch, loss (mean over windows, the penalty included), learning_rate and
        valid_perplexity.
    valid, test : float
        Perplexities.
    """

    network: RecurrentModel
    curve: pa.Table
    valid: float
    test: float


def shape_of(recipe: LanguageRecipe) -> LanguageShape:
    """Shape of the networks of a recipe."""
    return LanguageShape(
        units=recipe.units,
        initial=recipe.initial,
        **{name: getattr(recipe, name) for name in DROPPED},
    )


def train_language(
    genotype: RecurrentGenotype,
    text: TextSet,
    recipe: LanguageRecipe,
    names: Sequence[str | int],
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[Mapping[str, float | None]], object] | None = None,
    code: str = "",
) -> TrainedLanguage:
    """Train a language model from new weights, and measure its perplexities on held-out words.

    Parameters
    ----------
    genotype : RecurrentGenotype
    text : TextSet
        Of the vocabulary and sizes that are wanted: the recipe's are not applied here.
    recipe : LanguageRecipe
    names : sequence of str or int
        Names of the random streams.
    device, checkpoint, progress, code
        As of `dagnas.training.trainer.train`.

    Raises
    ------
    DagnasError
        As `dagnas.training.trainer.train` does, or there are too few words.
    """
    shape = shape_of(recipe)
    network = drawn(lambda: RecurrentModel(genotype, len(text.words), shape), *names)
    texts = TextWindows(text, recipe, device)
    curve = train(
        LanguageModelling(network, recipe),
        # The trainer asks of images what `TextWindows` has: name, split, batches, digest.
        cast(DeviceImages, texts),
        recipe.trainer(),
        names,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
        measure=lambda epoch: {"valid_perplexity": perplexity(network, texts, "valid")},
        code=code,
    )
    table = curve.table().drop_columns(["train_accuracy"])
    valid, test = (perplexity(network, texts, part) for part in ("valid", "test"))
    return TrainedLanguage(network, table, valid, test)
