"""Building of benchmark tables by training every cell of a space on a set of images."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.errors import DagnasError, unknown
from dagnas.files import SCHEMA, read_parquet, write_parquet
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench201 import nasbench201_size
from dagnas.training.curves import Curves
from dagnas.training.images import ImageSet, split
from dagnas.training.recipe import Recipe

#: Spaces whose cells can be turned into networks.
BUILDABLE = ("nasbench201",)
SPLITS = ("train", "valid", "test")
#: Cells trained together; more do not fit into a core's cache.
STACK = 32
#: Cost of one image in training, forward and backward: fixed seconds, and seconds per multiply-add.
#: Constants from one measurement (python -m perf.training), so that the same network costs the same
#: everywhere.
SECONDS_FIXED = 9.2e-5
SECONDS_PER_MADD = 2.7e-9


class Build:
    """Build of one table, which can be stopped at any time and resumed.

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

    Attributes
    ----------
    codes : ndarray of int64
        Packed numbers of the cells that are trained, ascending.

    Raises
    ------
    DagnasError
        Cells of the space cannot be trained, or there are too few images.
    """

    def __init__(self, space: str, images: ImageSet, recipe: Recipe, device: str = "cpu") -> None:
        if space not in BUILDABLE:
            raise unknown("space that networks can be built of", space, BUILDABLE)
        self.space, self.images, self.recipe = SPACES.get(space), images, recipe
        self.skeleton = recipe.skeleton(images)
        self.device = device
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
        self._curves = Curves(images, rows, self.skeleton, recipe, device)
        self.codes = self.space.representatives()

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all that determines the values: space, images and their name, recipe."""
        terms = [self.space.name, self.images.name, self.images.digest(), self.recipe.dump()]
        return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()

    def estimate(self, codes: NDArray[np.int64], checkpoint: Path) -> float:
        """Seconds that `train` would take on this machine, measured on a few steps."""
        stacks = self._stacks(codes)
        left = sum(len(stack) for stack in stacks if self._stored(checkpoint, stack) is None)
        if not left:
            return 0.0
        # Evenly spread, so that their operations are as frequent as among all cells.
        spread = codes[np.linspace(0, len(codes) - 1, min(STACK, len(codes))).astype(int)]
        stack = self._curves.seconds(self.space.unpack(spread))
        return stack / len(spread) * left * self.recipe.seeds

    def train(self, codes: NDArray[np.int64], checkpoint: Path) -> pa.Table:
        """Train cells, showing progress.

        Parameters
        ----------
        codes : ndarray of int64, shape (N,)
            Packed numbers, some of `codes`.
        checkpoint : Path
            Folder of finished stacks, which are not trained again.

        Returns
        -------
        Table
            ``code``, and numbers of correctly classified images in columns ``split/epoch/seed``;
            its metadata name this build and the platform.
        """
        epochs = self.recipe.epochs * self.recipe.seeds
        done = []
        with tqdm(
            desc=f"training {len(codes):,} cells", total=len(codes) * epochs, unit="epoch",
            unit_scale=True, disable=None, smoothing=0.05,
        ) as bar:  # fmt: skip
            for stack in self._stacks(codes):
                trained = self._stored(checkpoint, stack)
                if trained is None:
                    trained = self._train_stack(stack, bar.update)
                    write_parquet(trained, self._path(checkpoint, stack), self._mark())
                    trained = trained.replace_schema_metadata(self._mark())
                else:
                    bar.update(len(stack) * epochs)
                done.append(trained)
        return _joined(done)

    def _stacks(self, codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return [codes[at : at + STACK] for at in range(0, len(codes), STACK)]

    def _train_stack(self, codes: NDArray[np.int64], progress: Callable[[int], object]) -> pa.Table:
        columns = {"code": codes}
        cells = self.space.unpack(codes)
        for seed in range(self.recipe.seeds):
            correct = self._curves.train(
                cells, codes.tolist(), seed, after_epoch=lambda: progress(len(codes))
            )
            for epoch in range(self.recipe.epochs):
                for place, name in enumerate(SPLITS):
                    columns[f"{name}/{epoch + 1}/s{seed}"] = correct[:, epoch, place]
        return pa.table(columns)

    def _path(self, checkpoint: Path, stack: NDArray[np.int64]) -> Path:
        return checkpoint / f"{stack[0]:05d}-{stack[-1]:05d}.parquet"

    @property
    def platform(self) -> str:
        """Torch version and processor; on others the last digits of sums differ."""
        return f"torch {torch.__version__} on {self.processor}"

    def _mark(self) -> dict[str, str]:
        return {"dagnas.digest": self.digest, "dagnas.platform": self.platform}

    def _stored(self, checkpoint: Path, stack: NDArray[np.int64]) -> pa.Table | None:
        """Finished stack of this very build; None if it is absent or damaged."""
        try:
            table = self.read_part(self._path(checkpoint, stack))
        except DagnasError:
            return None
        return table if table["code"].to_pylist() == stack.tolist() else None

    def read_part(self, path: Path) -> pa.Table:
        """Read a table of `train` from a file.

        Raises
        ------
        DagnasError
            The file is missing, damaged, or from another build.
        """
        table = read_parquet(path)
        if (table.schema.metadata or {}).get(b"dagnas.digest") != self.digest.encode():
            raise DagnasError(f"{path} is no part of this table: other images or another recipe")
        return table

    def table(
        self, parts: Sequence[pa.Table], partial: bool = False
    ) -> tuple[pa.Table, dict[str, str]]:
        """Benchmark table of all cells, and its metadata (docs/data.md lists its columns).

        Parameters
        ----------
        parts : sequence of Table
            As `train` gives them.
        partial : bool
            Whether cells may be missing; the table is of those that are there then.

        Raises
        ------
        DagnasError
            Cells are missing from the parts.
        """
        trained = _joined(parts)
        row_of = {code: row for row, code in enumerate(trained["code"].to_pylist())}
        absent = [code for code in self.codes.tolist() if code not in row_of]
        if absent and not partial:
            raise DagnasError(
                f"the parts lack {len(absent):,} of {len(self.codes):,} cells; "
                f"the first is number {self.codes.tolist().index(absent[0])}"
            )
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
        counted = dict(zip(SPLITS, self._curves.counted(), strict=True))
        name = self.images.name
        for column in trained.column_names[1:]:
            total = counted[column.partition("/")[0]]
            columns[f"{name}/{column}"] = 100 * trained[column].to_numpy()[rows] / total
        per_image = SECONDS_FIXED + SECONDS_PER_MADD * madds
        for epoch in range(1, self.recipe.epochs + 1):
            columns[f"{name}/seconds/{epoch}/mean"] = epoch * counted["train"] * per_image
        metadata = {
            "schema": SCHEMA,
            "space": self.space.name,
            "source": f"built on {name}",
            "sha256": self.digest,
            "emulated": "[]",
            "images": name,
            "images_sha256": self.images.digest(),
            "recipe": json.dumps(self.recipe.dump()),
            "sharing": "isomorphic cells share the trainings of the one with the smallest number",
            "cost": json.dumps({"fixed": SECONDS_FIXED, "per_madd": SECONDS_PER_MADD}),
            "platform": trained.schema.metadata[b"dagnas.platform"].decode(),
        }
        if absent:
            metadata["part"] = f"{len(row_of):,} of {len(self.codes):,} cells that are trained"
            # Another part is another table.
            whole = f"{self.digest} {sorted(row_of)}"
            metadata["sha256"] = hashlib.sha256(whole.encode()).hexdigest()
        return pa.table(columns), {f"dagnas.{key}": value for key, value in metadata.items()}

    @property
    def processor(self) -> str:
        """Name of the processor that trains the networks."""
        if self.device.startswith("cuda"):
            return torch.cuda.get_device_name()
        return f"{_cpu()} ({torch.backends.cpu.get_cpu_capability()})"


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Table of several parts of a build; its metadata name all their platforms."""
    metadata = dict(parts[0].schema.metadata)
    platforms = {part.schema.metadata[b"dagnas.platform"] for part in parts}
    metadata[b"dagnas.platform"] = b"; ".join(sorted(platforms))
    return pa.concat_tables(part.replace_schema_metadata(metadata) for part in parts)
