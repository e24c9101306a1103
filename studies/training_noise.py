"""Spread of single trainings: the constants of `dagnas.tables.noise`, fitted and judged.

    python -m studies.training_noise --mirror FOLDER

NAS-Bench-101: public single trainings, in nasbench101_single_trainings.csv, about the mean of three
in nasbench101.parquet. Prints the log-likelihood of several models in cross-validation over cells,
how often their intervals hold what was left out, and the spread by accuracy, at 108 epochs and less
(means of nasbench101_curves_subset.parquet).

NAS-Bench-201 at 12 epochs: the table has means of two trainings, but isomorphic cells were trained
apart, so that pairs of them tell the spread. Prints the same; and whether pairs of isomorphic cells
differ at 200 epochs as two seeds of one cell do.

FOLDER is by default that of the variable DAGNAS_MIRROR. In the smallest size the data are drawn
from the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, gammaln, logsumexp
from scipy.stats import norm
from scipy.stats import t as student

from dagnas.errors import DagnasError
from dagnas.files import read_parquet
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells
from dagnas.tables.emulation import IMAGES, REPEATS, Floats, read_cells
from dagnas.tables.noise import (
    ACCURACIES_201,
    GUESSING_201,
    NASBENCH101,
    ScaleMixture,
    spread_201,
)
from perf.common import add_mirror, command_line, mirror_of, run

#: Normal spread that was assumed before single trainings were at hand.
ASSUMED_101 = 0.009
#: The same for NAS-Bench-201, in points.
ASSUMED_201 = 0.7
FOLDS, SPLITS, PAIR_FOLDS = 10, 3, 5
INTERVALS = (0.5, 0.8, 0.9, 0.95, 0.99)
KNOTS = np.array(ACCURACIES_201)
#: Order of operations in the file of single trainings.
OPERATIONS = {"conv3x3-bn-relu": 1, "conv1x1-bn-relu": 2, "maxpool3x3": 3}


class Draws(NamedTuple):
    """Single trainings about the mean of a cell's three.

    Attributes
    ----------
    mean : ndarray, shape (B,)
        Mean accuracy of each cell, in 0..1.
    first : ndarray, shape (B,)
        Deviation of one training from it.
    known : ndarray of int, shape (B,)
        Trainings known of the cell: one, or two (a third follows from the mean).
    square : ndarray, shape (B,)
        Sum of squares of the deviations, as independent normals of the spread of one training.
    """

    mean: Floats
    first: Floats
    known: NDArray[np.int64]
    square: Floats

    def only(self, chosen: NDArray[np.bool_]) -> Draws:
        """Some of the cells."""
        return Draws(self.mean[chosen], self.first[chosen], self.known[chosen], self.square[chosen])


def draws(means: Iterable[float], trainings: Iterable[Floats]) -> Draws:
    """Draws from the mean of each cell and its known trainings."""
    rows = []
    for mean, values in zip(means, trainings, strict=True):
        off = np.asarray(values)[: REPEATS - 1] - mean
        # Deviations from the mean of three: variance 2/3, covariance -1/3 of one training's.
        covariance = np.eye(len(off)) - 1 / REPEATS
        rows.append((mean, off[0], len(off), off @ np.linalg.solve(covariance, off)))
    return Draws(*map(np.array, zip(*rows, strict=True)))


# Spread by accuracy: a factor of the scale. The first parameters of a model are its own.
LAWS: dict[str, tuple[list[float], Callable[[Floats, Floats], Floats]]] = {
    "constant": ([], lambda mean, _: np.full_like(mean, 0.3)),
    "sqrt(p(1-p))": ([], lambda mean, _: np.sqrt(mean * (1 - mean))),
    "power of 1-p": ([0.5], lambda mean, own: 0.3 * ((1 - mean) / 0.1) ** own[0]),
}


def _normal(cells: Draws, scale: Floats) -> Floats:
    """Log-density of the deviations for a spread of one training of ``scale``."""
    n = cells.known
    determinant = np.log(1 - n / REPEATS)
    logs: Floats = -0.5 * (cells.square / scale**2 + n * np.log(2 * np.pi * scale**2) + determinant)
    return logs


def _student(cells: Draws, scale: Floats, freedom: float) -> Floats:
    """The same for Student's t of several variables."""
    n = cells.known
    logs: Floats = (
        gammaln((freedom + n) / 2)
        - gammaln(freedom / 2)
        - 0.5 * n * np.log(freedom * np.pi * scale**2)
        - 0.5 * np.log(1 - n / REPEATS)
        - (freedom + n) / 2 * np.log1p(cells.square / scale**2 / freedom)
    )
    return logs


