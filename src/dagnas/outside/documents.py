"""YAML from outside: the core schema of YAML 1.2, which gives values the types that they look like.

PyYAML alone reads YAML 1.1, where ``1:30`` is 90, ``010`` is 8, ``on`` is true and ``2001-02-03``
a date, and where a few lines of aliases of aliases stand for gigabytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from dagnas.errors import DagnasError

#: Bytes of a document; the largest of this project has 8,000.
_SIZE = 2**18
#: Values of a document, those behind an alias counted wherever it stands, and levels of nesting.
_VALUES, _DEPTH = 20_000, 20
#: Whole numbers are smaller, so that they fit into the columns of tables.
_LARGEST = 2**63


class NoDocument(DagnasError):
    """Error about a text that is no YAML at all, unlike one that holds what is refused."""


class _Loader(yaml.SafeLoader):
    """Safe YAML within limits, in which a key is a text and occurs once."""

    # PyYAML's own patterns and constructors stay with its own class.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012
    yaml_constructors: ClassVar[dict[Any, Any]] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._values = self._depth = 0
        # Number of values behind each anchor that is complete.
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        anchor, before = event.anchor, self._values
        alias = isinstance(event, yaml.AliasEvent)
        if alias and anchor in self.anchors and anchor not in self._sizes:
            raise _fault(event, f"the alias *{anchor} stands within what it names")
        self._values += self._sizes.get(anchor, 1) if alias else 1
        self._depth += 1
        if self._values > _VALUES or self._depth > _DEPTH:
            raise _fault(event, f"more than {_VALUES:,} values, or {_DEPTH} levels of them")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor is not None and not alias:
            self._sizes[anchor] = self._values - before
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _fault(key_node, "a key is no text; text that looks like a number needs ''")
            if key in seen:
                raise _fault(key_node, f"the key {key!r} is given twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _fault(place: Any, words: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, words, place.start_mark)


_NULL = r"~|null|Null|NULL|"
_BOOL = r"true|True|TRUE|false|False|FALSE"
_WHOLE = r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+"
_REAL = (
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
#: What is refused, since it would be a number to some readers and another one, or a text, to
#: others: leading zeros, sexagesimals, binary numbers, digits in groups.
_UNCLEAR = (
    r"[-+]?0[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?0b[01_]+|[-+]?[0-9][0-9_]*_[0-9_]*"
)
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_PATTERNS = {
    "null": _NULL,
    "bool": _BOOL,
    "int": _WHOLE,
    "float": _REAL,
    "merge": "<<",
    "unclear": _UNCLEAR,
}
for _name, _pattern in _PATTERNS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern})\\Z"), None)


def _scalar(loader: _Loader, node: Any, kind: str) -> str:
    """Text of a scalar, which must look like one of that kind also where a tag calls it so."""
    text: str = loader.construct_scalar(node)
    if not re.fullmatch(_PATTERNS[kind], text):
        raise _fault(node, f"{text:.50} is no {kind}")
    return text


def _str(loader: _Loader, node: Any) -> str:
    text: str = loader.construct_scalar(node)
    # Escapes can give these, which no path, file or command can hold.
    if re.search("[\0\ud800-\udfff]", text):
        raise _fault(node, "a text holds a character that is none")
    return text


def _null(loader: _Loader, node: Any) -> None:
    _scalar(loader, node, "null")


def _bool(loader: _Loader, node: Any) -> bool:
    return _scalar(loader, node, "bool").lower() == "true"


def _int(loader: _Loader, node: Any) -> int:
    text = _scalar(loader, node, "int")
    value = int(text, 0) if len(text) < 100 else _LARGEST
    if abs(value) >= _LARGEST:
        raise _fault(node, f"{text:.50} is beyond the range of numbers")
    return value


def _float(loader: _Loader, node: Any) -> float:
    text = _scalar(loader, node, "float")
    if text.lower().lstrip("+-") in (".inf", ".nan"):
        return float(text.replace(".", ""))
    if math.isinf(value := float(text)):
        raise _fault(node, f"{text:.50} is beyond the range of numbers")
    return value


def _unclear(loader: _Loader, node: Any) -> Any:
    text = loader.construct_scalar(node)
    raise _fault(
        node,
        f"{text:.50} is one number in YAML 1.1 and another value in YAML 1.2: write a plain "
        f"number, or '{text:.50}' if a text is meant",
    )


_Loader.add_constructor(f"{_TAG}str", _str)
_Loader.add_constructor(f"{_TAG}null", _null)
_Loader.add_constructor(f"{_TAG}bool", _bool)
_Loader.add_constructor(f"{_TAG}int", _int)
_Loader.add_constructor(f"{_TAG}float", _float)
_Loader.add_constructor(f"{_TAG}unclear", _unclear)
# As they are in PyYAML's class, but for the types of their arguments.
_KEPT: Any = yaml.SafeLoader.yaml_constructors
for _name in ("seq", "map"):
    _Loader.add_constructor(f"{_TAG}{_name}", _KEPT[f"{_TAG}{_name}"])
_Loader.yaml_constructors[None] = _KEPT[None]


def parse(text: str) -> Any:
    """Value of a document: dicts with text as keys, lists, texts, numbers, booleans and None.

    Raises
    ------
    NoDocument
        The text is no YAML.
    DagnasError
        It exceeds the limits; a key is given twice or is no text; a number
        is beyond the range, or would mean something else in YAML 1.1.
    """
    if len(text) > _SIZE:
        raise DagnasError(f"no valid YAML: more than {_SIZE:,} characters")
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except (yaml.scanner.ScannerError, yaml.parser.ParserError) as error:
        raise NoDocument(f"no valid YAML: {error}") from error
    # The constructors of PyYAML raise some of their errors as those of Python.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DagnasError(f"no valid YAML: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()


def read(path: Path) -> Any:
    """Value of the document in a file; see `parse`.

    Raises
    ------
    DagnasError
        The file cannot be read, or is no plain file or too large. The message names it.
    """
    try:
        # A pipe or a device might never end.
        if path.exists() and not path.is_file():
            raise DagnasError(f"{path}: no plain file")
        with path.open("rb") as file:
            content = file.read(4 * _SIZE + 1)
        return parse(content.decode("utf-8"))
    except OSError as error:
        raise DagnasError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DagnasError(f"{path}: no valid YAML: {error}") from error
    except DagnasError as error:
        words = str(error)
        raise DagnasError(words if words.startswith(f"{path}: ") else f"{path}: {words}") from error
