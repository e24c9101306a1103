"""How the networks of a table are made and trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from dagnas.settings import Settings
from dagnas.spaces.sizes.nasbench201 import Skeleton201
from dagnas.training.images import ImageSet

Share = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, split and training of a table; with the images it decides every number.

    Attributes
    ----------
    seeds : int
        Trainings of every cell.
    train, valid, test : int
        Images that networks are trained on, and those of the two accuracies; 0: a third.
    channels : int
        After the stem, a 3x3 convolution; twice as many from stack to stack.
    stacks, cells : int
        Stacks, and cells in each.
    stem_stride : int
    residual : bool
        Residual blocks between stacks, as in NAS-Bench-201, or pooling and a 1x1 convolution,
        which leave more to the cell.
    epochs : int
        Every one is recorded.
    batch_size : int
        What does not fill a batch is left out of the epoch.
    learning_rate, momentum, weight_decay : float
        SGD with Nesterov momentum; a cosine takes the rate to 0.
    shift : int
        Pixels by which training images are moved at most.
    """

    seeds: PositiveInt = 2
    train: Share = 0
    valid: Share = 0
    test: Share = 0
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
    shift: Share = 1

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