def mixture(parameters: Floats) -> ScaleMixture:
    """Scale mixture from logarithms of its narrow spread and of the ratio less 1, and a logit."""
    narrow = float(np.exp(parameters[0]))
    return ScaleMixture(
        narrow, narrow * (1 + float(np.exp(parameters[1]))), float(expit(parameters[2]))
    )


class Tail(NamedTuple):
    """Family of distributions of the deviations of a cell."""

    start: list[float]
    density: Callable[[Draws, Floats, Floats], Floats]
    #: Distribution function of one deviation over the spread of one training.
    below: Callable[[Floats, Floats], Floats]


def _mixed_density(cells: Draws, unit: Floats, own: Floats) -> Floats:
    model = mixture(own)
    logs: Floats = np.logaddexp(
        np.log1p(-model.share) + _normal(cells, unit * model.narrow),
        np.log(model.share) + _normal(cells, unit * model.wide),
    )
    return logs


def _mixed_below(x: Floats, own: Floats) -> Floats:
    model = mixture(own)
    narrow, wide = (norm.cdf(x / scale) for scale in (model.narrow, model.wide))
    below: Floats = (1 - model.share) * narrow + model.share * wide
    return below


TAILS = {
    "normal": Tail(
        [np.log(0.0146)],
        lambda cells, unit, own: _normal(cells, unit * np.exp(own[0])),
        lambda x, own: norm.cdf(x / np.exp(own[0])),
    ),
    "Student": Tail(
        [np.log(0.011), np.log(4.0)],
        lambda cells, unit, own: _student(cells, unit * np.exp(own[0]), float(np.exp(own[1]))),
        lambda x, own: student.cdf(x / np.exp(own[0]), np.exp(own[1])),
    ),
    "two scales": Tail([np.log(0.009), 0.4, -0.8], _mixed_density, _mixed_below),
}


class Model(NamedTuple):
    """Law of the spread and tail, with parameters."""

    law: str
    tail: str
    parameters: Floats

    def _parts(self, mean: Floats) -> tuple[Floats, Floats]:
        start, unit = LAWS[self.law]
        return unit(mean, self.parameters[: len(start)]), self.parameters[len(start) :]

    def density(self, cells: Draws) -> Floats:
        """Log-density of each cell's deviations."""
        unit, own = self._parts(cells.mean)
        return TAILS[self.tail].density(cells, unit, own)

    def below(self, cells: Draws) -> Floats:
        """Probability of less than each cell's first deviation."""
        unit, own = self._parts(cells.mean)
        return TAILS[self.tail].below(cells.first / unit / np.sqrt(1 - 1 / REPEATS), own)


def fit(law: str, tail: str, cells: Draws) -> Model:
    """Model of highest likelihood."""
    start = [*LAWS[law][0], *TAILS[tail].start]
    found = minimize(
        lambda x: -Model(law, tail, x).density(cells).sum(),
        start,
        method="Nelder-Mead",
        options={"maxiter": 4000, "xatol": 1e-5, "fatol": 1e-6},
    )
    return Model(law, tail, found.x)


def held_out(law: str, tail: str, cells: Draws, splits: int) -> tuple[Floats, Floats]:
    """Log-density and `Model.below` of each cell by models fitted without it.

    Returns
    -------
    density, below : ndarray, shape (splits, B)
    """
    density, below = np.empty((2, splits, len(cells.mean)))
    for split in range(splits):
        folds = np.random.default_rng(split).permutation(len(cells.mean)) % FOLDS
        for fold in range(FOLDS):
            out = folds == fold
            model = fit(law, tail, cells.only(~out))
            density[split, out] = model.density(cells.only(out))
            below[split, out] = model.below(cells.only(out))
    return density, below


def coverage(below: Floats) -> str:
    """Fractions of values within central intervals, in words."""
    inside = (np.abs(below - 0.5) < share / 2 for share in INTERVALS)
    return "  ".join(
        f"{share:.0%}: {np.mean(held):.3f}" for share, held in zip(INTERVALS, inside, strict=True)
    )


