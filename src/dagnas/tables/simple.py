"""Tables of one's own: a CSV or Parquet file of architectures and numbers, described in YAML."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from dagnas.errors import DagnasError
from dagnas.files import SCHEMA, read_parquet, sha256
from dagnas.names import check_name
from dagnas.outside import documents
from dagnas.settings import Described, parsed
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.tables.table import Table

Values = NDArray[np.float64]

#: Seconds of the units in which a table may give them.
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class AccuracyColumn(Described):
    """Column of accuracies or errors."""

    column: str
    """Name of the column."""
    unit: Literal["percent", "fraction"] = "percent"
    """Whether its numbers go from 0 to 100, or from 0 to 1."""
    better: Literal["higher", "lower"] = "higher"
    """Whether more is better, as of an accuracy, or less, as of an error."""

    def convert(self, values: Values) -> Values:
        """Accuracies in %."""
        percent = values * {"percent": 1.0, "fraction": 100.0}[self.unit]
        return percent if self.better == "higher" else 100 - percent


class SecondsColumn(Described):
    """Column of what an evaluation costs."""

    column: str
    """Name of the column."""
    unit: Literal["s", "min", "h"] = "s"
    """Its unit."""


class CostColumn(Described):
    """Column of a cost, such as a latency, of which less is better."""

    column: str
    """Name of the column."""
    unit: str = ""
    """Its unit, for people."""


def _named(value: Any) -> Any:
    """A mere name stands for the column of that name."""
    return {"column": value} if isinstance(value, str) else value


CostName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
Accuracies = Annotated[AccuracyColumn, BeforeValidator(_named)]


class Description(Described):
    """Keys of the YAML file that describes a table."""

    table: str
    """CSV or Parquet file, from the folder of this one, or a table of `dagnas build-table`."""
    space: str = ""
    """Space of the architectures, one of cells of `dagnas list spaces`."""
    architecture: str = ""
    """Column of the architectures, as their space writes them."""
    signal: Accuracies | None = None
    """Column of what a search is told."""
    valid: Accuracies | None = None
    """Column of the validation accuracies that are reported; the signal if not given."""
    test: Accuracies | None = None
    """Column of the test accuracies that are reported; those of validation if not given."""
    seconds: Annotated[SecondsColumn, BeforeValidator(_named)] | None = None
    """Column of what evaluations cost; each counts as one second if not given."""
    costs: dict[CostName, Annotated[CostColumn, BeforeValidator(_named)]] = Field(default={})
    """Columns of further costs, by the name that `--objective` and `--constraint` take."""
    by_class: bool = False
    """Whether a row stands for all cells isomorphic to its own."""
    budget_evaluations: PositiveInt | None = None
    """Evaluations of a trial, where a search says nothing else."""
    source: str = ""
    """Where the numbers are from."""

    @model_validator(mode="after")
    def _whole(self) -> Description:
        given = self.model_fields_set - {"table"}
        needed = ("space", "architecture", "signal")
        lacking = [key for key in needed if not getattr(self, key)]
        # A table of `dagnas build-table` says all of this itself.
        if given and lacking:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        return self


def read_description(path: Path) -> Description:
    """Description in a YAML file.

    Raises
    ------
    DagnasError
        It is missing or no such description, or its name can be no benchmark's.
    """
    check_name("benchmark", path.stem)
    raw = documents.read(path)
    if not isinstance(raw, dict):
        raise DagnasError(f"{path}: a mapping of keys to values is expected, of `table` at least")
    try:
        return parsed(Description, raw)
    except DagnasError as error:
        raise DagnasError(f"{path}: {error}") from error


class Fault(NamedTuple):
    """What is wrong in a row of a table.

    Attributes
    ----------
    kind : str
        "architecture", "duplicate" or "number".
    place : str
        "line 7" of a CSV file, "row 5" of a Parquet file.
    words : str
    """

    kind: str
    place: str
    words: str


class SimpleTable:
    """File of architectures and numbers, read and checked as its description says.

    Parameters
    ----------
    path : Path
        YAML file.

    Attributes
    ----------
    described : Description
    file : Path
        The table.
    space : CellSpace
    texts : list of str
        Architectures of all rows.

    Raises
    ------
    DagnasError
        A file or column is missing or damaged, or there are no rows.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.described = path, read_description(path)
        self.file = table_file(path, self.described)
        if not self.described.space:
            raise DagnasError(f"{path}: it lacks space, architecture, signal")
        space = SPACES.get(self.described.space)
        if not isinstance(space, CellSpace):
            raise DagnasError(
                f"{path}: space {space.name!r} is of {space.kind}; a table is of cells"
            )
        self.space: CellSpace = space
        used = self._used()
        columns, self._places = _read(self.file, [self.described.architecture, *used])
        self.texts = [str(text) for text in columns[self.described.architecture]]
        if not self.texts:
            raise DagnasError(f"{self.file} has no rows")
        self._raw = {name: columns[name] for name in used}

    def _used(self) -> list[str]:
        """Names of the columns of numbers, each once."""
        about = self.described
        found = [about.signal, about.valid, about.test, about.seconds, *about.costs.values()]
        return list(dict.fromkeys(each.column for each in found if each))

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Number of each row's cell, or of its class; -1 where the architecture is none."""
        return self._parsed[0]

    @cached_property
    def _parsed(self) -> tuple[NDArray[np.int64], dict[int, str]]:
        """Numbers of the cells, and what is wrong with the others by row."""
        try:
            return self._pack(self.texts), {}
        except DagnasError:
            # One at a time, so that each that is wrong is told.
            codes, wrong = np.full(len(self.texts), -1), {}
            for row, text in enumerate(self.texts):
                try:
                    codes[row] = self._pack([text])[0]
                except DagnasError as error:
                    wrong[row] = str(error)
            return codes, wrong

    def _pack(self, texts: list[str]) -> NDArray[np.int64]:
        cells = self.space.from_str(texts)
        valid = self.space.is_valid(cells)
        if not valid.all():
            text = texts[int(valid.argmin())]
            raise DagnasError(f"{text!r:.100} is no {self.space.name} cell")
        by_class = self.described.by_class
        return self.space.canonical(cells) if by_class else self.space.pack(cells)

    @cached_property
    def _numbers(self) -> dict[str, tuple[Values, dict[int, str]]]:
        """Numbers of each column, NaN where there is none, and what is there by row."""
        return {name: _floats(values) for name, values in self._raw.items()}

    def column(self, name: str) -> Values:
        """Numbers of a column of the file, NaN where there is none."""
        return self._numbers[name][0]

    @property
    def signal(self) -> Values:
        """Signals, %."""
        assert self.described.signal is not None
        return self._accuracies(self.described.signal)

    @property
    def valid(self) -> Values:
        """Validation accuracies that are reported, %."""
        return self._accuracies(self.described.valid) if self.described.valid else self.signal

    @property
    def test(self) -> Values:
        """Test accuracies that are reported, %."""
        return self._accuracies(self.described.test) if self.described.test else self.valid

    def _accuracies(self, about: AccuracyColumn) -> Values:
        return about.convert(self.column(about.column))

    @property
    def seconds(self) -> Values:
        """Cost of each evaluation in seconds; 1 where the table has none."""
        about = self.described.seconds
        if about is None:
            return np.ones(len(self.texts))
        return self.column(about.column) * _SECONDS[about.unit]

    @property
    def costs(self) -> dict[str, Values]:
        """Further costs by name, in their own units."""
        return {name: self.column(each.column) for name, each in self.described.costs.items()}

    def faults(self) -> Iterator[Fault]:
        """All that keeps the table from being a benchmark, by kind and row."""
        for row, words in self._parsed[1].items():
            yield Fault("architecture", self._places[row], words)
        first: dict[int, int] = {}
        for row, code in enumerate(self.codes.tolist()):
            if code >= 0 and first.setdefault(code, row) != row:
                same = "class" if self.described.by_class else "cell"
                words = f"the {same} of {self._places[first[code]]}"
                yield Fault("duplicate", self._places[row], words)
        yield from self._wrong_numbers()

    def _wrong_numbers(self) -> Iterator[Fault]:
        for name, (values, said) in self._numbers.items():
            for row in np.flatnonzero(np.isnan(values)).tolist():
                text = said.get(row, "")
                words = f"{name} is {text!r:.50}, no number" if text else f"{name} is missing"
                yield Fault("number", self._places[row], words)
        about = self.described
        for key in ("signal", "valid", "test"):
            if column := getattr(about, key):
                percent, ends = getattr(self, key), {"percent": 100, "fraction": 1}[column.unit]
                wrong = ~np.isnan(percent) & ~((percent >= 0) & (percent <= 100))
                words = f"{key} goes from 0 to {ends} as its unit is {column.unit}"
                yield from self._out_of_range(column.column, wrong, words)
                yield from self._fractions(key, column)
        if about.seconds:
            values = self.column(about.seconds.column)
            wrong = ~np.isnan(values) & ~((values > 0) & np.isfinite(values))
            yield from self._out_of_range(about.seconds.column, wrong, "seconds are positive")
        for cost, each in about.costs.items():
            values = self.column(each.column)
            wrong = ~np.isnan(values) & ~((values >= 0) & np.isfinite(values))
            words = f"the cost {cost} is finite and not negative"
            yield from self._out_of_range(each.column, wrong, words)

    def _fractions(self, key: str, column: AccuracyColumn) -> Iterator[Fault]:
        """A column in % of which no number is above 1: searches would refuse such accuracies."""
        values = self.column(column.column)
        found = values[~np.isnan(values)]
        if column.unit == "percent" and len(np.unique(found)) > 1 and found.max() <= 1:
            words = f"{key} is 1 % at most in every row; if these are fractions, say unit: fraction"
            yield Fault("number", column.column, words)

    def _out_of_range(self, name: str, wrong: NDArray[np.bool_], words: str) -> Iterator[Fault]:
        for row in np.flatnonzero(wrong).tolist():
            value = self.column(name)[row]
            yield Fault("number", self._places[row], f"{name} is {value:g}; {words}")

    def check(self) -> None:
        """Refuse a table with faults.

        Raises
        ------
        DagnasError
            There are some; the message has the first.
        """
        for kind, place, words in self.faults():
            raise DagnasError(
                f"{self.file}: {place}: {kind}: {words}; `dagnas check-table {self.path}` tells all"
            )

    def place(self, row: int) -> str:
        """Where a row stands in the file, such as "line 7"."""
        return self._places[row]

    def as_table(self) -> Table:
        """Table of this project, with quantities such as ``NAME/signal/0``.

        Raises
        ------
        DagnasError
            There are faults.
        """
        self.check()
        name = self.path.stem
        columns = {
            "code": self.codes,
            f"{name}/signal/0/mean": self.signal,
            f"{name}/valid/0/mean": self.valid,
            f"{name}/test/0/mean": self.test,
            f"{name}/seconds/0/mean": self.seconds,
        }
        provenance = {
            "schema": SCHEMA,
            "space": self.space.name,
            "source": self.described.source or self.file.name,
            "sha256": f"{sha256(self.path)} {sha256(self.file)}",
        }
        return MemoryTable(self.file, columns, provenance)


