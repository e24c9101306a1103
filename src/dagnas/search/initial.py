"""Initial phases: the random cells that a method evaluates before it learns from any.

Where this is the whole budget, a search is random search. By convention the setting that tells it
is called ``initial``, in plug-ins as well; what differs is listed here and not declared by the
methods, since searches need not be made anew for what is said about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Settings with the number of these cells, by method, where they are not called `USUAL`.
SETTINGS = {"npnas": "samples", "regularized_evolution": "population", "spos": "population"}
USUAL = "initial"


def initial_setting(method: str) -> str:
    """Name of the setting that tells the length of a method's initial phase, if it has it."""
    return SETTINGS.get(method, USUAL)


def initial_phase(method: str, settings: Mapping[str, Any]) -> int:
    """Number of random cells that a method evaluates first; 0 if its settings do not say.

    Parameters
    ----------
    method : str
    settings : mapping
        Settings in force, as `Method.settings` gives them and traces tell them.
    """
    found = settings.get(initial_setting(method), 0)
    return found if isinstance(found, int) else 0