def show_models(cells: Draws, splits: int) -> None:
    """Print every model's fit, and its quality in cross-validation."""
    assumed = Model("sqrt(p(1-p))", "normal", np.log([ASSUMED_101]))
    before = assumed.density(cells)
    print(f"{len(cells.mean)} cells, {cells.known.sum()} trainings")
    print(f"assumed before, normal of {ASSUMED_101}: log-likelihood {before.sum():.1f}")
    print(f"  coverage {coverage(assumed.below(cells))}")
    for law in LAWS:
        for tail in TAILS:
            model = fit(law, tail, cells)
            density, below = held_out(law, tail, cells, splits)
            gain = density.mean(axis=0) - before
            error = gain.std() * np.sqrt(len(gain))
            print(
                f"{law:14}{tail:12} fit {model.density(cells).sum():7.1f}  held out "
                f"{density.sum(axis=1).mean():7.1f}  above assumed {gain.sum():5.1f} +- {error:.1f}"
            )
            print(f"  coverage {coverage(below)}")
            if (law, tail) == ("sqrt(p(1-p))", "two scales"):
                print(f"  fitted {mixture(model.parameters)}")
    print(f"used: {NASBENCH101}, root mean square {NASBENCH101.rms:.4f}")


def show_spread(mean: Floats, first: Floats, bounds: list[float]) -> None:
    """Print the spread of one training between bounds of the mean accuracy."""
    one = first / np.sqrt(1 - 1 / REPEATS)
    unit = np.sqrt(mean * (1 - mean))
    for low, high in pairwise(bounds):
        here = (mean >= low) & (mean < high)
        if not here.any():
            continue
        points, relative = (
            np.sqrt((values[here] ** 2).mean()) for values in (100 * one, one / unit)
        )
        print(
            f"  mean {low:.3f} to {high:.3f}: {here.sum():4} trainings, spread {points:6.3f} "
            f"points, {relative:.4f} sqrt(p(1-p)) +- {relative / np.sqrt(2 * here.sum()):.4f}"
        )


class Single(NamedTuple):
    """Public single trainings of NAS-Bench-101: a row each, with the means of their cells."""

    trainings: pd.DataFrame

    def cells(self) -> Draws:
        """By cell, at 108 epochs."""
        groups = [rows for _, rows in self.trainings.groupby("row")]
        return draws(
            (rows["mean_108"].iloc[0] for rows in groups),
            (rows["cifar_acc_108"].to_numpy() for rows in groups),
        )


def read_single(mirror: Path) -> Single:
    """Single trainings of a folder's file, each once."""
    space = SPACES.get("nasbench101")
    table = read_parquet(mirror / "nasbench101.parquet")
    path = mirror / "nasbench101_single_trainings.csv"
    if not path.is_file():
        raise DagnasError(f"no file {path}")
    frame = pd.read_csv(path)
    edges = np.zeros((len(frame), 7, 7), np.int8)
    nodes = np.zeros((len(frame), 7), np.int8)
    for number, text in enumerate(frame["cell"]):
        bits, *operations = text.split()
        edges[number][np.triu_indices(7, 1)] = [int(bit) for bit in bits]
        nodes[number, 1:] = [*(OPERATIONS[name] for name in operations), 4]
    codes, wanted = space.canonical(read_cells(table)), space.canonical(Cells(nodes, edges))
    order = np.argsort(codes)
    frame["row"] = order[np.searchsorted(codes[order], wanted).clip(max=len(codes) - 1)]
    if (codes[frame["row"]] != wanted).any():
        raise DagnasError(f"{path} has a cell that is not in NAS-Bench-101")
    # One training may be several rows, of several queries.
    frame = frame.drop_duplicates(["row", "cifar_acc_108"])
    total = table["test_correct_of_29952"].to_numpy()
    frame["mean_108"] = total[frame["row"]] / (REPEATS * IMAGES)
    curves = read_parquet(mirror / "nasbench101_curves_subset.parquet").to_pandas()
    known = curves.set_index("row").reindex(frame["row"])
    for epochs in (12, 36):
        frame[f"mean_{epochs}"] = known[f"test_{epochs}"].to_numpy()
    return Single(frame)


def invented_single() -> Single:
    """Trainings drawn from the model."""
    rng = stream("training noise", "nasbench101")
    rows = np.repeat(np.arange(40), 3)
    mean = np.repeat(rng.uniform(0.8, 0.94, 40), 3)
    scale = np.repeat(NASBENCH101.scales(40, rng), 3) * np.sqrt(mean * (1 - mean))
    noise = rng.standard_normal((40, 3))
    off = (noise - noise.mean(axis=1, keepdims=True)).ravel() * scale
    frame = pd.DataFrame({"row": rows, "mean_108": mean, "cifar_acc_108": mean + off})
    for epochs in (12, 36):
        frame[f"mean_{epochs}"], frame[f"cifar_acc_{epochs}"] = mean, mean + off
    return Single(frame[rng.random(120) < 0.5])


