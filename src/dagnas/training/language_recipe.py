"""Recipe of language models: text, size, training; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from dagnas.settings import Settings
from dagnas.training.train_recipe import NotNegative, Positive, Probability, TrainRecipe


@dataclass(frozen=True, kw_only=True)
class LanguageRecipe:
    """Text, network and training; with the text's words it determines every value.

    The defaults are those of DARTS's public code on Penn Treebank, which trains as ENAS does, for
    the 10 epochs of BONAS (appendix A.1).

    Attributes
    ----------
    cells, seeds : int
        Random cells of a table, and trainings of each.
    vocabulary : int
        Most frequent words; all others become one. 0: all words are kept.
    train, valid, test : int
        Words of each part; 0: all.
    units : int
        Units of words, states and outputs.
    initial : float
        Largest initial weight.
    epochs : int
        Epochs of a training.
    batch_size : int
        Stretches of the text that are read side by side.
    window : int
        Words through which gradients are propagated back.
    learning_rate, final_learning_rate : float
        Learning rate of SGD, which goes from one to the other along a cosine; equal: it stays.
    weight_decay, clip : float
        Weight decay, and the norm that a model's gradients are clipped to; 0: they are not.
    slowness : float
        Weight of the mean squared difference of outputs after one word and the next.
    dropout, dropout_hidden, dropout_input, dropout_embedding : float
        Probabilities of dropping; see `dagnas.networks.recurrent.LanguageShape`.
    """

    cells: Annotated[int, Field(ge=2, le=1_000_000)] = 12_000
    seeds: PositiveInt = 1
    vocabulary: NonNegativeInt = 0
    train: NonNegativeInt = 0
    valid: NonNegativeInt = 0
    test: NonNegativeInt = 0
    units: PositiveInt = 850
    initial: Positive = 0.04
    epochs: PositiveInt = 10
    batch_size: PositiveInt = 64
    window: PositiveInt = 35
    learning_rate: Positive = 20.0
    final_learning_rate: NotNegative = 20.0
    weight_decay: NotNegative = 8e-7
    clip: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.25
    slowness: NotNegative = 1e-3
    dropout: Probability = 0.75
    dropout_hidden: Probability = 0.25
    dropout_input: Probability = 0.75
    dropout_embedding: Probability = 0.2

    def dump(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Words of each part; 0: all."""
        return self.train, self.valid, self.test

    def trainer(self) -> TrainRecipe:
        """Recipe as `dagnas.training.trainer` takes it; a step is one window of all stretches."""
        return TrainRecipe(
            epochs=self.epochs,
            batch_size=1,
            learning_rate=self.learning_rate,
            final_learning_rate=self.final_learning_rate,
            momentum=0.0,
            weight_decay=self.weight_decay,
            clip=self.clip,
        )


_WHOLE: dict[str, Any] = {
    "dropout": 0.0,
    "dropout_hidden": 0.0,
    "dropout_input": 0.0,
    "dropout_embedding": 0.0,
    "slowness": 0.0,
}
Preset = Literal["paper", "small", "smoke"]
#: Settings to begin with, by name: those of BONAS (appendix A.1); of a table that one core makes in
#: hours, where so short trainings drop nothing (docs/recurrent.md); and of one made in seconds.
PRESETS: dict[Preset, dict[str, Any]] = {
    "paper": {},
    "small": {
        **_WHOLE,
        "cells": 1_000,
        "seeds": 2,
        "vocabulary": 1_000,
        "train": 20_000,
        "valid": 5_000,
        "test": 5_000,
        "units": 48,
        "initial": 0.1,
        "epochs": 4,
        "batch_size": 32,
        "window": 20,
        "final_learning_rate": 1.0,
    },
    "smoke": {
        **_WHOLE,
        "cells": 60,
        "seeds": 2,
        "train": 3_000,
        "valid": 600,
        "test": 600,
        "units": 8,
        "initial": 0.2,
        "epochs": 2,
        "batch_size": 8,
        "window": 20,
        "learning_rate": 20.0,
        "final_learning_rate": 1.0,
    },
}

_SETTINGS = Settings("language models", LanguageRecipe)


def parse_language_recipe(given: Mapping[str, Any], preset: Preset = "paper") -> LanguageRecipe:
    """Recipe from a preset and the settings that differ from it.

    Raises
    ------
    DagnasError
        A name is unknown, or a value is not of its type or range.
    """
    return LanguageRecipe(**_SETTINGS.check({**PRESETS[preset], **given}))
