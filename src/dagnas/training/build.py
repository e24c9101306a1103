"""Building of benchmark tables by training every cell of a space on a set of images."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dagnas.errors import DagnasError, unknown
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench201 import nasbench201_size
from dagnas.training.curves import Curves
from dagnas.training.images import ImageSet, split
from dagnas.training.recipe import Recipe
from dagnas.training.stacked_build import SPLITS, StackedBuild

#: Spaces whose cells can be turned into networks.
BUILDABLE = ("nasbench201",)
#: Cost of one image in training, forward and backward: fixed seconds, and seconds per multiply-add.
#: Constants from one measurement (python -m perf.training), so that the same network costs the same
#: everywhere.
SECONDS_FIXED = 9.2e-5
SECONDS_PER_MADD = 2.7e-9


class Build(StackedBuild):
    """Build of a table of networks, whose columns docs/data.md lists.

    Isomorphic cells share their trainings: the cell with the smallest packed number of each class
    is trained.

    Parameters
    ----------
    space : str
        One of `BUILDABLE`.
    images : ImageSet
    recipe : Recipe
    device : str
        ``cpu`` or ``cuda``.

    Raises
    ------
    DagnasError
        Cells of the space cannot be trained, or there are too few images.
    """

    STACK: ClassVar = 32

    def __init__(self, space: str, images: ImageSet, recipe: Recipe, device: str = "cpu") -> None:
        if space not in BUILDABLE:
            raise unknown("space that networks can be built of", space, BUILDABLE)
        cells = SPACES.get(space)
        self.images, self.recipe = images, recipe
        self.skeleton = recipe.skeleton(images)
        sizes = recipe.sizes(len(images.labels))
        if sizes[0] < recipe.batch_size:
            raise DagnasError(
                f"image set {images.name}: too few images: {sizes[0]} to train on do not fill a "
                f"batch of {recipe.batch_size}"
            )
        height, width = self.skeleton.last_pixels()
        if recipe.batch_size * height * width < 2:
            raise DagnasError(
                f"image set {images.name}: the last stack has one pixel, so batch_size="
                f"{recipe.batch_size} leaves batch norms one value; at least 2 are needed"
            )
        rows = split(images, sizes, stream(images.name, "split"))
        curves = Curves(images, rows, self.skeleton, recipe, device)
        self._counted = dict(zip(SPLITS, curves.counted(), strict=True))
        codes = cells.representatives()
        super().__init__(cells, images.name, codes, curves, recipe.seeds, recipe.epochs, device)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that determines the values: space, images and their name, recipe."""
        terms = [self.space.name, self.images.name, self.images.digest(), self.recipe.dump()]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

    def _contents(
        self, trained: pa.Table, row_of: dict[int, int]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        cells = self.space.enumerate()
        cells = cells[np.isin(self.space.canonical(cells), [*row_of])]
        rows = np.array([row_of[code] for code in self.space.canonical(cells).tolist()])
        size = nasbench201_size(cells, self.skeleton)
        madds = size.total_madds()
        columns: dict[str, NDArray[Any]] = {
            "code": self.space.pack(cells),
            "params": size.params,
            "madds": madds,
        }
        for column in trained.column_names[1:]:
            total = self._counted[column.partition("/")[0]]
            columns[f"{self.name}/{column}"] = 100 * trained[column].to_numpy()[rows] / total
        per_image = SECONDS_FIXED + SECONDS_PER_MADD * madds
        for epoch in range(1, self.epochs + 1):
            seconds = epoch * self._counted["train"] * per_image
            columns[f"{self.name}/seconds/{epoch}/mean"] = seconds
        return columns, {
            "images_sha256": self.images.digest(),
            "recipe": json.dumps(self.recipe.dump()),
            "sharing": "isomorphic cells share the trainings of the one with the smallest number",
            "cost": json.dumps({"fixed": SECONDS_FIXED, "per_madd": SECONDS_PER_MADD}),
        }
