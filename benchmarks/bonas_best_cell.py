"""Why the best cell of NAS-Bench-101 is hard to find: its neighbours, and BONAS's network.

    python -m benchmarks.bonas_best_cell

First, the cells that differ from it in one variable, as regularized evolution changes them, and how
many cells of the table are better than the best of these.

Then where the network puts it, trained on a few hundred cells: for each choice of the network, the
rank correlation of its predictions with the accuracies of 30,000 cells drawn uniformly, and the
share of them whose expected improvement is above the best cell's, over draws of the training cells.
A search finds the best cell only if few of its candidates are above it.
"""

from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.core.benchmark import TabularBenchmark
from dagnas.predictors.core.bayes import BayesianLinear
from dagnas.predictors.core.fit import as_tensors
from dagnas.predictors.core.predictor import drawing_from
from dagnas.predictors.gcn import GCN, fit_square
from dagnas.search.core.acquisition import expected_improvement
from dagnas.seeds import stream, torch_generator
from dagnas.spaces.core.cells import Graphs

CELLS, DRAWS = 400, 6
CHOICES = {
    "default: normalised, 100 epochs": (True, 100),
    "normalised, 500 epochs": (True, 500),
    "sums, 100 epochs": (False, 100),
    "sums, 500 epochs": (False, 500),
}


def main() -> None:
    """Print what neighbours there are, then a line for each choice."""
    bench = BENCHMARKS.get("nasbench101").open(Path("data"))
    assert isinstance(bench, TabularBenchmark)
    space, cells = bench.space, bench.cells
    accuracy = bench.values("cifar10/test/108") / 100
    best = int(accuracy.argmax())
    near = np.setdiff1d(bench.rows(space.neighbours(cells[best])), best)
    height = accuracy[near].max()
    print(
        f"best cell: {accuracy[best]:.2%}; {len(near)} classes of neighbours, the best "
        f"{height:.2%}, which {(accuracy > height).sum()} classes surpass"
    )
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


if __name__ == "__main__":
    main()
