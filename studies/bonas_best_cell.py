"""Why the best cell of NAS-Bench-101 is hard to find, in four parts.

    python -m studies.bonas_best_cell [neighbours] [network] [others] [mutation]

``neighbours``: the cells that differ from it in one variable, as regularized evolution changes
them, and how many cells of the table are better than the best of these.

``network``: where BONAS's network puts it, trained on a few hundred cells: for each choice of the
network, the rank correlation of its predictions with the accuracies of 30,000 cells drawn
uniformly, and the share of them whose expected improvement is above the best cell's, over draws of
the training cells. A search finds the best cell only if few of its candidates are above it.

``others``: in the trials of table 2 at the scale of the desk, what it would have taken to find one
of the two, five or twenty best cells.

``mutation``: BONAS(EA) if its candidates were mutated as regularized evolution mutates, one
variable of a cell, and not as section 3.3 says: ten trials of 500 samples, in minutes.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dagnas.analysis.survival import Waits, median
from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.files import read_parquet
from dagnas.pipeline import config
from dagnas.predictors.bayes import BayesianLinear
from dagnas.predictors.fit import as_tensors
from dagnas.predictors.gcn import GCN, fit_square
from dagnas.predictors.predictor import drawing_from
from dagnas.search import METHODS
from dagnas.search.methods.bonas import SAMPLERS
from dagnas.search.models.acquisition import expected_improvement
from dagnas.search.models.samplers import ByEvolution
from dagnas.search.runner import Search, run_trial
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.cells import Cells, Graphs

CELLS, DRAWS = 400, 6
CHOICES = {
    "default: normalised, 100 epochs": (True, 100),
    "normalised, 500 epochs": (True, 500),
    "sums, 100 epochs": (False, 100),
    "sums, 500 epochs": (False, 500),
}
STUDY, BEST = "bonas_nasbench101", (1, 2, 5, 20)
TRIALS, SAMPLES = 10, 500


def main() -> None:
    """Print the parts asked for, or all."""
    parts = {part.__name__: part for part in (neighbours, network, others, mutation)}
    bench = BENCHMARKS.get("nasbench101").open(Path("data"))
    assert isinstance(bench, TabularBenchmark)
    for name in sys.argv[1:] or parts:
        parts[name](bench)


def neighbours(bench: TabularBenchmark) -> None:
    """Print what cells are near the best."""
    accuracy = bench.values("cifar10/test/108") / 100
    best = int(accuracy.argmax())
    near = np.setdiff1d(bench.rows(bench.space.neighbours(bench.cells[best])), best)
    height = accuracy[near].max()
    print(
        f"best cell: {accuracy[best]:.2%}; {len(near)} classes of neighbours, the best "
        f"{height:.2%}, which {(accuracy > height).sum()} classes surpass"
    )


def network(bench: TabularBenchmark) -> None:
    """Print a line for each choice of the network."""
    space, cells = bench.space, bench.cells
    accuracy = bench.values("cifar10/test/108") / 100
    best = int(accuracy.argmax())
    logit = np.log(accuracy / (1 - accuracy))
    rest = stream("bonas best cell").choice(len(cells), 30_000, replace=False)
    tested = np.append(rest, best)
    print(f"{'network':34}{'rank correlation':>24}{'% above the best cell':>60}")
    for name, (normalized, epochs) in CHOICES.items():
        correlations, above = [], []
        for draw in range(DRAWS):
            rng = stream("bonas best cell", draw)
            rows = rng.choice(len(cells), CELLS, replace=False)
            generator = torch_generator(rng)
            with drawing_from(generator):
                model = GCN(space, layers=4, hidden=64, normalized=normalized)

            def encoded(chosen: np.ndarray, model: GCN = model) -> Graphs:
                graphs = space.to_graph(space.prune(cells[chosen]))
                return model.encode(as_tensors(graphs, "cpu"))

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
                    for parts in ([rows], np.array_split(tested, 20))
                )
            mean, variance = BayesianLinear(design, logit[rows]).predict(candidates)
            scores = expected_improvement(mean, np.sqrt(variance), logit[rows].max())
            correlations.append(spearmanr(mean[:-1], accuracy[rest]).statistic)
            above.append(100 * np.mean(scores[:-1] > scores[-1]))
        low, high = min(correlations), max(correlations)
        shares = "  ".join(f"{share:.2f}" for share in sorted(above))
        print(f"{name:34}{f'{low:.2f} to {high:.2f}':>24}{shares:>60}", flush=True)


def others(bench: TabularBenchmark) -> None:
    """Print what table 2's methods take to find any of several best cells."""
    heights = np.sort(bench.values("cifar10/test/108"))[::-1]
    print(f"{'method':24}" + "".join(f"{f'one of {k} best':>36}" for k in BEST))
    scale = config.load(Path("config/desk.yaml"))
    for method in scale.studies[STUDY].methods:
        jobs = scale.search_jobs(STUDY, method)
        trace = pd.concat(read_parquet(job.path).to_pandas() for job in jobs)
        cap = jobs[0].budget_evaluations
        assert cap is not None
        found = (_words(trace, heights[k - 1], cap) for k in BEST)
        print(f"{method:24}" + "".join(f"{words:>36}" for words in found), flush=True)


def mutation(bench: TabularBenchmark) -> None:
    """Print what BONAS takes with another mutation."""

    class ByVariables(ByEvolution):
        def mutate(self, cells: Cells) -> Cells:
            return self.space.mutate(cells, self.rng)

    heights = np.sort(bench.values("cifar10/test/108"))[::-1]
    print(f"{'BONAS(EA) mutating':24}" + "".join(f"{f'one of {k} best':>36}" for k in BEST))
    for name, sampler in (("as section 3.3 says", ByEvolution), ("one variable", ByVariables)):
        SAMPLERS["ea"] = sampler
        search = Search(
            bench,
            METHODS.get("bonas"),
            policy="bonas",
            budget_evaluations=SAMPLES,
            until_best=True,
            study="bonas best cell",
        )
        trace = pd.concat(run_trial(search, trial).to_pandas() for trial in range(TRIALS))
        found = (_words(trace, heights[k - 1], SAMPLES) for k in BEST)
        print(f"{name:24}" + "".join(f"{words:>36}" for words in found), flush=True)


def _words(trace: pd.DataFrame, height: float, cap: int) -> str:
    """How many trials reached an accuracy (%), and the median of the samples that they took."""
    best = trace.groupby("trial")["signal"].max()
    reached = trace[trace["signal"] >= height].groupby("trial")["step"].min() + 1
    samples: NDArray[np.int64] = reached.reindex(best.index, fill_value=cap).to_numpy()
    middle = median(Waits(samples, np.asarray(best >= height))).value
    half = f", median {middle:,.0f}" if np.isfinite(middle) else ""
    return f"{len(reached)} of {len(best)} in {cap:,}{half}"


if __name__ == "__main__":
    main()
