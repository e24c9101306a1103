"""Benchmarks: a search space with the results of its cells, and what an evaluation returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.policy import Policy
from dagnas.errors import DagnasError, unknown
from dagnas.spaces.base import Space
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.tables.table import Table


class Evaluations(NamedTuple):
    """Results of a batch of B evaluations.

    Attributes
    ----------
    signal : ndarray, shape (B,)
        Value that the method sees: an accuracy, %.
    seconds : ndarray, shape (B,)
        Simulated cost of each evaluation.
    valid, test : ndarray, shape (B,)
        Reported accuracies, %; a method never sees them.
    costs : mapping of str to ndarray, shape (B,)
        What else is measured, less being better, by the names that the policy lists.
    """

    signal: NDArray[np.float64]
    seconds: NDArray[np.float64]
    valid: NDArray[np.float64]
    test: NDArray[np.float64]
    costs: Mapping[str, NDArray[np.float64]] = MappingProxyType({})


class Benchmark(Protocol):
    """Interface of benchmarks to the runner; a plug-in may be any object that has it.

    One whose trainings have several lengths has a method ``fidelities(policy)`` besides, as
    `TabularBenchmark.fidelities`.
    """

    name: str

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Named evaluation policies."""

    @property
    def space(self) -> Space[Any]:
        """Space that is searched."""

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Names among signal, seconds, valid and test whose values come from a model."""

    def evaluate(self, cells: Any, policy: Policy, rng: np.random.Generator, /) -> Evaluations:
        """Evaluate a batch of the space's architectures."""

    def digest(self) -> str:
        """Text that changes whenever evaluations may change, such as a table's digest."""


