"""Reasons why the best cell of NAS-Bench-101 is hard to find, in four parts.

    python -m studies.bonas_best_cell [neighbours] [network] [others] [mutation]

``neighbours``: the cells that differ from it in one variable, as regularized evolution changes
them, how many cells of the table are better than the best of these, and how many of the best cells
have no better neighbours than it.

``network``: where BONAS's network puts it, trained on a few hundred cells: for each choice of the
network, the rank correlation of its predictions with the accuracies of 30,000 cells drawn
uniformly, and the percentage of them whose expected improvement is above the best cell's, over
draws of the training cells. A search finds the best cell only if few of its candidates are above
it.

``others``: in the trials of table 2 at the scale of the desk, what it would have taken to find one
of the two, five or twenty best cells. Reads the traces that ``snakemake -c2 bonas`` makes.

``mutation``: BONAS(EA) with section 3.3's mutation, with that of the authors' code, and if its
candidates were mutated as regularized evolution mutates, one variable of a cell; each with random
cells drawn from the table's classes and by variables: ten trials of 500 samples, in minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dagnas.analysis.survival import CensoredTimes, median
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.errors import unknown
from dagnas.predictors.bayes import BayesianLinear
from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn.model import GCN
from dagnas.predictors.gcn.training import fit_square
from dagnas.predictors.predictor import drawing_from
from dagnas.search import METHODS
from dagnas.search.methods.bonas import SAMPLERS
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.samplers import EvolutionSampler
from dagnas.search.runner import Search, run_trial
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.cells import Cells, Graphs
from perf.common import command_line, run
from studies.common import Artifacts, add_scale, artifacts

STUDY, BEST = "bonas_nasbench101", (1, 2, 5, 20)


class Size(NamedTuple):
    """How much is computed.

    Attributes
    ----------
    cells, draws : int
        Training cells of the network, and draws of them.
    tested : int
        Cells that it scores.
    epochs : tuple of int
        Passes over the training cells: BONAS's, and more.
    trials, samples : int
        Trials of the search with another mutation, and samples of each.
    best : int
        Best cells whose neighbours are looked at.
    """

    cells: int = 400
    draws: int = 6
    tested: int = 30_000
    epochs: tuple[int, int] = (100, 500)
    trials: int = 10
    samples: int = 500
    best: int = 500


SMALLEST = Size(cells=20, draws=1, tested=100, epochs=(1, 2), trials=1, samples=8, best=5)


def accuracies(bench: TabularBenchmark) -> NDArray[np.float64]:
    """Accuracies (%) that BONAS's protocol takes for the truth, in the table's order."""
    return bench.values(bench.policies["bonas"].signal)


def neighbours(made: Artifacts, bench: TabularBenchmark, size: Size) -> None:
    """Print what cells are near the best."""
    accuracy, cells = accuracies(bench) / 100, bench.cells

    def near(row: int) -> NDArray[np.int64]:
        return np.setdiff1d(bench.rows(bench.space.neighbours(cells[row])), row)

    best = np.argsort(-accuracy, kind="stable")[: size.best].tolist()
    heights = np.array([accuracy[near(row)].max() for row in best])
    height = heights[0]
    print(
        f"best cell: {accuracy[best[0]]:.2%}; {len(near(best[0]))} classes of neighbours, the best "
        f"{height:.2%}, which {(accuracy > height).sum()} classes surpass"
    )
    print(
        f"{len(best)} best cells: {(heights <= height).mean():.0%} have no better neighbour than "
        f"this, {(heights <= accuracy[best]).mean():.0%} none better than themselves"
    )


def network(made: Artifacts, bench: TabularBenchmark, size: Size) -> None:
    """Print a line for each choice of the network."""
    accuracy = accuracies(bench) / 100
    best = int(accuracy.argmax())
    rest = stream("bonas best cell").choice(len(bench), size.tested, replace=False)
    print(f"{'network':34}{'rank correlation':>24}{'% above the best cell':>60}")
    for normalized in (True, False):
        for epochs in size.epochs:
            correlations, above = [], []
            for draw in range(size.draws):
                mean, scores = _scores(bench, draw, size.cells, normalized, epochs, [*rest, best])
                correlations.append(spearmanr(mean[:-1], accuracy[rest]).statistic)
                above.append(100 * np.mean(scores[:-1] > scores[-1]))
            name = f"{'normalised' if normalized else 'sums'}, {epochs} epochs"
            spread = f"{min(correlations):.2f} to {max(correlations):.2f}"
            shares = "  ".join(f"{share:.2f}" for share in sorted(above))
            print(f"{name:34}{spread:>24}{shares:>60}", flush=True)


def _scores(
    bench: TabularBenchmark,
    draw: int,
    count: int,
    normalized: bool,
    epochs: int,
    tested: Sequence[int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predicted means and expected improvements of rows, by a network trained on ``count``."""
    space, cells, accuracy = bench.space, bench.cells, accuracies(bench) / 100
    rng = stream("bonas best cell", draw)
    rows = rng.choice(len(cells), count, replace=False)
    generator = torch_generator(rng)
    with drawing_from(generator):
        model = GCN(space, layers=4, hidden=64, normalized=normalized)

    def encoded(chosen: NDArray[np.int64]) -> Graphs:
        return model.encode(as_tensors(space.to_graph(space.prune(cells[chosen])), "cpu"))

    errors = torch.from_numpy(1 - accuracy[rows]).float()
    fit_square(
        model.body,
        encoded(rows),
        errors,
        loss="exponential",
        epochs=epochs,
        generator=generator,
    )
    model.eval()
    with torch.inference_mode():
        design, candidates = (
            np.concatenate([model.body.embed(encoded(part)) for part in parts])
            for parts in ([rows], np.array_split(np.asarray(tested), 20))
        )
    logit = np.log(accuracy[rows] / (1 - accuracy[rows]))
    mean, variance = BayesianLinear(design, logit).predict(candidates)
    return mean, expected_improvement(mean, np.sqrt(variance), logit.max())


