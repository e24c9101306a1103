"""Reader of claims.yaml: YAML to claims, with its errors."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dagnas.errors import DagnasError
from dagnas.papers.claims.model import Claim

#: Folder of the papers.
FOLDER = Path(__file__).parents[1]


def read(paper: str, folder: Path = FOLDER) -> list[Claim]:
    """Claims of a paper, those with ``for_each`` once for each combination.

    Parameters
    ----------
    paper : str
        Name of the paper's folder; without claims.yaml in it, there are no claims.
    folder : Path
        Holds the papers' folders.

    Raises
    ------
    DagnasError
        A key is unknown or missing, a value is missing or not valid, or two claims have one id.
    """
    path = folder / paper / "claims.yaml"
    if not path.is_file():
        return []
    source = f"{path.name} of {paper}"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DagnasError(f"{source}: no valid YAML: {error}") from error
    if not isinstance(raw, dict) or set(raw) - {"sets", "claims"}:
        raise DagnasError(f"{source}: expected the keys sets and claims")
    sets = raw.get("sets") or {}
    for name, members in sets.items():
        # A comma in a text without quotes cuts it, and what follows becomes a key without a value.
        if empty := [key for member in members for key, value in member.items() if value is None]:
            raise DagnasError(f"{source}: set {name}: no value for {empty[0]!r}: quotes missing?")
    items = (part for item in raw.get("claims") or [] for part in _expand(source, item, sets))
    claims = [_claim(paper, item) for item in items]
    ids = Counter(claim.id for claim in claims)
    if twice := sorted(name for name, times in ids.items() if times > 1):
        raise DagnasError(f"{source}: {', '.join(twice)} given twice")
    return claims


def _expand(source: str, item: Any, sets: dict[str, list[dict[str, Any]]]) -> Iterator[Any]:
    """Give the claim for every combination of the members of the sets that it names."""
    if not isinstance(item, dict) or "for_each" not in item:
        yield item
        return
    plain = {key: value for key, value in item.items() if key != "for_each"}
    if unknown := set(item["for_each"]) - set(sets):
        raise DagnasError(f"{source}: no sets {', '.join(sorted(unknown))}")
    for members in itertools.product(*(sets[name] for name in item["for_each"])):
        yield _fill(plain, {key: value for member in members for key, value in member.items()})


def _fill(value: Any, names: dict[str, Any]) -> Any:
    """Put values for {names}; a text that is nothing but a name takes the value's type."""
    if isinstance(value, dict):
        return {key: _fill(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_fill(part, names) for part in value]
    if isinstance(value, str):
        for name, filling in names.items():
            if value == f"{{{name}}}":
                return filling
            value = value.replace(f"{{{name}}}", str(filling))
    return value


def _claim(paper: str, item: Any) -> Claim:
    try:
        return Claim.model_validate(item)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        name = item.get("id", "without id") if isinstance(item, dict) else item
        raise DagnasError(f"claim {name} of {paper}: {faults}") from None