class Pairs(NamedTuple):
    """Differences between isomorphic cells; shape (B,) each, in points and %.

    ``group`` is the cell's class.
    """

    difference: Floats
    mean: Floats
    group: NDArray[np.int64]

    def only(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.difference[chosen], self.mean[chosen], self.group[chosen])


def pairs(values: Floats, classes: NDArray[np.int64]) -> Pairs:
    """Disjoint pairs of cells of one class.

    Pairs of equal values are left out: some isomorphic cells are the same computation, whose
    trainings repeat each other.
    """
    mixed = stream("training noise", "pairs").permutation(len(classes))
    order = mixed[np.argsort(classes[mixed], kind="stable")]
    sorted_ = classes[order]
    start = np.searchsorted(sorted_, sorted_)
    even = (np.arange(len(order)) - start)[:-1] % 2 == 0
    first = np.flatnonzero(even & (sorted_[:-1] == sorted_[1:]))
    one, two = values[order[first]], values[order[first + 1]]
    found = Pairs(one - two, (one + two) / 2, sorted_[first])
    return found.only(found.difference != 0)


def pair_variances(model: ScaleMixture) -> list[tuple[float, Floats]]:
    """Weights and variances of the difference of two cells' means of two trainings.

    A cell's mean of two trainings has half the variance of one, and each of the two cells has its
    own scale.
    """
    scales = ((1 - model.share, model.narrow**2 / 2), (model.share, model.wide**2 / 2))
    return [(a * b, np.asarray(v + w)) for a, v in scales for b, w in scales]


def pair_density(found: Pairs, model: ScaleMixture) -> Floats:
    """Log-density of each difference."""
    parts = [
        np.log(weight) + norm.logpdf(found.difference, 0, np.sqrt(variance))
        for weight, variance in pair_variances(model)
    ]
    logs: Floats = logsumexp(parts, axis=0)
    return logs


def pair_below(found: Pairs, model: ScaleMixture) -> Floats:
    """Probability of less than each difference."""
    below: Floats = np.sum(
        [
            weight * norm.cdf(found.difference / np.sqrt(variance))
            for weight, variance in pair_variances(model)
        ],
        axis=0,
    )
    return below


class PairModel(NamedTuple):
    """Scale mixture at each knot; shape (knots,)."""

    at_knots: ScaleMixture

    def at(self, mean: Floats) -> ScaleMixture:
        """Scale mixture at some mean accuracies, %."""
        narrow, wide = (
            np.interp(mean, KNOTS, np.asarray(scale))
            for scale in (self.at_knots.narrow, self.at_knots.wide)
        )
        return ScaleMixture(narrow, wide, self.at_knots.share)


def fit_pairs(found: Pairs) -> PairModel:
    """Scales of one training at each knot, of highest likelihood."""

    def model(x: Floats) -> PairModel:
        narrow, ratio = np.exp(x[:-1]).reshape(2, len(KNOTS))
        return PairModel(ScaleMixture(narrow, narrow * (1 + ratio), float(expit(x[-1]))))

    def cost(x: Floats) -> float:
        return float(-pair_density(found, model(x).at(found.mean)).sum())

    start = [*np.full(len(KNOTS), np.log(0.5)), *np.zeros(len(KNOTS)), -1.5]
    return model(minimize(cost, start, method="L-BFGS-B").x)


