"""``dagnas config``: check scale files, print their schema and their keys."""

from __future__ import annotations

import argparse
import json
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

EXAMPLES = """examples:
  dagnas config check config/desk.yaml mine.yaml
  dagnas config schema > config/schema.json
  dagnas config keys > docs/config.md
"""


def add(commands: _SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the command's parser."""
    parser = commands.add_parser(
        "config",
        help="check scale files",
        description="Check scale files, or print what they may hold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="check files, and say what they ask for")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE.yaml")
    actions.add_parser("schema", help="print the JSON Schema, for editors")
    actions.add_parser("keys", help="print all keys, as a page of Markdown")
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from dagnas.pipeline import scales
    from dagnas.pipeline.kinds import all_kinds

    if options.action == "check":
        for file in options.files:
            scale = scales.load(file)
            try:
                scales.check(scale)
            except DagnasError as error:
                raise DagnasError(f"{file}: {error}") from error
            jobs = {kind.name: len(scale.jobs(kind.name)) for kind in all_kinds()}
            counts = ", ".join(f"{count} {name}" for name, count in jobs.items() if count)
            print(f"{file}: scale {scale.scale}, jobs: {counts or 'none'}")
    else:
        print(scales.schema() if options.action == "schema" else keys(), end="")


def keys() -> str:
    """All keys of scale files, as a page of Markdown."""
    from dagnas.pipeline.kinds import all_kinds
    from dagnas.pipeline.scales import Scale

    # Two kinds may be made from one section.
    sections = {name: part for kind in all_kinds() for name, part in kind.sections.items()}
    parts: list[tuple[str, type[BaseModel]]] = [("", Scale)]
    parts += [(name, model) for name, part in sections.items() for model in models(part)]
    return "# Keys of scale files\n\n" + (
        "Written by `dagnas config keys`. Keys that are not required may be left out. Values are "
        "read as YAML 1.2 has them: `on` and `2001-02-03` are texts, and what would be another "
        "number in YAML 1.1 (`010`, `1:30`, `1_000`) is refused. `dagnas config check` tells also "
        "what only the jobs would notice, as far as the tables are there.\n\n"
        "A scale file may begin with `extends`, a list of papers and of other scale files: it "
        "holds what their studies and these files hold, but for what it says otherwise itself. "
        "Mappings are merged key by key, lists and other values replaced, and `null` takes a key "
        "away. With `benchmarks`, a list, it takes over only what is on these benchmarks.\n\n"
        + "\n".join(_table(*part) for part in parts)
    )


def models(annotation: Any) -> list[type[BaseModel]]:
    """Models that an annotation allows."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models(part)]


def _table(section: str, part: type[BaseModel]) -> str:
    heads = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    described = part.model_json_schema()["properties"]
    # A row is one line, however many the docstring has.
    rows = [
        f"| `{key}` | {_type(described[key])} | {_default(field)} "
        f"| {' '.join((field.description or '').split())} |"
        for key, field in part.model_fields.items()
    ]
    about = f"An entry of `{section}`. " if section else ""
    about += part.__doc__ or ""
    return "\n".join([f"## {part.__name__}", "", about, "", *heads, *rows, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "" if field.default is None else f"`{json.dumps(field.default)}`"


def _type(described: dict[str, Any]) -> str:
    """Type of a key in words, from its JSON Schema."""
    if "enum" in described:
        return " or ".join(map(str, described["enum"]))
    if "anyOf" in described:
        kinds = [kind for kind in described["anyOf"] if kind.get("type") != "null"]
        return " or ".join(map(_type, kinds))
    if described.get("type") == "array":
        return f"list of {_type(described['items'])}"
    if described.get("type") == "object":
        return "mapping"
    if "exclusiveMinimum" in described:
        return f"positive {described['type']}"
    return str(described.get("type", "any"))