class MemoryTable(Table):
    """Table whose columns are in memory.

    Parameters
    ----------
    path : Path
        File that messages name.
    columns : mapping of str to ndarray, shape (rows,) each
    provenance : mapping of str to str
    """

    def __init__(
        self, path: Path, columns: Mapping[str, NDArray[Any]], provenance: Mapping[str, str]
    ) -> None:
        self.path, self.provenance = path, dict(provenance)
        self.columns, self.emulated = tuple(columns), frozenset()
        self._read, self._kept = dict(columns), slice(None)

    def only(self, rows: NDArray[np.bool_]) -> MemoryTable:
        """Part of this table: the rows where ``rows``, one value a row, is true."""
        kept = {name: values[rows] for name, values in self._read.items()}
        return MemoryTable(self.path, kept, self.provenance)


def table_file(path: Path, described: Description) -> Path:
    """File of the table that a YAML file describes, from the folder of that file.

    Raises
    ------
    DagnasError
        It is not there, or of neither format.
    """
    file = path.parent / described.table
    if file.suffix not in (".csv", ".parquet"):
        raise DagnasError(f"{path}: table: {file.name:.100} is neither a .csv nor a .parquet file")
    if not file.is_file():
        raise DagnasError(f"{path}: table: there is no file {file}")
    return file


