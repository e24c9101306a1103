"""Space of image classifiers (NAS over a graph search space, section 4.3 and figure 5).

It is a small version of that of Tan et al. (2018, MnasNet): every layer has decisions of its own,
and after each of the first five comes the decision whether to add another. The paper names what it
changed but not the values; the values here are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dagnas.spaces.decisions import DecisionSpace

LAYERS = 6
#: Decisions on a layer, in order, and their values. Only inverted bottlenecks expand.
CHOICES: dict[str, tuple[str, ...]] = {
    "operation": ("convolution", "separable", "inverted"),
    "expansion": ("3", "6"),
    "kernel": ("3", "5"),
    "squeeze": ("none", "1/4", "1/2"),
    "skip": ("yes", "no"),
    "filters": ("8", "16", "32"),
    "repeats": ("1", "2"),
    "activation": ("relu", "swish"),
}
MORE = ("yes", "no")


class Layer(NamedTuple):
    """Decisions on one layer.

    Attributes
    ----------
    operation : str
    expansion : int
        Factor of the channels within an inverted bottleneck; 1 otherwise.
    kernel : int
    squeeze : float
        Fraction of the channels that squeeze-and-excitation reduces to; 0 for none.
    skip : bool
        Whether the input is added where shapes allow it.
    filters, repeats : int
    activation : str
    """

    operation: str
    expansion: int
    kernel: int
    squeeze: float
    skip: bool
    filters: int
    repeats: int
    activation: str


def graph_of_layers() -> DecisionSpace:
    """Graph of decisions: each layer decides on the next; only inverted bottlenecks expand."""
    states: dict[str, dict[str, str | None]] = {}
    for number in range(1, LAYERS + 1):
        states |= _layer(f" {number}", f" {number + 1}" if number < LAYERS else None)
    return DecisionSpace("layers", states)


def folded_graph() -> DecisionSpace:
    """Cyclic form of the graph: walks return to one layer, as figure 5 draws it."""
    return DecisionSpace("layers_folded", _layer("", ""), cap=LAYERS * (len(CHOICES) + 1))


def _layer(suffix: str, following: str | None) -> dict[str, dict[str, str | None]]:
    """States of one layer; ``following`` is the suffix of the next one, None for the last layer."""
    names = [f"{name}{suffix}" for name in CHOICES]
    after = None if following is None else f"more{suffix}"
    states: dict[str, dict[str, str | None]] = {
        name: dict.fromkeys(values, target)
        for name, values, target in zip(names, CHOICES.values(), [*names[1:], after], strict=True)
    }
    states[names[0]] |= dict.fromkeys(("convolution", "separable"), f"kernel{suffix}")
    if after is not None:
        states[after] = {"yes": f"operation{following}", "no": None}
    return states


def chain_of_layers() -> DecisionSpace:
    """Chain of all decisions on all layers, with or without an effect."""
    decisions: dict[str, tuple[str, ...]] = {}
    for number in range(1, LAYERS + 1):
        decisions |= {f"{name} {number}": values for name, values in CHOICES.items()}
        if number < LAYERS:
            decisions[f"more {number}"] = MORE
    return DecisionSpace.chain("layers_linear", decisions)


def read_layers(decisions: Iterable[tuple[str, str]]) -> list[Layer]:
    """Layers of a walk through either space, up to the first decision for no more."""
    chosen = dict(decisions)
    layers = []
    for number in range(1, LAYERS + 1):
        values = {name: chosen.get(f"{name} {number}", "") for name in CHOICES}
        inverted = values["operation"] == "inverted"
        squeeze = {"none": 0.0, "1/4": 0.25, "1/2": 0.5}
        layers.append(
            Layer(
                operation=values["operation"],
                expansion=int(values["expansion"]) if inverted else 1,
                kernel=int(values["kernel"]),
                squeeze=squeeze[values["squeeze"]],
                skip=values["skip"] == "yes",
                filters=int(values["filters"]),
                repeats=int(values["repeats"]),
                activation=values["activation"],
            )
        )
        if chosen.get(f"more {number}", "no") == "no":
            break
    return layers
