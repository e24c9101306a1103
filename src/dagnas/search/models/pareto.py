"""Pareto fronts of a signal and costs, and the volume that they dominate, by pymoo.

Rows of objectives are what methods of several objectives are sent: the signal, which is maximised,
then costs, which are minimised; shape (N, 1 + C). Rows without costs (`dagnas.benchmarks.absent`)
are on no front and add no volume.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from dagnas.benchmarks import absent
from dagnas.errors import DagnasError

Array = NDArray[np.float64]


def losses(objectives: Array) -> Array:
    """Objectives of which less is better: the signal's sign is changed; shape (N, 1 + C).

    Raises
    ------
    DagnasError
        They are no rows of numbers, or one is not finite.
    """
    rows = np.array(objectives, dtype=np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise DagnasError(f"objectives of shape {rows.shape}: expected (N, 1 + costs)")
    if not np.isfinite(rows).all():
        raise DagnasError("objectives hold NaN or infinity")
    rows[:, 0] *= -1
    return rows


def present(objectives: Array) -> NDArray[np.bool_]:
    """Whether each row, of shape (1 + C,), has all its costs; shape (N,)."""
    return np.asarray(absent.present(np.asarray(objectives)[:, 1:]).all(axis=1))


def front(objectives: Array) -> NDArray[np.int64]:
    """Numbers, ascending, of the rows that no other dominates.

    A row dominates another if it is at least as good everywhere and better somewhere; of equal
    rows none does.

    Parameters
    ----------
    objectives : ndarray, shape (N, 1 + C)
    """
    rows, own = losses(objectives), np.flatnonzero(present(objectives))
    if not len(own):
        return own
    numbers = NonDominatedSorting().do(rows[own], only_non_dominated_front=True)
    return np.sort(own[np.asarray(numbers, dtype=np.int64)])


class Frame(NamedTuple):
    """Box in whose units volumes are told.

    Attributes
    ----------
    best, worst : ndarray, shape (1 + C,)
        Its corners, as objectives. The worst is the reference point of hypervolumes.
    """

    best: Array
    worst: Array

    @staticmethod
    def of(objectives: Array) -> Frame:
        """Smallest frame around rows, shape (N, 1 + C); an objective without range gets 1.

        Raises
        ------
        DagnasError
            There are no rows with costs, or one is not finite.
        """
        rows = losses(objectives)
        rows = rows[present(objectives)]
        if not len(rows):
            raise DagnasError("no objectives to put a frame around")
        low, high = rows.min(axis=0), rows.max(axis=0)
        high = np.where(high > low, high, low + 1)
        sign = np.where(np.arange(rows.shape[1]) == 0, -1.0, 1.0)
        return Frame(sign * low, sign * high)

    def normalise(self, objectives: Array) -> Array:
        """Losses in units of the frame, 0 at its best corner and 1 at its worst; shape (N, 1 + C).

        Raises
        ------
        DagnasError
            The frame has no volume, or is of another number of objectives.
        """
        rows, (low, high) = losses(objectives), losses(np.stack([self.best, self.worst]))
        if rows.shape[1] != len(low):
            raise DagnasError(f"{rows.shape[1]} objectives in a frame of {len(low)}")
        if not (low < high).all():
            raise DagnasError(
                f"a frame from {self.best} to {self.worst}: its best corner has the larger signal "
                "and the smaller costs"
            )
        with np.errstate(over="ignore"):
            return np.asarray((rows - low) / (high - low))


def hypervolume(objectives: Array, frame: Frame) -> float:
    """Volume that rows dominate within reach of the frame's worst corner, in units of its volume.

    The reference point is the worst corner, 1 in every normalised loss: rows that are worse than
    it somewhere add nothing. A front at the best corner has 1, and one beyond it more (Zitzler and
    Thiele 1999).

    Parameters
    ----------
    objectives : ndarray, shape (N, 1 + C)
    frame : Frame
    """
    rows = frame.normalise(objectives)
    rows = rows[(rows < 1).all(axis=1)]
    return float(HV(ref_point=np.ones(rows.shape[1]))(rows)) if len(rows) else 0.0


def hypervolume_curve(objectives: Array, frame: Frame) -> Array:
    """Hypervolume of the first row, of the first two, and so on; shape (N,).

    Parameters
    ----------
    objectives : ndarray, shape (N, 1 + C)
        In the order of evaluation.
    frame : Frame
    """
    rows = frame.normalise(objectives)
    objectives = np.asarray(objectives, np.float64)
    curve, volume = np.empty(len(rows)), 0.0
    kept = np.empty(0, dtype=np.int64)
    for number, row in enumerate(rows):
        # Only what is not dominated makes the volume larger.
        if (row < 1).all() and not (rows[kept] <= row).all(axis=1).any():
            kept = np.append(kept[~(rows[kept] >= row).all(axis=1)], number)
            volume = hypervolume(objectives[kept], frame)
        curve[number] = volume
    return curve