def others(made: Artifacts, bench: TabularBenchmark, size: Size) -> None:
    """Print what table 2's methods take to find any of several best cells."""
    study = made.entry("studies", STUDY)
    traces = made.traces(STUDY)
    _header("method")
    for method, trace in traces.groupby("method", sort=False):
        cap = study.budgets.get(method, study.budget_evaluations)
        _line(str(method), trace, bench, cap)


def mutation(made: Artifacts, bench: TabularBenchmark, size: Size) -> None:
    """Print what BONAS takes with each mutation and each draw of random cells."""

    class VariableSampler(EvolutionSampler):
        def mutate(self, cells: Cells) -> Cells:
            return self.space.mutate(cells, self.rng)

    _header("BONAS(EA) mutating")
    ways = {
        "as section 3.3 says": (EvolutionSampler, "paper"),
        "as the code does": (EvolutionSampler, "code"),
        "one variable": (VariableSampler, "paper"),
    }
    for name, (sampler, way) in ways.items():
        for draw in ("classes", "variables"):
            search = Search(
                bench,
                METHODS.get("bonas"),
                {"mutation": way},
                policy="bonas",
                budget_evaluations=size.samples,
                until_best=True,
                study="bonas best cell",
                draw=draw,
            )
            with patch.dict(SAMPLERS, ea=sampler):
                trials = [run_trial(search, trial).to_pandas() for trial in range(size.trials)]
            _line(f"{name}, by {draw}", pd.concat(trials), bench, size.samples)


def _header(what: str) -> None:
    print(f"{what:36}" + "".join(f"{f'one of {k} best':>36}" for k in BEST))


def _line(name: str, trace: pd.DataFrame, bench: TabularBenchmark, cap: int) -> None:
    heights = np.sort(accuracies(bench))[::-1]
    found = (_words(trace, heights[k - 1], cap) for k in BEST)
    print(f"{name:36}" + "".join(f"{words:>36}" for words in found), flush=True)


def _words(trace: pd.DataFrame, height: float, cap: int) -> str:
    """How many trials reached an accuracy (%), and the median of the samples that they took."""
    best = trace.groupby("trial")["signal"].max()
    reached = trace[trace["signal"] >= height].groupby("trial")["step"].min() + 1
    samples: NDArray[np.int64] = reached.reindex(best.index, fill_value=cap).to_numpy()
    middle = median(CensoredTimes(samples, np.asarray(best >= height))).value
    half = f", median {middle:,.0f}" if np.isfinite(middle) else ""
    return f"{len(reached)} of {len(best)} in {cap:,}{half}"


PARTS = {part.__name__: part for part in (neighbours, network, others, mutation)}


def main() -> None:
    """Print the parts asked for, or all."""
    parser = command_line("studies.bonas_best_cell", __doc__, "neighbours mutation")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (all)")
    add_scale(parser)
    options = parser.parse_args()
    for name in options.parts:
        if name not in PARTS:
            raise unknown("part", name, PARTS)
    size = SMALLEST if options.smallest else Size()
    with artifacts(options, "search", STUDY) as made:
        bench = made.table("studies", STUDY)
        for name in options.parts or PARTS:
            PARTS[name](made, bench, size)


if __name__ == "__main__":
    run(main)
