"""Recipes of supernets: network, images and training, without torch; and presets of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dagnas.errors import DagnasError, unknown
from dagnas.settings import Described, parsed
from dagnas.training.train_recipe import TrainRecipe

_Size = Annotated[int, Field(gt=0, le=1024)]
_Images = Annotated[int, Field(ge=0, le=10_000_000)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Strategy = Literal["single_path", "darts_first", "darts_second"]


class SupernetRecipe(TrainRecipe):
    """Settings of a supernet and its training."""

    strategy: Strategy = "single_path"
    """What a step trains: a cell drawn uniformly, or the mixture of all by DARTS, whose gradient
    of the architecture is of first or of second order."""
    pixels: _Size | None = None
    """Height and width that images are reduced to by the means of blocks; theirs if not given."""
    train: _Images = 0
    """Images to train on; 0: a third."""
    valid: _Images = 0
    """Images to validate on; 0: a third."""
    test: _Images = 0
    """Images to test on; 0: a third."""
    own_test: bool = False
    """Whether the last images of the set are its own test images."""
    channels: _Size = 8
    """Channels after the stem; in the DARTS space, of a node in the first cells."""
    layers: _Size = 5
    """DARTS space: cells in all, two of them reductions."""
    stacks: _Size = 2
    """NAS-Bench-201: stacks of cells; images are halved between them."""
    cells: _Size = 1
    """NAS-Bench-201: cells of a stack."""
    stem_stride: _Size = 1
    """NAS-Bench-201: stride of the first convolution."""
    residual: bool = True
    """NAS-Bench-201: whether stacks are joined by residual blocks, as in the benchmark."""
    architecture_rate: _Positive = 3e-4
    """DARTS: step size of Adam on the architecture's weights."""
    architecture_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1e-3
    """DARTS: weight decay of the architecture's weights."""

    def sizes(self, images: int) -> tuple[int, int, int]:
        """Images of each split out of ``images``."""
        third = images // 3
        return self.train or third, self.valid or third, self.test or third


#: CIFAR-10 in halves, as in NAS-Bench-201 and DARTS.
_CIFAR10 = {"train": 25_000, "valid": 25_000, "test": 10_000, "own_test": True, "flip": True}
#: In common to the public scripts of DARTS, of Li and Talwalkar (randomNAS_release) and, but for
#: the weight decay of 5e-4, of NAS-Bench-201's supernets (AutoDL-Projects, RANDOM.config).
_SCRIPTS = {"batch_size": 64, "learning_rate": 0.025, "final_learning_rate": 0.001, "clip": 5.0}

#: Settings by space and name. "smoke" is for digits, and has the network and the split of
#: digits201; "desk" and "paper" are for CIFAR-10.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "nasbench201": {
        "smoke": {
            "channels": 8, "stacks": 2, "cells": 1, "stem_stride": 2, "residual": False,
            "epochs": 12, "steps": 500, "batch_size": 32, "learning_rate": 0.1,
            "weight_decay": 5e-4, "pad": 1,
        },
        "desk": {
            **_CIFAR10, **_SCRIPTS, "pixels": 16, "channels": 8, "stacks": 3, "cells": 1,
            "residual": False, "epochs": 108, "learning_rate": 0.1, "final_learning_rate": 0.0,
            "weight_decay": 5e-4, "pad": 2,
        },
        "paper": {
            **_CIFAR10, **_SCRIPTS, "channels": 16, "stacks": 3, "cells": 5, "epochs": 250,
            "weight_decay": 5e-4, "pad": 4, "decay": "epoch",
        },
    },
    "darts": {
        "smoke": {
            "channels": 4, "layers": 3, "epochs": 2, "steps": 100, "batch_size": 32, "pad": 1,
            "learning_rate": 0.05,
        },
        "desk": {
            **_CIFAR10, **_SCRIPTS, "pixels": 16, "channels": 8, "layers": 5, "epochs": 60,
            "pad": 2,
        },
        # Epochs are the default of their script.
        "paper": {
            **_CIFAR10, **_SCRIPTS, "channels": 16, "layers": 8, "epochs": 100, "pad": 4,
            "decay": "epoch",
        },
    },
}  # fmt: skip
PRESETS["darts_one_cell"] = PRESETS["darts"]


class SupernetImages(Described):
    """What a supernet is of: space, images, recipe."""

    space: str
    """Space whose cells share weights: nasbench201, darts or darts_one_cell."""
    images: str
    """An .npz file with `images` and `labels`, `digits`, or `cifar10` (dagnas fetch cifar10)."""
    preset: Literal["smoke", "desk", "paper"] = "smoke"
    """Settings to begin with: smoke for digits, desk and paper for CIFAR-10."""
    settings: dict[str, Any] = Field(default={})
    """Settings that differ from the preset's; docs/weight_sharing.md."""

    @model_validator(mode="after")
    def _settings(self) -> SupernetImages:
        try:
            self.recipe()
        except DagnasError as error:
            raise ValueError(error) from error
        return self

    def recipe(self) -> SupernetRecipe:
        """All settings."""
        return parse_recipe(self.space, self.preset, self.settings)


def parse_recipe(space: str, preset: str, given: Mapping[str, Any]) -> SupernetRecipe:
    """Recipe from a preset and the settings that differ from it.

    Raises
    ------
    DagnasError
        There is no such preset; a name is unknown, or a value is not of its type or range.
    """
    if space not in PRESETS:
        raise unknown("space of supernets", space, PRESETS)
    if preset not in PRESETS[space]:
        raise unknown(f"preset of {space}", preset, PRESETS[space])
    for name in given:
        if name not in SupernetRecipe.model_fields:
            raise unknown("setting of a supernet", name, SupernetRecipe.model_fields)
    return parsed(SupernetRecipe, {**PRESETS[space][preset], **given})