def show_pairs(found: Pairs) -> None:
    """Print the fit to NAS-Bench-201 at 12 epochs, and its quality in cross-validation."""
    print(f"\nNAS-Bench-201, 12 epochs: {len(found.mean)} pairs of isomorphic cells")
    for name, model in (
        ("fitted", fit_pairs(found).at_knots),
        ("used", spread_201(np.maximum(KNOTS, GUESSING_201))),
    ):
        print(f"{name}: share of the wide scale {model.share:.3f}; points at {KNOTS.tolist()} %")
        for part in ("narrow", "wide", "rms"):
            print(f"  {part:8}{np.round(getattr(model, part), 2).tolist()}")
    density, below = np.empty((2, len(found.mean)))
    _, group = np.unique(found.group, return_inverse=True)
    folds = np.random.default_rng(0).permutation(group.max() + 1)[group] % PAIR_FOLDS
    for fold in np.unique(folds):
        out = folds == fold
        held = found.only(out)
        model = fit_pairs(found.only(~out)).at(held.mean)
        density[out], below[out] = pair_density(held, model), pair_below(held, model)
    assumed = norm.logpdf(found.difference, 0, ASSUMED_201)
    print(
        f"held out: log-likelihood {density.sum():.1f}; normal of {ASSUMED_201} points "
        f"{assumed.sum():.1f}"
    )
    for low in (0.0, 70.0, 78.0, 81.0):
        here = found.mean >= low
        print(f"  mean from {low:.0f} %: {here.sum():5} pairs, coverage {coverage(below[here])}")
    used = np.asarray(spread_201(found.mean).rms)
    bounds = [0, 40, 50, 60, 65, 70, 74, 76, 78, 80, 82, 85]
    for low, high in pairwise(bounds):
        here = (found.mean >= low) & (found.mean < high)
        if here.any():
            spread, stated = (
                np.sqrt((values[here] ** 2).mean()) for values in (found.difference, used)
            )
            print(
                f"  {low} to {high} %: {here.sum():5} pairs, spread {spread:.3f} points, "
                f"used {stated:.3f}"
            )


def show_check(found: Pairs, seeds: Floats) -> None:
    """Print whether isomorphic cells at 200 epochs differ as seeds of one cell do."""
    print("\nNAS-Bench-201, 200 epochs, spread in points of pairs of isomorphic cells and of seeds")
    seeds = seeds[np.isfinite(seeds).all(axis=1)]
    mean, variance = seeds.mean(axis=1), seeds.var(axis=1, ddof=1)
    for low, high in ((70, 80), (80, 85), (85, 88), (88, 89), (89, 90), (90, 92)):
        pair, seed = (((x >= low) & (x < high)) for x in (found.mean, mean))
        if pair.any() and seed.any():
            spread = np.sqrt((found.difference[pair] ** 2).mean() / 2)
            print(f"  {low} to {high} %: {spread:.3f}, {np.sqrt(variance[seed].mean()):.3f}")


def read_nasbench201(mirror: Path) -> tuple[Mapping[str, Any], NDArray[np.int64]]:
    """Columns of compact NAS-Bench-201, and the class of every cell."""
    table = read_parquet(mirror / "nasbench201.parquet")
    space = SPACES.get("nasbench201")
    classes = space.canonical(space.from_str(table["arch_str"].to_pylist()))
    return {
        name: table[name].to_numpy().astype(np.float64) for name in table.column_names[8:]
    }, classes


def invented_nasbench201() -> tuple[Mapping[str, Any], NDArray[np.int64]]:
    """Columns drawn from the model, four cells a class."""
    rng = stream("training noise", "nasbench201")
    classes = np.repeat(np.arange(100), 4)
    mean = np.repeat(rng.uniform(50, 84, 100), 4)
    noise = spread_201(mean).scales(400, rng) * rng.standard_normal((4, 400))
    names = ["cifar10_valid_12ep", *(f"cifar10_valid_200ep_s{seed}" for seed in range(REPEATS))]
    return dict(zip(names, mean + noise, strict=True)), classes


def main() -> None:
    """Print all tables."""
    parser = command_line("studies.training_noise", __doc__, "--mirror tables")
    add_mirror(parser)
    options = parser.parse_args()
    mirror = None if options.smallest else mirror_of(options)
    if mirror is None:
        print("smallest size: data drawn from the models")
    single = invented_single() if mirror is None else read_single(mirror)
    show_models(single.cells(), 1 if options.smallest else SPLITS)
    bounds = {
        108: [0.78, 0.86, 0.89, 0.905, 0.92, 0.93, 0.95],
        36: [0.0, 0.82, 0.88, 1.0],
        12: [0.0, 0.5, 0.7, 0.8, 1.0],
    }
    for epochs, edges in bounds.items():
        known = single.trainings.dropna(subset=[f"mean_{epochs}"])
        print(f"{epochs} epochs:")
        mean = known[f"mean_{epochs}"].to_numpy()
        show_spread(mean, known[f"cifar_acc_{epochs}"].to_numpy() - mean, edges)
    columns, classes = invented_nasbench201() if mirror is None else read_nasbench201(mirror)
    found = pairs(columns["cifar10_valid_12ep"], classes)
    show_pairs(found.only(found.mean >= GUESSING_201))
    seeds = [columns[f"cifar10_valid_200ep_s{seed}"] for seed in range(REPEATS)]
    show_check(pairs(seeds[0], classes), np.column_stack(seeds))


if __name__ == "__main__":
    run(main)
