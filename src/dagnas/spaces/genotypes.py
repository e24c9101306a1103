"""Genotypes of the DARTS space and their official text (Liu et al. 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from dagnas.errors import DagnasError

#: Operations in the official order, the zero operation "none" left out.
OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
#: Intermediate nodes of a cell; each has two inputs.
NODES = 4
#: Names of a genotype's cells, in the official order.
CELLS = ("normal", "reduce")

#: Operation on an input of a node, and the source of that input: 0 and 1 are the outputs of the
#: cells before, 2 to 5 nodes of the same cell.
Input = tuple[str, int]


class Genotype(NamedTuple):
    """Normal and reduction cell, as the official code writes them.

    Attributes
    ----------
    normal, reduce : tuple of (operation, source)
        Two for each of the four nodes, in the order of the nodes; eight in all.
    """

    normal: tuple[Input, ...]
    reduce: tuple[Input, ...]


def write(genotype: Genotype) -> str:
    """Official text: ``Genotype(normal=[('sep_conv_3x3', 0), ...], ...)``."""
    fields = (
        f"{name}={list(inputs)}, {name}_concat=range(2, {2 + NODES})"
        for name, inputs in zip(CELLS, genotype, strict=True)
    )
    return f"Genotype({', '.join(fields)})"


def read(text: str) -> Genotype:
    """Genotype from its official text, which is never run as code.

    The two inputs of a node may stand in a list of their own, as in the genotypes of Yang et al.
    (2020), and ``[2, 3, 4, 5]`` may stand for ``range(2, 6)``.

    Raises
    ------
    DagnasError
        It is no such text, or a cell has other than four nodes or leaves nodes out of its output.
    """
    reader = _Reader(text)
    reader.take("Genotype")
    reader.take("(")
    cells = []
    for number, name in enumerate(CELLS):
        if number:
            reader.take(",")
        reader.take(name)
        reader.take("=")
        cells.append(_inputs(reader, name))
        reader.take(",")
        _concat(reader, name)
    reader.skip(",")
    reader.take(")")
    reader.end()
    return Genotype(*cells)


def read_cell(text: str) -> Genotype:
    """Genotype of which both cells are that of a text ``[('sep_conv_3x3', 0), ...]``.

    Raises
    ------
    DagnasError
        It is no such text.
    """
    reader = _Reader(text)
    cell = _inputs(reader, "the cell")
    reader.end()
    return Genotype(cell, cell)


def check(genotype: Genotype, distinct: bool) -> None:
    """Check that a genotype has four nodes, known operations, and sources before each node.

    Parameters
    ----------
    genotype : Genotype
    distinct : bool
        Whether the two inputs of a node must have different sources.

    Raises
    ------
    DagnasError
        It has not; the message says where.
    """

    def refuse(why: str) -> NoReturn:
        raise DagnasError(f"{_short(write(genotype))!r} is no genotype: {why}")

    for name, inputs in zip(CELLS, genotype, strict=True):
        if len(inputs) != 2 * NODES:
            refuse(f"{name} has {len(inputs) / 2:g} nodes of two inputs; a cell has {NODES}")
        for number, (operation, source) in enumerate(inputs):
            node = 2 + number // 2
            if operation not in OPERATIONS:
                unused = ", which no input of a node has" if operation == "none" else ""
                refuse(
                    f"node {node} of {name} has the operation {operation!r}{unused}; valid: "
                    + ", ".join(OPERATIONS)
                )
            if not 0 <= source < node:
                refuse(f"node {node} of {name} has an input from {source}; valid: 0 to {node - 1}")
            if distinct and number % 2 and source == inputs[number - 1][1]:
                refuse(
                    f"both inputs of node {node} of {name} come from {source}; they have "
                    "different sources"
                )


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


def _inputs(reader: _Reader, name: str) -> tuple[Input, ...]:
    """Read the inputs of all nodes of a cell; two may be in a list of their own."""
    inputs: list[Input] = []
    for _ in reader.items():
        if reader.peek() != "[":
            inputs.append(_input(reader))
            continue
        node = [_input(reader) for _ in reader.items()]
        if len(node) != 2 or len(inputs) % 2:
            reader.refuse(f"a node of {name} has {len(node)} inputs; it has 2")
        inputs += node
    if len(inputs) != 2 * NODES:
        reader.refuse(f"{name} has {len(inputs) / 2:g} nodes of two inputs; a cell has {NODES}")
    return tuple(inputs)


def _input(reader: _Reader) -> Input:
    reader.take("(")
    operation = reader.string()
    reader.take(",")
    source = reader.number()
    reader.skip(",")
    reader.take(")")
    return operation, source


def _concat(reader: _Reader, name: str) -> None:
    """Read which nodes a cell's output concatenates: all of them."""
    reader.take(f"{name}_concat")
    reader.take("=")
    if reader.peek() == "range":
        reader.take("range")
        reader.take("(")
        first = reader.number()
        reader.take(",")
        last = reader.number()
        reader.take(")")
        found, shown = (first, last) == (2, 2 + NODES), f"range({first}, {last})"
    else:
        nodes = [reader.number() for _ in reader.items()]
        found, shown = nodes == list(range(2, 2 + NODES)), str(nodes)
    if not found:
        reader.refuse(f"{name}_concat is {shown}; valid: range(2, {2 + NODES}), all nodes")


