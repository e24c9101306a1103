"""Spaces of generators: a vector of numbers is a distribution of networks (NAGO, section 2).

A network is a graph of graphs of graphs. `Hyperparameters` say how it is drawn: by a random graph
at each level, and by weights of what its nodes do. A `GeneratorSpace` has a vector for each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dagnas.errors import DagnasError, unknown
from dagnas.spaces.vectors import Dimension, Vectors, VectorSpace

if TYPE_CHECKING:
    import networkx

#: Ways in which the inputs of a node become one (section 2.1, merging options).
MERGES = ("sum", "attention", "concatenation")
#: Side of the kernel of each operation.
OPERATIONS = {"conv_1x1": 1, "conv_3x3": 3, "conv_5x5": 5, "conv_7x7": 7}


class RandomGraph(Protocol):
    """Distribution of graphs: a frozen dataclass of numbers with a method that draws one.

    Its text, ``str``, fixes the random numbers of a network; that of a dataclass has all numbers.
    """

    def draw(self, rng: np.random.Generator) -> networkx.Graph:
        """Graph with the nodes 0, 1, ..., drawn by ``rng`` alone."""


@dataclass(frozen=True)
class WattsStrogatz:
    """Ring whose edges are rewired at random (Watts and Strogatz 1998).

    Attributes
    ----------
    nodes : int
        N, from 2 on.
    nearest : int
        K: each node is joined to its K nearest. More than N - 1 are N - 1, and half of K, rounded
        down, lie on either side, so that 2 and 3 are the same, and 4 and 5.
    rewired : float
        P, probability that an edge leads elsewhere.
    """

    nodes: int
    nearest: int
    rewired: float

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise _refused("nodes", self.nodes, "Watts-Strogatz graphs", "2 or more")
        if self.sides < 1:
            raise _refused("nearest", self.nearest, "Watts-Strogatz graphs", "2 or more")
        _check_probability("rewired", self.rewired, "Watts-Strogatz graphs")

    @property
    def sides(self) -> int:
        """Neighbours on either side of the ring before anything is rewired."""
        # A ring of two nodes is one edge.
        return 1 if self.nodes == 2 else min(self.nearest, self.nodes - 1) // 2

    def __str__(self) -> str:
        return (
            f"Watts-Strogatz(nodes={self.nodes}, nearest={2 * self.sides}, "
            f"rewired={float(self.rewired)!r})"
        )

    def draw(self, rng: np.random.Generator) -> networkx.Graph:
        """Graph that need not be connected."""
        import networkx

        if self.nodes == 2:
            return networkx.path_graph(2)
        return networkx.watts_strogatz_graph(self.nodes, 2 * self.sides, self.rewired, seed=rng)


@dataclass(frozen=True)
class ErdosRenyi:
    """Graph of which every pair of nodes is joined independently (Erdos and Renyi 1959).

    Attributes
    ----------
    nodes : int
        N, from 1 on: a single node is a graph, and takes away a level.
    joined : float
        P, probability of each edge.
    """

    nodes: int
    joined: float

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise _refused("nodes", self.nodes, "Erdos-Renyi graphs", "1 or more")
        _check_probability("joined", self.joined, "Erdos-Renyi graphs")

    def __str__(self) -> str:
        return f"Erdos-Renyi(nodes={self.nodes}, joined={float(self.joined)!r})"

    def draw(self, rng: np.random.Generator) -> networkx.Graph:
        """Graph that need not be connected."""
        import networkx

        return networkx.gnp_random_graph(self.nodes, self.joined, seed=rng)


@dataclass(frozen=True)
class Chain:
    """Path, the feed-forward configuration: each node reads the one before (section 2.1).

    Attributes
    ----------
    nodes : int
    """

    nodes: int

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise _refused("nodes", self.nodes, "chains", "1 or more")

    def draw(self, rng: np.random.Generator) -> networkx.Graph:
        """Chain; nothing is random."""
        import networkx

        return networkx.path_graph(self.nodes)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """All that fixes a distribution of networks, named (section 2.1, Θ).

    Attributes
    ----------
    top, middle, bottom : RandomGraph
        Graphs of each level. A node of the top level is a graph of the middle one, whose nodes are
        graphs of operations.
    stages : tuple of float
        Relative lengths of the stages, θ_S; they need not sum to 1.
    channels : tuple of float
        Relative channels of the stages, θ_C.
    merges : mapping of str to float
        Weights of the ways to merge, θ_M, of `MERGES`.
    operations : mapping of str to float
        Weights of the operations, θ_op, of `OPERATIONS`. Where all weights are 0, all are equal.

    Raises
    ------
    DagnasError
        A number is out of its range, or a name unknown.
    """

    top: RandomGraph
    middle: RandomGraph
    bottom: RandomGraph
    stages: tuple[float, ...] = (1, 1, 1)
    channels: tuple[float, ...] = (1, 2, 4)
    merges: Mapping[str, float] = field(default_factory=lambda: {"sum": 1.0})
    operations: Mapping[str, float] = field(default_factory=lambda: {"conv_3x3": 1.0})

    def __post_init__(self) -> None:
        for level in ("top", "middle", "bottom"):
            graph = getattr(self, level)
            # Other objects' texts tell their addresses, which would be random numbers' names.
            if not dataclasses.is_dataclass(graph) or not hasattr(graph, "draw"):
                raise DagnasError(f"{level} graph {graph!r}: expected a dataclass with `draw`")
        if len(self.stages) != len(self.channels) or not self.stages:
            raise DagnasError(
                f"stages {self.stages} and channels {self.channels}: expected one of each a stage"
            )
        if min(self.stages) < 0 or not 0 < sum(self.stages) < math.inf:
            raise DagnasError(f"stages {self.stages}: expected lengths from 0 on, and not all 0")
        if not all(0 < each < math.inf for each in self.channels):
            raise DagnasError(f"channels {self.channels}: expected numbers above 0")
        _check_weights("way to merge", self.merges, MERGES)
        _check_weights("operation", self.operations, tuple(OPERATIONS))

    @property
    def text(self) -> str:
        """All numbers; what is the same distribution by the ways of `WattsStrogatz` is equal."""
        parts = [f"{level}={getattr(self, level)}" for level in ("top", "middle", "bottom")]
        for name in ("stages", "channels"):
            parts.append(f"{name}={[float(each) for each in getattr(self, name)]}")
        for name in ("merges", "operations"):
            weights = {key: float(weight) for key, weight in getattr(self, name).items()}
            parts.append(f"{name}={weights}")
        return " ".join(parts)


class GeneratorSpace(VectorSpace):
    """Vectors of numbers that are hyperparameters of a generator of networks (NAGO, section 2).

    Parameters
    ----------
    name : str
    dimensions : sequence of Dimension
    view : callable
        From the numbers of a vector, by the names of the dimensions, to `Hyperparameters`. Those of
        whole dimensions are int.

    Attributes
    ----------
    module : str
        Module that defines it, which is that of ``view``.

    Examples
    --------
    >>> space = GeneratorSpace(
    ...     "rewired",
    ...     [Dimension("rewired", 0, 1)],
    ...     lambda rewired: Hyperparameters(
    ...         top=Chain(3), middle=ErdosRenyi(1, 1), bottom=WattsStrogatz(8, 4, rewired)
    ...     ),
    ... )
    >>> space.hyperparameters(space.from_str(["rewired=0.75"])[0]).bottom
    WattsStrogatz(nodes=8, nearest=4, rewired=0.75)
    """

    def __init__(
        self,
        name: str,
        dimensions: Sequence[Dimension],
        view: Callable[..., Hyperparameters],
    ) -> None:
        super().__init__(name, dimensions)
        self._view = view
        self.module = view.__module__

    def values(self, vector: Vectors) -> dict[str, Any]:
        """Numbers of one vector, shape (d,) or (1, d), by name.

        Raises
        ------
        DagnasError
            It is no vector of this space.
        """
        vector = np.atleast_2d(np.asarray(vector, np.float64))
        if vector.shape != (1, len(self.dimensions)) or not self.is_valid(vector).all():
            raise DagnasError(f"space {self.name!r}: {vector.tolist()} is not one of its vectors")
        return {
            each.name: int(value) if each.whole else value
            for each, value in zip(self.dimensions, vector[0].tolist(), strict=True)
        }

    def hyperparameters(self, vector: Vectors) -> Hyperparameters:
        """Named hyperparameters of one vector, shape (d,) or (1, d)."""
        return self._view(**self.values(vector))


def _refused(name: str, value: float, owner: str, valid: str) -> DagnasError:
    return DagnasError(f"{name} {value} of {owner}: expected {valid}")


def _check_probability(name: str, value: float, owner: str) -> None:
    if not 0 <= value <= 1:
        raise _refused(name, value, owner, "a probability, from 0 to 1")


def _check_weights(kind: str, weights: Mapping[str, float], valid: Sequence[str]) -> None:
    if not weights:
        raise DagnasError(f"there is no {kind}; valid: {', '.join(valid)}")
    for name, weight in weights.items():
        if name not in valid:
            raise unknown(kind, name, valid)
        if not 0 <= weight < math.inf:
            raise DagnasError(
                f"weight {weight} of the {kind} {name!r}: expected a number from 0 on"
            )
