"""Settings of a method or predictor: the keyword arguments of its function, checked by type."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import pydantic

from dagnas.errors import DagnasError, unknown

#: Whole numbers that settings may be, far beyond use, so that a slip of zeros is told.
LARGEST = 10_000_000


class Settings:
    """Typed keyword-only arguments of a function, with defaults.

    Parameters
    ----------
    owner : str
        Owner of the settings in messages, such as "method 'goal'".
    function : callable
        Its annotations give the types (pydantic's constrained types and ``Literal`` included).
    hidden : tuple of str
        Arguments that the caller supplies.
    """

    def __init__(
        self, owner: str, function: Callable[..., Any], hidden: tuple[str, ...] = ()
    ) -> None:
        self.owner = owner
        parameters = inspect.signature(function).parameters.values()
        keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in hidden]
        types = typing.get_type_hints(function, include_extras=True)
        self.defaults: dict[str, Any] = {p.name: p.default for p in keywords}
        fields: dict[str, Any] = {p.name: (types.get(p.name, Any), p.default) for p in keywords}
        self._model = pydantic.create_model("Settings", **fields)

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings: the given ones, converted to their types, and the other defaults.

        Raises
        ------
        DagnasError
            A name is unknown or a value is not of its type or range.
        """
        for name in given:
            if name not in self.defaults:
                raise unknown(f"setting of {self.owner}", name, self.defaults)
        try:
            checked = dict(self._model(**given))
        except pydantic.ValidationError as error:
            (first, *_) = error.errors()
            where = str(first["loc"][0])
            raise DagnasError(
                f"setting {where}={given[where]!r:.100} of {self.owner}: {first['msg']}"
            ) from None
        for name in given:
            if isinstance(checked[name], int) and abs(checked[name]) > LARGEST:
                raise DagnasError(
                    f"setting {name}={given[name]!r:.30} of {self.owner}: expected {LARGEST:,} at "
                    "most"
                )
        return checked


class Described(pydantic.BaseModel):
    """Typed values whose docstrings are the help of options and the meaning of keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


M = TypeVar("M", bound=pydantic.BaseModel)


def parsed(model: type[M], given: Mapping[str, Any], named: Callable[[str], str] = str) -> M:
    """Model of given values.

    Parameters
    ----------
    model : type
        A pydantic model.
    given : mapping
        Values by name of field.
    named : callable
        Name of a field in messages.

    Raises
    ------
    DagnasError
        A name is unknown or missing, or a value is not of its type or range.
    """
    for name in given:
        if name not in model.model_fields:
            raise unknown("argument", name, model.model_fields)
    try:
        return model(**given)
    except pydantic.ValidationError as error:
        words = []
        for fault in error.errors():
            first, *rest = fault["loc"] or ("",)
            place = (named(str(first)), *rest) if first else ()
            words.append(fault_words({**fault, "loc": place}))
        raise DagnasError("\n".join(words)) from None


def fault_words(fault: Mapping[str, Any], hidden: Collection[str] = ()) -> str:
    """One fault that pydantic found: where, what, and the value if the words do not hold it."""
    key = ".".join(str(place) for place in fault["loc"] if place not in hidden)
    words = fault["msg"].removeprefix("Value error, ")
    if fault["type"] not in ("value_error", "missing"):
        words += f", not {fault['input']!r:.100}"
    return f"{key}: {words}" if key else words
