"""Quality of the emulation of NAS-Bench-101, as docs/emulation.md shows it.

Usage: DAGNAS_MIRROR=FOLDER python benchmarks/emulation_quality.py
FOLDER holds nasbench101.parquet, nasbench101_curves_subset.parquet and nasbench201.parquet.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from dagnas.files import read_parquet
from dagnas.tables.emulation import (
    IMAGES,
    SPREAD,
    Floats,
    Model,
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

Fit = Callable[[Floats, Floats], Model]


def fit_offset(test: Floats, valid: Floats) -> Model:
    offset = (valid - test).mean()
    return lambda test: test + offset


def fit_line(test: Floats, valid: Floats) -> Model:
    slope, intercept = np.polyfit(test, valid, 1)
    return lambda test: slope * test + intercept


def fit_madds(features: Floats, seconds: Floats) -> Model:
    # Columns 1 to 3 are the multiply-adds, 9 to 13 count operations and edges.
    chosen = [1, 2, 3, *range(9, 14)]
    line = LinearRegression().fit(features[:, chosen], seconds)
    return lambda features: line.predict(features[:, chosen])


def fit_linear(features: Floats, seconds: Floats) -> Model:
    return LinearRegression().fit(features, seconds).predict


def fit_trees(features: Floats, seconds: Floats) -> Model:
    trees = GradientBoostingRegressor(
        n_estimators=300, max_depth=4, subsample=0.7, random_state=0
    ).fit(features, seconds)
    return trees.predict


def scores(y: Floats, guess: Floats) -> tuple[float, float, float, float]:
    """R2, Pearson correlation, root mean square error, mean error (guess less truth)."""
    error = guess - y
    return (
        1 - (error**2).mean() / y.var(),
        np.corrcoef(guess, y)[0, 1],
        np.sqrt((error**2).mean()),
        error.mean(),
    )


def main() -> None:
    if "DAGNAS_MIRROR" not in os.environ:
        raise SystemExit("set DAGNAS_MIRROR to the folder of the compact tables")
    mirror = Path(os.environ["DAGNAS_MIRROR"])
    table = read_parquet(mirror / "nasbench101.parquet")
    subset = read_parquet(mirror / "nasbench101_curves_subset.parquet")
    public = read_subset(table, subset)
    everything = work(read_cells(table))
    studies: list[tuple[str, Floats, Floats, float, dict[str, Fit]]] = [
        (
            "validation accuracy (points)",
            public.test,
            public.valid,
            100,
            {"test + constant": fit_offset, "line": fit_line, "logit (used)": fit_valid},
        ),
        (
            "training seconds",
            work(public.cells),
            public.seconds,
            1,
            {
                "linear, multiply-adds and counts": fit_madds,
                "linear, all work": fit_linear,
                "non-negative, all work": fit_additive,
                "boosted trees alone": fit_trees,
                "non-negative x boosted (used)": fit_seconds,
            },
        ),
    ]
    for title, x, y, scale, fits in studies:
        known = np.isfinite(y)
        x, y, size = x[known], scale * y[known], public.num_vertices[known]
        splits = {
            "10-fold": np.random.default_rng(0).permutation(len(y)) % 10,
            "<= 5 vertices to > 5": np.where(size > 5, 0, -1),
            "<= 4 vertices to 5": np.where(size == 5, 0, np.where(size > 5, -2, -1)),
        }
        print(f"\n{title}: {len(y)} cells")
        print(f"{'model':34}{'split':22}{'cells':>6}{'R2':>8}{'r':>8}{'rmse':>9}{'bias':>9}")
        for name, fit in fits.items():
            for split, folds in splits.items():
                # A fold of -2 would be larger than what is predicted: it is left out altogether.
                use = folds > -2
                guess = scale * held_out(fit, x[use], y[use] / scale, folds[use])
                tested = np.isfinite(guess)
                r2, r, rmse, bias = scores(y[use][tested], guess[tested])
                print(f"{name:34}{split:22}{tested.sum():6}{r2:8.4f}{r:8.4f}{rmse:9.3f}{bias:9.3f}")
            if title == "training seconds":
                print(f"{'':34}mean over the space {fit(x, y)(everything).mean():.0f} s")
    known = np.isfinite(public.valid)
    model = ValidModel.fit(public.test[known], public.valid[known])
    print(f"\n{model}")
    seeds = read_parquet(mirror / "nasbench201.parquet")
    for name, column, images in (
        ("CIFAR-10 valid", "cifar10_valid_200ep", 25_000),
        ("CIFAR-100 valid and test", "cifar100_valid_and_test_200ep", 10_000),
        ("ImageNet16-120 valid and test", "imagenet16_120_valid_and_test_200ep", 6_000),
    ):
        runs = np.column_stack([seeds[f"{column}_s{i}"].to_numpy() for i in range(3)]) / 100.0
        runs = runs[np.isfinite(runs).all(axis=1)].astype(np.float64)
        mean = runs.mean(axis=1)
        better = mean > np.median(mean)
        spread = runs.std(axis=1, ddof=1)[better] / np.sqrt(mean * (1 - mean))[better]
        print(
            f"NAS-Bench-201 {name} ({images} images): sd between seeds / sqrt(p(1-p)), better half:"
            f" root mean square {np.sqrt((spread**2).mean()):.4f}"
            f", median {np.median(spread) / np.sqrt(np.log(2)):.4f}"
        )
    print(f"used: {SPREAD} for {IMAGES} images")
    start = time.process_time()
    columns = emulate(table, subset)
    print(
        f"\nemulate: {time.process_time() - start:.1f} s of processor time, {table.num_rows} rows"
    )
    for name, values in columns.items():
        low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
        print(
            f"{name:28} mean {values.mean():9.3f}  1 % {low:9.3f}  median {middle:9.3f}"
            f"  99 % {high:9.3f}  max {values.max():9.3f}"
        )


if __name__ == "__main__":
    main()