def _read(path: Path, names: Sequence[str]) -> tuple[dict[str, list[Any]], list[str]]:
    """Values of some columns of a file by name, as they are there, and the place of each row."""
    if path.suffix == ".parquet":
        table = read_parquet(path, list(dict.fromkeys(names)))
        _check_once(path, table.column_names, names)
        columns = {name: table[name].to_pylist() for name in table.column_names}
        return columns, [f"row {number}" for number in range(table.num_rows)]
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            known = lines.fieldnames or ()
            if missing := [name for name in names if name not in known]:
                raise DagnasError(
                    f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(known)}"
                )
            _check_once(path, known, names)
            rows, places = [], []
            for row in lines:
                if None in row:
                    raise DagnasError(
                        f"{path}: line {lines.line_num} has more values than there are columns"
                    )
                rows.append(row)
                places.append(f"line {lines.line_num}")
    except OSError as error:
        raise DagnasError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DagnasError(f"{path} is no CSV file: {error}") from error
    return {name: [row[name] or "" for row in rows] for name in names}, places


def _floats(values: Sequence[Any]) -> tuple[Values, dict[int, str]]:
    """Numbers, NaN for what is none, and the texts of those that are none by place."""
    found, said = np.full(len(values), np.nan), {}
    for place, value in enumerate(values):
        if value is None or value == "":
            continue
        try:
            found[place] = float(value)
        except (TypeError, ValueError):
            said[place] = str(value)
    return found, said


def _check_once(path: Path, known: Sequence[str], names: Sequence[str]) -> None:
    if twice := [name for name in names if list(known).count(name) > 1]:
        raise DagnasError(f"{path} has the column {twice[0]} more than once")
