"""Recipe of a built table: networks, splits, training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt, PositiveInt

from dagnas.settings import Settings
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training.images import ImageSet


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, split and training of a table; with the images it determines every value.

    Attributes
    ----------
    seeds : int
        Trainings of every cell.
    train, valid, test : int
        Images to train on, to validate on and to test on; 0: a third.
    channels, stacks, cells, stem_stride : int
    residual : bool
        Network around a cell, see `Skeleton201`. Without residual blocks, accuracies depend more
        on the cell.
    epochs : int
        Epochs of a training; the table holds the accuracies after each.
    batch_size : int
        Images of a batch. An epoch leaves out those that do not fill a batch.
    learning_rate, momentum, weight_decay : float
        Settings of SGD with Nesterov momentum; the rate decays to 0 along a cosine.
    shift : int
        Largest random shift of a training image, in pixels.
    """

    seeds: PositiveInt = 2
    train: NonNegativeInt = 0
    valid: NonNegativeInt = 0
    test: NonNegativeInt = 0
    channels: PositiveInt = 8
    stacks: PositiveInt = 2
    cells: PositiveInt = 1
    stem_stride: PositiveInt = 2
    residual: bool = False
    epochs: PositiveInt = 12
    batch_size: PositiveInt = 32
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5e-4
    shift: NonNegativeInt = 1

    def dump(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)

    def sizes(self, images: int) -> tuple[int, int, int]:
        """Images of each split out of ``images``."""
        return (self.train or images // 3, self.valid or images // 3, self.test or images // 3)

    def skeleton(self, images: ImageSet) -> Skeleton201:
        """Network around a cell."""
        _, height, width, channels = images.images.shape
        return Skeleton201(
            height=height,
            width=width,
            image_channels=channels,
            classes=images.classes,
            channels=self.channels,
            stacks=self.stacks,
            cells=self.cells,
            stem_stride=self.stem_stride,
            residual=self.residual,
        )


_SETTINGS = Settings("build-table", Recipe)


def parse_recipe(given: Mapping[str, Any]) -> Recipe:
    """Recipe from the settings that differ from the defaults.

    Raises
    ------
    DagnasError
        A name is unknown, or a value is not of its type or range.
    """
    return Recipe(**_SETTINGS.check(given))
