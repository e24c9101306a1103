"""Search methods: generators over one trial, or over several at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dagnas.errors import DagnasError
from dagnas.settings import Settings
from dagnas.spaces.base import Space
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.decisions import Walk
from dagnas.spaces.vectors import Vectors


class Proposal(NamedTuple):
    """Cells to evaluate, the steps of the trial that they came from, and how long to train them.

    Attributes
    ----------
    cells : Cells, or vectors of shape (B, d)
    parents : ndarray of int, shape (B,), optional
        Number of the evaluation that each cell descends from, -1 for none; none by default.
    epochs : int, optional
        Training epochs, one of the ``fidelities`` that the method was given; the policy's by
        default.
    """

    cells: Cells | Vectors
    parents: NDArray[np.integer] | None = None
    epochs: int | None = None


class Evaluated(NamedTuple):
    """Cells with the signals of their evaluations.

    Attributes
    ----------
    cells : Cells
    signals : ndarray, shape (B,)
        Accuracies, %.
    """

    cells: Cells
    signals: NDArray[np.float64]


#: Kinds of spaces.
Kinds = type[Space[Any]] | tuple[type[Space[Any]], ...]

#: Arguments that a runner may supply, and no config.
_SUPPLIED = ("device", "fidelities", "objectives", "observe", "prior")

#: One trial: yields cells, or vectors, and is sent their signals (accuracies in %, shape (B,)). A
#: method of several objectives is sent shape (B, 1 + costs): signals, then costs.
Trial = Generator[Cells | Vectors | Proposal, NDArray[np.float64], None]

#: Several trials side by side: yields one walk for each of them, is sent their rewards.
Replicas = Generator[list[Walk], NDArray[np.float64], None]


@dataclass(frozen=True)
class Method:
    """Named search method, made by `method` from a generator function.

    Attributes
    ----------
    function : callable
        ``function(space, rng, *, setting=default, ...)``; with a list of generators, one for each
        trial, if ``batched``. A trial is one repetition of a search. Some keywords are no settings:
        ``device``, the torch device to compute on; ``fidelities``, the epochs, ascending and the
        policy's last, that an evaluation can train; ``prior``, cells of another search space that
        were evaluated before (`Evaluated`); ``objectives``, the names of costs that it minimises
        beside the signal; ``observe``, a function that is given the method's surrogate.
    name, module : str
    space : type or tuple of types
        Kinds of space that it searches: `CellSpace`, `DecisionSpace`, `VectorSpace`, or `Space` for
        any.
    batched : bool
        Whether it runs several trials at once, each as if it were alone.
    per_space : mapping of str to mapping
        Defaults that differ from the function's on some spaces, by the space's name.
    preset : mapping
        Defaults that differ from the function's everywhere: what makes a variant.
    label, colour : str
        Name and colour (any that matplotlib knows) in figures; ours to choose if empty.
    """

    function: Callable[..., Trial | Replicas]
    name: str
    module: str
    space: Kinds = CellSpace
    batched: bool = False
    per_space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    colour: str = ""

    @cached_property
    def _settings(self) -> Settings:
        return Settings(f"method {self.name!r}", self.function, hidden=_SUPPLIED)

    def settings(self, space: str = "", given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All settings in force on a space: given ones over the space's over the defaults.

        Raises
        ------
        DagnasError
            A given name is unknown, or a value is not of its type or range.
        """
        return self._settings.check(
            {**self.preset, **self.per_space.get(space, {}), **(given or {})}
        )

    def has(self, setting: str) -> bool:
        """Whether there is a setting of that name."""
        return setting in self._settings.defaults

    def start(
        self,
        space: Space[Any],
        rng: np.random.Generator | Sequence[np.random.Generator],
        settings: Mapping[str, Any],
        **supplied: Any,
    ) -> Any:
        """Begin a trial, or several of a batched method.

        Of what the runner supplies, the method gets what it takes; settings are copies.

        Raises
        ------
        DagnasError
            The function takes other arguments, or is no generator function.
        """
        taken = {name: value for name, value in supplied.items() if self.takes(name)}
        keywords = {**taken, **deepcopy(dict(settings))}
        try:
            inspect.signature(self.function).bind(space, rng, **keywords)
        except TypeError as error:
            raise DagnasError(
                f"method {self.name!r} is not called as (space, rng, *, ...): {error}"
            ) from None
        started = self.function(space, rng, **keywords)
        if not isinstance(started, Generator):
            kind = "None" if started is None else f"a {type(started).__name__}"
            raise DagnasError(
                f"method {self.name!r} returns {kind}; a method is a generator function, which "
                "yields batches"
            )
        return started

    def kinds(self) -> str:
        """Kinds of what it searches, such as "cells or vectors"."""
        spaces = self.space if isinstance(self.space, tuple) else (self.space,)
        # `Space` itself, which stands for all, is of no kind.
        return " or ".join(getattr(space, "kind", "any space") for space in spaces)

    def takes(self, name: str) -> bool:
        """Whether the method wants ``device``, ``fidelities``, ``prior`` or another of these."""
        return name in (self.function.__kwdefaults__ or {})

    def variant(self, name: str, module: str, **preset: Any) -> Method:
        """Same method under another name with other defaults, and with a look of its own."""
        preset = {**self.preset, **preset}
        return replace(self, name=name, module=module, preset=preset, label="", colour="")


def method(
    *,
    space: Kinds = CellSpace,
    batched: bool = False,
    per_space: Mapping[str, Mapping[str, Any]] | None = None,
    label: str = "",
    colour: str = "",
) -> Callable[[Callable[..., Trial | Replicas]], Method]:
    """Decorate a generator function as the search method of its name; see `Method`.

    Examples
    --------
    >>> @method()
    ... def random_search(space, rng):
    ...     while True:
    ...         yield space.sample(1, rng)
    """

    def wrap(function: Callable[..., Trial | Replicas]) -> Method:
        return Method(
            function,
            function.__name__,
            function.__module__,
            space,
            batched,
            per_space or {},
            label=label,
            colour=colour,
        )

    return wrap