class _Reader:
    """Tokens of a text, one after another."""

    _TOKENS = re.compile(r"""\s*([A-Za-z_]\w*|'[^'\\]*'|"[^"\\]*"|\d{1,4}(?!\w)|[()\[\],=])""")
    #: Letters of a text at most, more than four times those of any genotype.
    _LONGEST = 4000

    def __init__(self, text: str) -> None:
        self.text, self._place = text, 0
        if len(text) > self._LONGEST:
            self.refuse(f"it has {len(text):,} letters; a genotype has {self._LONGEST:,} at most")

    def refuse(self, why: str) -> NoReturn:
        """Raise an error that says what is wrong with the text."""
        raise DagnasError(f"{_short(self.text)!r} is no genotype: {why}")

    def _next(self) -> tuple[str, int]:
        match = self._TOKENS.match(self.text, self._place)
        return (match[1], match.end()) if match else ("", self._place)

    def peek(self) -> str:
        """Next token; empty at the end, or where no token is."""
        return self._next()[0]

    def skip(self, wanted: str) -> bool:
        """Go past a token if it is the next one, and tell whether it is."""
        token, place = self._next()
        if token == wanted:
            self._place = place
        return token == wanted

    def take(self, wanted: str) -> None:
        """Go past a token that must be the next one."""
        if not self.skip(wanted):
            self._unexpected(repr(wanted))

    def string(self) -> str:
        """Next token, a text in quotes."""
        token, place = self._next()
        if token[:1] not in ("'", '"'):
            self._unexpected("an operation in quotes")
        self._place = place
        return token[1:-1]

    def number(self) -> int:
        """Next token, a whole number."""
        token, place = self._next()
        if not token.isascii() or not token.isdigit():
            self._unexpected("a whole number")
        self._place = place
        return int(token)

    def items(self) -> Iterator[None]:
        """Go through a list in brackets; whoever asks reads each item."""
        self.take("[")
        first = True
        while not self.skip("]"):
            if not first:
                self.take(",")
                if self.skip("]"):
                    return
            yield
            first = False

    def end(self) -> None:
        """Check that nothing follows."""
        if self.text[self._place :].strip():
            self._unexpected("the end of the text")

    def _unexpected(self, wanted: str) -> NoReturn:
        rest = self.text[self._place :].strip()
        found = f"{rest[:20]!r}" if rest else "the end"
        self.refuse(
            f"expected {wanted} at letter {self._place}, not {found}, of a text such as "
            "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], "
            "reduce_concat=range(2, 6))"
        )
