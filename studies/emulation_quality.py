"""Quality of the emulation of NAS-Bench-101, as docs/emulation.md shows it.

    python -m studies.emulation_quality --mirror FOLDER

Prints the errors in cross-validation of several models of the validation accuracy and of the
training seconds, and quantiles of the emulated columns; `studies.training_noise` has the spread of
single trainings. FOLDER holds nasbench101.parquet and nasbench101_curves_subset.parquet; by default
it is that of the variable DAGNAS_MIRROR. In the smallest size both are invented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from dagnas.files import read_parquet
from dagnas.seeds import stream
from dagnas.tables.emulation import (
    IMAGES,
    REPEATS,
    Floats,
    Model,
    Subset,
    ValidModel,
    emulate,
    fit_additive,
    fit_seconds,
    fit_valid,
    held_out,
    read_cells,
    read_subset,
    work,
)
from perf.common import add_mirror, command_line, cpu_seconds, mirror_of, run

Fit = Callable[[Floats, Floats], Model]

#: Cells of the invented tables.
INVENTED = 60


class Tables(NamedTuple):
    """Compact NAS-Bench-101 and its public subset."""

    nasbench101: pa.Table
    subset: pa.Table


def fit_offset(test: Floats, valid: Floats) -> Model:
    """Validation accuracy as the test accuracy and a constant."""
    offset = (valid - test).mean()
    return lambda test: test + offset


def fit_line(test: Floats, valid: Floats) -> Model:
    """Validation accuracy as a line in the test accuracy."""
    slope, intercept = np.polyfit(test, valid, 1)
    return lambda test: slope * test + intercept


def fit_madds(features: Floats, seconds: Floats) -> Model:
    """Seconds as linear in multiply-adds and numbers of operations."""
    # Columns 1 to 3 are the multiply-adds, 9 to 13 count operations and edges.
    chosen = [1, 2, 3, *range(9, 14)]
    line = LinearRegression().fit(features[:, chosen], seconds)
    return lambda features: np.asarray(line.predict(features[:, chosen]))


def fit_linear(features: Floats, seconds: Floats) -> Model:
    """Seconds as linear in all kinds of work."""
    line = LinearRegression().fit(features, seconds)
    return lambda features: np.asarray(line.predict(features))


def fit_trees(features: Floats, seconds: Floats) -> Model:
    """Seconds by boosted trees."""
    trees = GradientBoostingRegressor(
        n_estimators=300, max_depth=4, subsample=0.7, random_state=0
    ).fit(features, seconds)
    return lambda features: trees.predict(features)


def scores(y: Floats, guess: Floats) -> tuple[float, float, float, float]:
    """R2, Pearson correlation, root mean square error, mean error (guess less truth)."""
    error = guess - y
    return (
        1 - (error**2).mean() / y.var(),
        np.corrcoef(guess, y)[0, 1],
        np.sqrt((error**2).mean()),
        error.mean(),
    )


def real(mirror: Path) -> Tables:
    """Tables of a folder."""
    names = ("nasbench101", "nasbench101_curves_subset")
    return Tables(*(read_parquet(mirror / f"{name}.parquet") for name in names))


def invented() -> Tables:
    """Tables of the same columns, of random cells with random results."""
    rng = stream("emulation quality")
    vertices = rng.integers(4, 8, size=INVENTED)
    pairs = vertices * (vertices - 1) // 2
    # One path through all vertices, so that every cell computes something, and random edges.
    path = np.array([sum(1 << y * (y + 1) // 2 - 1 for y in range(1, n)) for n in vertices])
    correct = rng.integers(25_000, 28_500, size=INVENTED)
    test = correct / (REPEATS * IMAGES)
    rows, params = np.arange(INVENTED), rng.integers(1_000_000, 9_000_000, size=INVENTED)
    return Tables(
        pa.table(
            {
                "num_vertices": vertices,
                "edge_bits": path | rng.integers(2**21, size=INVENTED) & ((1 << pairs) - 1),
                "op_code": rng.integers(3 ** (vertices - 2)),
                "params": params,
                "test_correct_of_29952": correct,
            }
        ),
        pa.table(
            {
                "row": rows,
                "params": params,
                "valid_108": test + rng.normal(0.005, 0.002, size=INVENTED),
                "test_108": test,
                "train_seconds_108": rng.uniform(500, 3000, size=INVENTED),
            }
        ),
    )


def compare(
    title: str,
    x: Floats,
    y: Floats,
    vertices: NDArray[np.int64],
    fits: Mapping[str, Fit],
    scale: float = 1.0,
) -> None:
    """Print the errors of models in several splits; ``scale`` is what ``y`` is multiplied by."""
    splits = {
        "10-fold": np.random.default_rng(0).permutation(len(y)) % 10,
        "<= 5 vertices to > 5": np.where(vertices > 5, 0, -1),
        # Cells in a fold of -2 are larger than what is predicted: they are left out altogether.
        "<= 4 vertices to 5": np.where(vertices == 5, 0, np.where(vertices > 5, -2, -1)),
    }
    print(f"\n{title}: {len(y)} cells")
    print(f"{'model':34}{'split':22}{'cells':>6}{'R2':>8}{'r':>8}{'rmse':>9}{'bias':>9}")
    for name, fit in fits.items():
        for split, folds in splits.items():
            use = folds > -2
            guess = scale * held_out(fit, x[use], y[use], folds[use])
            tested = np.isfinite(guess)
            r2, r, rmse, bias = scores(scale * y[use][tested], guess[tested])
            print(f"{name:34}{split:22}{tested.sum():6}{r2:8.4f}{r:8.4f}{rmse:9.3f}{bias:9.3f}")


def show_valid(public: Subset) -> None:
    """Print the errors of models of the validation accuracy, and the model in use."""
    known = np.isfinite(public.valid)
    test, valid, vertices = public.test[known], public.valid[known], public.num_vertices[known]
    fits = {"test + constant": fit_offset, "line": fit_line, "logit (used)": fit_valid}
    compare("validation accuracy (points)", test, valid, vertices, fits, scale=100)
    print(f"\n{ValidModel.fit(test, valid)}")


def show_seconds(public: Subset, table: pa.Table) -> None:
    """Print the errors of models of the training seconds, and their means over the space."""
    known = np.isfinite(public.seconds)
    x, y, vertices = work(public.cells)[known], public.seconds[known], public.num_vertices[known]
    fits = {
        "linear, multiply-adds and counts": fit_madds,
        "linear, all work": fit_linear,
        "non-negative, all work": fit_additive,
        "boosted trees alone": fit_trees,
        "non-negative x boosted (used)": fit_seconds,
    }
    compare("training seconds", x, y, vertices, fits)
    everything = work(read_cells(table))
    for name, fit in fits.items():
        print(f"{name:34}mean over the space {fit(x, y)(everything).mean():.0f} s")


def show_emulated(table: pa.Table, subset: pa.Table) -> None:
    """Print how long the emulation takes, and quantiles of its columns."""
    columns: dict[str, Floats] = {}
    seconds = cpu_seconds(lambda: columns.update(emulate(table, subset)))
    print(f"\nemulate: {seconds:.1f} s of processor time, {table.num_rows} rows")
    for name, values in columns.items():
        low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
        print(
            f"{name:28} mean {values.mean():9.3f}  1 % {low:9.3f}  median {middle:9.3f}"
            f"  99 % {high:9.3f}  max {values.max():9.3f}"
        )


def main() -> None:
    """Print all tables."""
    parser = command_line("studies.emulation_quality", __doc__, "--mirror tables")
    add_mirror(parser)
    options = parser.parse_args()
    mirror = None if options.smallest else mirror_of(options)
    if mirror is None:
        print(f"smallest size: tables of {INVENTED} invented cells")
    tables = invented() if mirror is None else real(mirror)
    public = read_subset(tables.nasbench101, tables.subset)
    show_valid(public)
    show_seconds(public, tables.nasbench101)
    show_emulated(tables.nasbench101, tables.subset)


if __name__ == "__main__":
    run(main)
