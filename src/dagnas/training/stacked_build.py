"""Builds of benchmark tables: cells trained in stacks, in parts that are merged."""

from __future__ import annotations

import hashlib
import platform
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from dagnas.errors import DagnasError
from dagnas.files import SCHEMA, read_parquet, write_parquet
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells

SPLITS = ("train", "valid", "test")


class Trainings(Protocol):
    """Trainings of stacks of cells."""

    def train(
        self,
        cells: Cells,
        codes: Sequence[int],
        seed: int,
        after_epoch: Callable[[], object] = ...,
    ) -> NDArray[Any]:
        """Train cells; what is counted on each split after each epoch, shape (G, epochs, 3)."""

    def seconds(self, cells: Cells) -> float:
        """Seconds that one training of the cells would take on this machine."""


class StackedBuild(ABC):
    """Build of one table, which can be stopped at any time and resumed.

    Parameters
    ----------
    space : CellSpace
    name : str
        Of what cells are trained on; columns begin with it.
    codes : ndarray of int64
        Packed numbers of the cells that are trained.
    trainings : Trainings
    seeds, epochs : int
        Trainings of every cell, and their length.
    device : str
        ``cpu`` or ``cuda``.
    """

    #: Cells trained together; more do not fit into a core's cache.
    STACK: ClassVar[int]

    def __init__(
        self,
        space: CellSpace,
        name: str,
        codes: NDArray[np.int64],
        trainings: Trainings,
        seeds: int,
        epochs: int,
        device: str,
    ) -> None:
        self.space, self.name, self.codes = space, name, codes
        self._trainings = trainings
        self.seeds, self.epochs, self.device = seeds, epochs, device

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of all that determines the values."""

    @abstractmethod
    def _contents(
        self, trained: pa.Table, row_of: dict[int, int]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Columns of the table, ``code`` first, and the metadata that say what they hold.

        Parameters
        ----------
        trained : Table
            As `train` gives it.
        row_of : dict of int to int
            Its row of each trained cell, by packed number.
        """

    def estimate(self, codes: NDArray[np.int64], checkpoint: Path) -> float:
        """Seconds that `train` would take on this machine, measured on a few steps."""
        stacks = self._stacks(codes)
        left = sum(len(stack) for stack in stacks if self._stored(checkpoint, stack) is None)
        if not left:
            return 0.0
        # Evenly spread, so that their operations are as frequent as among all cells.
        spread = codes[np.linspace(0, len(codes) - 1, min(self.STACK, len(codes))).astype(int)]
        stack = self._trainings.seconds(self.space.unpack(spread))
        return stack / len(spread) * left * self.seeds

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
            ``code``, and what trainings count in columns ``split/epoch/seed``; its metadata name
            this build and the platform.
        """
        epochs = self.epochs * self.seeds
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
        return [codes[at : at + self.STACK] for at in range(0, len(codes), self.STACK)]

    def _train_stack(self, codes: NDArray[np.int64], progress: Callable[[int], object]) -> pa.Table:
        columns = {"code": codes}
        cells = self.space.unpack(codes)
        for seed in range(self.seeds):
            counted = self._trainings.train(
                cells, codes.tolist(), seed, after_epoch=lambda: progress(len(codes))
            )
            for epoch in range(self.epochs):
                for place, name in enumerate(SPLITS):
                    columns[f"{name}/{epoch + 1}/s{seed}"] = counted[:, epoch, place]
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
            raise DagnasError(f"{path} is no part of this table: other data or another recipe")
        return table

    def table(
        self, parts: Sequence[pa.Table], partial: bool = False
    ) -> tuple[pa.Table, dict[str, str]]:
        """Benchmark table of all cells, and its metadata.

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
        columns, about = self._contents(trained, row_of)
        metadata = {
            "schema": SCHEMA,
            "space": self.space.name,
            "source": f"built on {self.name}",
            "sha256": self.digest,
            "emulated": "[]",
            # What `dagnas.benchmarks.built` looks columns up by.
            "images": self.name,
            **about,
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
