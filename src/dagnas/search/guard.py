"""Guard of the runner: checks of what methods propose and benchmarks answer, before it counts.

Both may be plug-ins. A fault that passed would become a wrong number of a trace, with nothing to
show for it, so whatever is not as documented ends the search with one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dagnas.benchmarks.benchmark import Benchmark, Evaluations, TabularBenchmark
from dagnas.errors import DagnasError
from dagnas.search.method import Proposal
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells
from dagnas.spaces.decisions import DecisionSpace
from dagnas.spaces.vectors import Vectors, VectorSpace

_LARGEST = np.finfo(np.float64).max
_SMALLEST = np.finfo(np.float64).smallest_subnormal

#: Names of what every benchmark answers.
_ANSWERS = ("signal", "seconds", "valid", "test")

#: Different signals, all of them at most 1 %, after which accuracies are taken for fractions.
FRACTIONS = 10

_EXPECTED = {
    "seconds": "seconds are positive and finite",
    "accuracy": "accuracies are in percent, from 0 to 100",
    "reward": "rewards are finite numbers",
    "cost": "costs are finite and not negative",
}


class ProposalError(DagnasError):
    """A method proposed what is no batch of its space."""


class ParentError(DagnasError):
    """A method named parents that were not evaluated before."""


class Guard:
    """Checks of one trial. They draw no random numbers.

    On spaces of cells, signals and reported values are accuracies in percent. A cell may well have
    0.5 %, so no single value tells that a benchmark gives fractions; `FRACTIONS` different signals
    of a trial do, if no accuracy was ever above 1. On other spaces they are rewards, for which any
    finite number will do.

    Parameters
    ----------
    method : str
        Name of the method.
    benchmark : Benchmark
    costs : sequence of str
        Costs that evaluations give.
    """

    def __init__(self, method: str, benchmark: Benchmark, costs: Sequence[str] = ()) -> None:
        self._method, self._benchmark, self._space = method, benchmark, benchmark.space
        self._costs = tuple(costs)
        self._kind = self._space.kind
        in_percent = isinstance(self._space, CellSpace)
        #: Signals of a trial in which no accuracy was above 1 so far; None once one was.
        self._at_most_one: set[float] | None = set() if in_percent else None
        self._reported = "accuracy" if in_percent else "reward"
        low, high = (0.0, 100.0) if in_percent else (-_LARGEST, _LARGEST)
        # Of signal, seconds, valid and test, and of costs.
        self._low = np.array([low, _SMALLEST, low, low, *[0.0] * len(self._costs)])[:, None]
        self._high = np.array([high, _LARGEST, high, high, *[_LARGEST] * len(self._costs)])[:, None]
        if isinstance(self._space, CellSpace):
            self._allowed = _allowed(self._space)
            self._rows = np.arange(len(self._allowed))

    # Proposals.

    def proposal(self, given: Any, done: int) -> Proposal:
        """Copy of what a method yielded, which nothing else can change.

        Parameters
        ----------
        given : Cells, list of walks, or Proposal
        done : int
            Evaluations of the trial before these.

        Raises
        ------
        ProposalError
            It is none of these, empty, or not of the space.
        ParentError
            It has other parents than `Proposal` says.
        """
        batch, parents, epochs = given if isinstance(given, Proposal) else Proposal(given)
        batch = self._batch(batch)
        if not len(batch):
            raise self._refuse(f"proposed a batch of no {self._kind}")
        if parents is not None:
            parents = self._parents(parents, len(batch), done)
        return Proposal(batch, parents, epochs)

    def walks(self, given: Any, trials: int) -> None:
        """Check that a batched method yielded as many walks as there are trials.

        Raises
        ------
        ProposalError
            It did not.
        """
        if not isinstance(given, list | tuple) or len(given) != trials:
            number = f" of {len(given)}" if isinstance(given, list | tuple) else ""
            raise self._refuse(
                f"yielded a {type(given).__name__}{number}; of {trials} trials side by side it "
                f"yields a list of {trials} {self._kind}"
            )

    def _batch(self, batch: Any) -> Any:
        if isinstance(self._space, CellSpace):
            if not isinstance(batch, Cells):
                raise self._refuse(
                    f"yielded {_described(batch)}; it yields Cells of {self._space.name}, or a "
                    "Proposal of some"
                )
            return self._cells(self._space, batch)
        if isinstance(self._space, VectorSpace):
            return self._vectors(self._space, batch)
        if not isinstance(batch, Sequence) or isinstance(batch, str):
            raise self._refuse(
                f"yielded {_described(batch)}; it yields lists of {self._kind} of "
                f"{self._space.name}, or a Proposal of one"
            )
        if isinstance(self._space, DecisionSpace):
            return [self._walk(self._space, walk) for walk in batch]
        return list(batch)

    def _cells(self, space: CellSpace, cells: Cells) -> Cells:
        vertices = len(space.node_mask)
        arrays = {"nodes": (cells.nodes, (vertices,)), "edges": (cells.edges, (vertices,) * 2)}
        for name, (array, shape) in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
                kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise self._refuse(f"proposed cells whose {name} are {kind}; types are integers")
            if array.shape != (*cells.nodes.shape[:1], *shape):
                wanted = ", ".join(map(str, ("B", *shape)))
                raise self._refuse(
                    f"proposed cells whose {name} have shape {array.shape}; those of B cells of "
                    f"{space.name} have shape ({wanted})"
                )
        places = np.concatenate([cells.nodes, cells.edges.reshape(len(cells), vertices**2)], axis=1)
        types = places.astype(np.int8, copy=False)
        # As bytes, negative numbers are beyond all types.
        known = self._allowed[self._rows, types.view(np.uint8)]
        if types is not places:
            known &= types == places
        if not known.all():
            cell, place = np.argwhere(~known)[0]
            raise self._refuse_type(space, int(place), int(places[cell, place]))
        copied = Cells(
            types[:, :vertices].copy(), types[:, vertices:].reshape(-1, vertices, vertices)
        )
        # A table refuses a cell that it lacks; others would make up a result.
        if not isinstance(self._benchmark, TabularBenchmark):
            valid = space.is_valid(copied)
            if not valid.all():
                (text,) = space.to_str(copied[int(valid.argmin())])
                raise self._refuse(f"proposed {text!r}, which is no {space.name} cell")
        return copied

    def _refuse_type(self, space: CellSpace, place: int, found: int) -> ProposalError:
        vertices = len(space.node_mask)
        tail, head = divmod(place - vertices, vertices)
        if place < vertices:
            where, names, mask = f"vertex {place}", space.node_types, space.node_mask[place]
        elif tail >= head:
            return self._refuse(
                f"proposed a cell with type {found} at the edge {tail} -> {head}; edges go from "
                "lower to higher vertices, and are 0 elsewhere"
            )
        else:
            where, names = f"edge {tail} -> {head}", space.edge_types
            mask = space.edge_mask[tail, head]
        valid = ", ".join(f"{number} ({names[number]})" for number in np.flatnonzero(mask))
        return self._refuse(
            f"proposed a cell with type {found} at {where} of {space.name}; valid: "
            f"{valid or 'none, so 0'}"
        )

    def _vectors(self, space: VectorSpace, batch: Any) -> Vectors:
        size = len(space.dimensions)
        if not isinstance(batch, np.ndarray) or batch.dtype.kind not in "iuf":
            raise self._refuse(
                f"yielded {_described(batch)}; it yields arrays of numbers of shape (B, {size}), "
                "or a Proposal of one"
            )
        if batch.ndim != 2 or batch.shape[1] != size:
            raise self._refuse(
                f"proposed vectors of shape {batch.shape}; B vectors of {space.name} have shape "
                f"(B, {size})"
            )
        copied = batch.astype(np.float64)
        valid = space.is_valid(copied)
        if not valid.all():
            row = copied[int(valid.argmin())]
            raise self._refuse(f"proposed {row.tolist()}, which is out of range of {space.name}")
        return copied

    def _walk(self, space: DecisionSpace, walk: Any) -> tuple[int, ...]:
        end, state = len(space.states), 0
        if not isinstance(walk, list | tuple):
            raise self._refuse(f"proposed {_described(walk)}; a walk is a tuple of numbers")
        for action in walk:
            if not isinstance(action, int | np.integer):
                raise self._refuse(f"proposed a walk with the action {action!r}, no number")
            if state == end:
                raise self._refuse(f"proposed the walk {walk}, which goes on after the end")
            if not 0 <= action < len(space.actions[state]):
                raise self._refuse(
                    f"proposed the walk {walk}: state {space.states[state]!r} of {space.name} has "
                    f"the actions 0 to {len(space.actions[state]) - 1}, not {action}"
                )
            state = int(space.targets[state, action])
        if state != end or len(walk) > space.cap:
            raise self._refuse(
                f"proposed the walk {walk}, which does not end within {space.cap} actions"
            )
        return tuple(map(int, walk))

    def _parents(self, parents: Any, size: int, done: int) -> NDArray[np.int64]:
        array = np.array(parents)
        if array.dtype.kind not in "iu" or array.shape != (size,):
            raise ParentError(
                f"method {self._method!r} gave parents of shape {array.shape} and type "
                f"{array.dtype} for {size} {self._kind}; there is one integer for each"
            )
        wrong = (array < -1) | (array >= done + np.arange(size))
        if wrong.any():
            raise ParentError(
                f"method {self._method!r} gave {array[wrong][0]} as a parent; parents are numbers "
                f"of evaluations before the proposal's ({done} so far), -1 for none"
            )
        return array.astype(np.int64)

    def _refuse(self, why: str) -> ProposalError:
        return ProposalError(f"method {self._method!r} {why}")

    # Evaluations.

    def evaluations(self, batch: Any, given: Any) -> Evaluations:
        """Copy of what a benchmark answered, which nothing else can change.

        Parameters
        ----------
        batch : Cells or list
            Architectures that were evaluated.
        given : Evaluations

        Raises
        ------
        DagnasError
            A result is not one number for each architecture, is not finite, or is beyond the range
            of its unit.
        """
        names = (*_ANSWERS, *self._costs)
        try:
            answers = [getattr(given, name) for name in _ANSWERS]
            answers += [given.costs[name] for name in self._costs]
            block = np.array(answers, dtype=np.float64)
        except (AttributeError, KeyError, TypeError, ValueError):
            block = np.empty(0)
        if block.shape != (len(names), len(batch)):
            raise self._refuse_shape(given, len(batch))
        inside = (block >= self._low) & (block <= self._high)
        if not inside.all():
            column, number = np.argwhere(~inside)[0]
            name, value = names[column], block[column, number]
            (text,) = self._space.to_str(batch[int(number) : int(number) + 1])
            kind = {"seconds": "seconds"} | dict.fromkeys(self._costs, "cost")
            expected = _EXPECTED[kind.get(name, self._reported)]
            raise DagnasError(
                f"{self._benchmark.name} gives {text} a {name!r} of {value:g}; {expected}"
            )
        if self._at_most_one is not None:
            self._check_unit(block)
        signal, seconds, valid, test, *costs = block
        return Evaluations(signal, seconds, valid, test, dict(zip(self._costs, costs, strict=True)))

    def _refuse_shape(self, given: Any, size: int) -> DagnasError:
        name = self._benchmark.name
        for field in (*_ANSWERS, *self._costs):
            if field in _ANSWERS:
                if not hasattr(given, field):
                    return DagnasError(f"{name} answers {_described(given)}, not Evaluations")
                values = getattr(given, field)
            elif field not in (costs := getattr(given, "costs", {})):
                return DagnasError(f"{name} gives no cost {field!r}, which its policy lists")
            else:
                values = costs[field]
            try:
                shape = np.array(values, dtype=np.float64).shape
            except (TypeError, ValueError):
                return DagnasError(f"{name} gives a {field!r} that is no array of numbers")
            if shape != (size,):
                break
        return DagnasError(
            f"{name} gives a {field!r} of shape {shape} for {size} {self._kind}; there is one "
            "number for each"
        )

    def _check_unit(self, block: NDArray[np.float64]) -> None:
        if (block[[0, 2, 3]] > 1).any():
            self._at_most_one = None
            return
        assert self._at_most_one is not None
        self._at_most_one.update(block[0].tolist())
        if len(self._at_most_one) >= FRACTIONS:
            raise DagnasError(
                f"{self._benchmark.name}: all accuracies of the first evaluations are at most 1; "
                f"{_EXPECTED['accuracy']}, so that a fraction of 0.83 is 83"
            )


def _allowed(space: CellSpace) -> NDArray[np.bool_]:
    """Whether a place of a cell, vertices first, may have the type of a number up to 255."""
    vertices, count = space.node_mask.shape
    allowed = np.zeros((vertices + vertices**2, 256), dtype=bool)
    allowed[:vertices, :count] = space.node_mask
    edges = space.edge_mask.reshape(vertices**2, -1)
    allowed[vertices:, : edges.shape[1]] = edges
    # A place without any type is 0.
    allowed[~allowed.any(axis=1), 0] = True
    return allowed


def _described(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
