"""Statistics of a search tree's nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Node:
    """Statistics of a node: number of visits, and their mean accuracy.

    Attributes
    ----------
    visits : int
    mean : float
        Mean accuracy of the visits, in [0, 1].
    """

    visits: int = 0
    mean: float = 0.0


def ucb(node: Node, parent: Node, exploration: float) -> float:
    """Upper confidence bound mean + 2 c sqrt(2 ln N / n); infinite for a node never visited.

    N and n are the visits of the parent and of the node (Kocsis & Szepesvari 2006).
    """
    if not node.visits:
        return math.inf
    return node.mean + 2 * exploration * math.sqrt(2 * math.log(parent.visits) / node.visits)


def back_up(path: Iterable[Node], value: float) -> None:
    """Count one visit that gave ``value`` at every node of ``path``."""
    for node in path:
        node.visits += 1
        node.mean += (value - node.mean) / node.visits