@dataclass
class TabularBenchmark:
    """Benchmark that looks evaluations up in a table.

    Parameters
    ----------
    name : str
    space : CellSpace
    table : Table
        Its column ``code`` holds the packed number of each row's cell.
    policies : mapping of str to Policy
        Named presets.
    by_class : bool
        True: a row stands for all cells isomorphic to its own.
    """

    name: str
    space: CellSpace
    table: Table
    policies: Mapping[str, Policy]
    by_class: bool = False
    _order: NDArray[np.int64] = field(init=False, repr=False)
    _codes: NDArray[np.int64] = field(init=False, repr=False)
    _values: dict[tuple[str, str], NDArray[np.float64]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        if self.table.provenance.get("space") != self.space.name:
            raise DagnasError(
                f"{self.table.path} is a table of {self.table.provenance.get('space')!r}, "
                f"not of {self.space.name!r}"
            )
        codes = self.table["code"]
        self._order = np.argsort(codes, kind="stable")
        self._codes = codes[self._order]

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def cells(self) -> Cells:
        """Cells of all rows, in the table's order."""
        return self.space.unpack(self.table["code"])

    def rows(self, cells: Cells) -> NDArray[np.int64]:
        """Row of each cell.

        Raises
        ------
        DagnasError
            A cell is not in the table.
        """
        codes = self.space.canonical(cells) if self.by_class else self.space.pack(cells)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self) - 1)
        absent = self._codes[place] != codes
        if absent.any():
            (text,) = self.space.to_str(cells[int(absent.argmax())])
            raise DagnasError(f"{self.table.path} has no cell {text}")
        return self._order[place]

    def emulated(self, policy: Policy) -> tuple[str, ...]:
        """Names among signal, seconds, valid and test that the table emulates."""
        repeats = (policy.repeat, "mean", "mean", "mean")
        names = ("signal", "seconds", "valid", "test")
        return tuple(
            name
            for name, repeat in zip(names, repeats, strict=True)
            if self.table.emulated.intersection(self._columns(getattr(policy, name), repeat))
        )

    def _columns(self, quantity: str, repeat: str) -> list[str]:
        """Columns of the table that give a repeat; a mean that it lacks comes from all repeats."""
        single = f"{quantity}/{repeat}"
        if repeat == "random" or (repeat == "mean" and single not in self.table.columns):
            return self.table.repeats(quantity)
        return [single]

    def values(self, quantity: str, repeat: str = "mean") -> NDArray[np.float64]:
        """A quantity of all rows, in the table's order; see `Table.quantity`."""
        if (quantity, repeat) not in self._values:
            self._values[quantity, repeat] = self.table.quantity(quantity, repeat)
        return self._values[quantity, repeat]

    def fidelities(self, policy: Policy) -> tuple[int, ...]:
        """Epochs with signal and cost in the table, ascending up to those of the policy."""
        splits = {column.rpartition("/")[0] for column in self.table.columns}
        stem = policy.signal.rpartition("/")[0]
        epochs = {int(split.rpartition("/")[2]) for split in splits if split.startswith(f"{stem}/")}
        shorter = (policy.at(e) for e in sorted(epochs) if e < policy.epochs)
        return (*(p.epochs for p in shorter if self._holds(p)), policy.epochs)

    def _holds(self, policy: Policy) -> bool:
        wanted = ((policy.signal, policy.repeat), (policy.seconds, "mean"))
        return all(
            f"{quantity}/{repeat}" in self.table.columns
            or (repeat in ("random", "mean") and self.table.repeats(quantity))
            for quantity, repeat in wanted
        )

    def best_signal(self, policy: Policy) -> float:
        """Best signal of any cell.

        Raises
        ------
        DagnasError
            The policy draws one of several repeats, so that no value is the best.
        """
        if policy.repeat == "random":
            raise DagnasError(
                f"{self.name}: the signal {policy.signal!r} is one of several trainings, drawn at "
                "each query, so no cell is the best; choose a policy with a fixed repeat or a mean"
            )
        return float(self.values(policy.signal, policy.repeat).max())

    def query(
        self, cell: str | int | np.integer[Any] | Cells, policy: str | Policy | None = None
    ) -> dict[str, Any]:
        """Look up all that is known about one cell.

        Parameters
        ----------
        cell : str, int or Cells
            The cell's text, as its data set writes it; the number of its row in the table; or a
            batch of one cell.
        policy : str or Policy, optional
            Evaluation policy whose quantities are asked for, or a name of one; by default all
            quantities of the table.

        Returns
        -------
        dict
            ``cell`` (its text), ``row``, ``parameters`` and ``multiply_adds`` where known; without
            a policy every quantity's mean by its name, such as ``cifar10/test/200`` (accuracies in
            %, times in seconds); with a policy ``signal`` (mean of the trainings that may give
            it), ``seconds``, ``valid`` and ``test``. ``emulated`` lists those that no training
            gave.

        Raises
        ------
        DagnasError
            There is no such cell, row, or policy.
        """
        if isinstance(policy, str):
            policy = find_policy(self, policy)
        row = self._row(cell)
        found = self.describe(np.array([row]), policy)
        emulated = self._means_emulated() if policy is None else self.emulated(policy)
        values = {name: column[0] for name, column in found.items()}
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in values.items()}
        return {"cell": plain.pop("cell"), "row": row, **plain, "emulated": emulated}

    def describe(
        self, rows: NDArray[np.int64], policy: Policy | None = None
    ) -> dict[str, Sequence[str] | NDArray[Any]]:
        """Look up all that is known about the cells of some rows, by name; see `query`.

        Parameters
        ----------
        rows : ndarray of int, shape (B,)
        policy : Policy, optional

        Returns
        -------
        dict
            A column of B values a quantity.
        """
        cells = self.space.unpack(self.table["code"][rows])
        columns: dict[str, Sequence[str] | NDArray[Any]] = {"cell": self.space.to_str(cells)}
        if "params" in self.table.columns:
            columns["parameters"] = self.table["params"][rows]
        if "madds" in self.table.columns:
            columns["multiply_adds"] = self.table["madds"][rows]
        else:
            # A space that does not know the size of its networks says so by an error.
            with suppress(DagnasError):
                columns["multiply_adds"] = self.space.madds(cells)
        if policy is None:
            return columns | {name: self.values(name)[rows] for name in self._quantities()}
        signal = self.values(policy.signal, policy.repeat)[rows]
        columns["signal"] = signal if signal.ndim == 1 else np.nanmean(signal, axis=1)
        return columns | {
            name: self.values(getattr(policy, name))[rows] for name in ("seconds", "valid", "test")
        }

    def _quantities(self) -> list[str]:
        """Names ``dataset/quantity/epochs`` of all that the table holds, in its order."""
        splits = (column.rpartition("/")[0] for column in self.table.columns)
        return list(dict.fromkeys(filter(None, splits)))

    def _means_emulated(self) -> tuple[str, ...]:
        """Quantities whose mean is emulated, or made of repeats that are."""
        return tuple(
            name
            for name in self._quantities()
            if self.table.emulated.intersection(self._columns(name, "mean"))
        )

    def _row(self, cell: Any) -> int:
        """Row of one cell in any of its forms."""
        if isinstance(cell, str):
            cell = self.space.from_str([cell])
        if isinstance(cell, Cells):
            if len(cell) != 1:
                raise DagnasError(f"query takes one cell; this is a batch of {len(cell)}")
            return int(self.rows(cell)[0])
        if isinstance(cell, int | np.integer) and not isinstance(cell, bool):
            if not 0 <= cell < len(self):
                raise DagnasError(f"{self.name} has no row {cell}; valid: 0 to {len(self) - 1}")
            return int(cell)
        raise DagnasError(
            f"{cell!r} is no cell of {self.name}: give its text, its row, or a batch of one"
        )

    def evaluate(self, cells: Cells, policy: Policy, rng: np.random.Generator) -> Evaluations:
        """Look up a batch of cells; shape (B,) each.

        Every cell takes one number of ``rng`` under any policy, so that the streams of trials under
        different policies stay comparable.
        """
        return self.look_up(self.rows(cells), policy, rng)

    def look_up(
        self, rows: NDArray[np.int64], policy: Policy, rng: np.random.Generator
    ) -> Evaluations:
        """Look up a batch of rows; see `evaluate`."""
        draw = rng.random(len(rows))
        signal = self.values(policy.signal, policy.repeat)[rows]
        if policy.repeat == "random":
            known = ~np.isnan(signal)
            rank = (draw * known.sum(axis=1)).astype(np.int64)
            # Choose the repeat that has `rank` known ones before it.
            chosen = (known & (known.cumsum(axis=1) == rank[:, None] + 1)).argmax(axis=1)
            signal = signal[np.arange(len(rows)), chosen]
        return Evaluations(
            signal,
            self.values(policy.seconds)[rows],
            self.values(policy.valid)[rows],
            self.values(policy.test)[rows],
        )

    def digest(self) -> str:
        """Digest of the table's source, and the version of the emulation where there is any."""
        known = (self.table.provenance.get(name, "") for name in ("sha256", "emulation"))
        return " ".join(filter(None, known))


#: Function that opens a benchmark from the folder of tables. It raises DagnasError if a table is
#: missing or damaged.
OpenBenchmark = Callable[[Path], Benchmark]


@dataclass(frozen=True)
class BenchmarkEntry:
    """Entry of the registry: a named benchmark and how to open it."""

    name: str
    module: str
    open: OpenBenchmark
    #: Names of the tables that it reads from the data folder.
    tables: tuple[str, ...] = ()


def benchmark(*, tables: tuple[str, ...] = ()) -> Callable[[OpenBenchmark], BenchmarkEntry]:
    """Decorate a function ``(data: Path) -> Benchmark`` as the benchmark of its name."""

    def wrap(function: OpenBenchmark) -> BenchmarkEntry:
        return BenchmarkEntry(function.__name__, function.__module__, function, tables)

    return wrap


def find_policy(benchmark: Benchmark, name: str) -> Policy:
    """Preset ``name`` of a benchmark.

    Raises
    ------
    DagnasError
        It has none of that name.
    """
    if name not in benchmark.policies:
        raise unknown(f"policy of {benchmark.name}", name, benchmark.policies)
    return benchmark.policies[name]
