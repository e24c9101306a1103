"""Jobs: one typed description each, which command line, pipeline and code share."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import PlainSerializer, PlainValidator

from dagnas import plugins
from dagnas.benchmarks import BENCHMARKS
from dagnas.errors import DagnasError
from dagnas.search.terms import check_trials
from dagnas.settings import Described, parsed


def _range(value: Any) -> range:
    if isinstance(value, range):
        return value
    first, colon, last = str(value).partition(":")
    if colon and first.isdecimal() and last.isdecimal() and int(first) < int(last):
        try:
            return check_trials(range(int(first), int(last)))
        except DagnasError as error:
            raise ValueError(str(error)) from error
    raise ValueError(f"{value}: expected A:B with 0 <= A < B, such as 0:50")


def range_text(value: range) -> str:
    """Range as it stands on the command line, such as "0:50"."""
    return f"{value.start}:{value.stop}"


#: Numbers A to B - 1, written A:B.
Range = Annotated[range, PlainValidator(_range), PlainSerializer(range_text)]


class Job(Described):
    """Everything that one command needs to know, but for its folder of tables and its output.

    Fields are the options of the command: numbers, texts, switches, lists, and mappings whose
    items are given one by one as KEY=VALUE. Their docstrings are the help.
    """

    COMMAND: ClassVar[str]
    """Name of the command."""
    SHORT: ClassVar[Mapping[str, str]] = {}
    """Options that are not called like their field, by field."""

    plugin: list[str] = []
    """Module that defines methods, benchmarks or spaces of your own, or a table's .yaml file."""

    def run(self, data: Path, out: Path) -> None:
        """Make the artifact ``out``, with tables from the folder ``data``."""
        raise TypeError(f"{type(self).__name__} cannot run")

    def benchmarks(self) -> Sequence[str]:
        """Benchmarks that the job opens."""
        return ()

    def files(self) -> Sequence[str]:
        """Files that the job reads, other than tables of benchmarks."""
        return ()

    def roots(self) -> list[str]:
        """Roots of the code that the job runs; see `dagnas.closure`."""
        opened = [_opener(name) for name in self.benchmarks()]
        # Of a plug-in that defines the job, what `run` uses is enough; help changes no result.
        own = type(self).__module__
        others = [name for name in self.plugin if name != own]
        return [f"{own}:{type(self).__name__}.run", *opened, *others]

    def sample(self) -> Self:
        """Job that makes one part of the artifact, for a check; by default all of it."""
        return self

    def same(self, sample: Path, stored: Path) -> bool:
        """Whether what `sample` made equals, byte for byte, that part of a stored artifact."""
        return sample.read_bytes() == stored.read_bytes()

    def arguments(self) -> list[str]:
        """Options of the command, in the order of the fields.

        Values that are defaults are given as well, so that a new default is a new command.
        """
        words: list[str] = []
        for name, value in self.model_dump(mode="json").items():
            option, default = self.option(name), type(self).model_fields[name].default
            match value:
                case None | False:
                    pass
                case True:
                    words.append(option)
                case dict():
                    for key, item in value.items():
                        words += [option, f"{key}={_text(item)}"]
                case list():
                    # None at all is worth a word only where that is no default.
                    words += [option, *map(_text, value)] if value or default != [] else []
                case _:
                    words.append(f"{option}={_text(value)}")
        return words

    @classmethod
    def option(cls, field: str) -> str:
        """Option that gives a field."""
        return f"--{cls.SHORT.get(field, field.replace('_', '-'))}"

    @classmethod
    def add_options(cls, parser: ArgumentParser) -> None:
        """Add an option for each field."""
        for name, field in cls.model_fields.items():
            kinds = _kinds(field.annotation)
            about = (field.description or "").removesuffix(".")
            default = field.default
            if not field.is_required() and default not in (None, False, "", [], {}):
                about += f"; default: {_shown(default)}"
            how: dict[str, Any] = {"dest": name, "help": about.replace("%", "%%")}
            if bool in kinds:
                how |= {"action": "store_true", "default": None}
            elif list in kinds:
                how |= {"action": "extend", "nargs": "*", "metavar": "X"}
            elif dict in kinds:
                # A plain value, where a field takes one too, stands for all keys.
                how |= {"action": "append", "metavar": "KEY=VALUE"}
            else:
                how |= {"metavar": _metavar(kinds)}
            parser.add_argument(cls.option(name), required=field.is_required(), **how)

    @classmethod
    def parse(cls, options: Namespace) -> Self:
        """Job of the options on the command line.

        Raises
        ------
        DagnasError
            A value is not of its type or range, or a plug-in cannot be imported.
        """
        given: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            value = getattr(options, name)
            if value is None:
                continue
            if dict in _kinds(field.annotation):
                value = _mapping(cls.option(name), value, _kinds(field.annotation))
            given[name] = value
        plugins.load(given.get("plugin", ()))
        return parsed(cls, given, cls.option)


def _opener(benchmark: str) -> str:
    """Module that opens a benchmark; a table that was built need not be registered."""
    known = benchmark in BENCHMARKS.names()
    return BENCHMARKS.module(benchmark) if known else "dagnas.benchmarks.built"


def _kinds(annotation: Any) -> set[Any]:
    """Plain types that an annotation allows, without its constraints."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return {kind for part in get_args(annotation) for kind in _kinds(part)} - {NoneType}
    return {origin or annotation}


def _metavar(kinds: set[Any]) -> str:
    names = {range: "A:B", int: "N", float: "X", Path: "FILE"}
    return next((word for kind, word in names.items() if kind in kinds), "NAME")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shown(value: Any) -> str:
    return " ".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _mapping(option: str, words: Sequence[str], kinds: set[Any]) -> Any:
    if kinds != {dict} and len(words) == 1 and "=" not in words[0]:
        return words[0]
    return dict(parse_setting(option, word) for word in words)


def parse_setting(option: str, text: str) -> tuple[str, Any]:
    """Name and value from ``KEY=VALUE``; the value is read as YAML, so 3 is a number.

    What is no YAML is taken for a text.

    Raises
    ------
    DagnasError
        There is no ``=``, or the value is one that `dagnas.outside.documents` refuses.
    """
    from dagnas.outside import documents

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise DagnasError(f"{option} {text:.100}: expected KEY=VALUE, such as step_size=0.5")
    try:
        return key, documents.parse(value)
    except documents.NoDocument:
        return key, value
    except DagnasError as error:
        raise DagnasError(f"{option} {key:.100}: {error}") from error
