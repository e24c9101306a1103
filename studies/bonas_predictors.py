"""Reasons why our predictors rank better than those of BONAS's table 1: two questions.

    python -m studies.bonas_predictors

Does it matter that most test cells have an isomorphic one among the training cells? Printed is the
correlation of the ranking at the scale of the desk, over all test cells and over those that are
alone in their class. (Reads the ranking that ``snakemake -c2 bonas`` makes.)

Were the paper's trained for fewer epochs? Printed is the correlation after so many.
"""

from __future__ import annotations

import numpy as np

from dagnas.search.ranking import Training, rank_shares
from perf.common import command_line, run
from studies.common import Artifacts, add_scale, artifacts

NAME = "bonas_predictors_nasbench201"
EPOCHS = (1, 3, 10)


def alone(made: Artifacts) -> None:
    """Print the correlations over all test cells and over those alone in their class."""
    bench, found = made.table("rankings", NAME), made.read("ranking", NAME)
    classes, sizes = np.unique(bench.space.canonical(bench.cells), return_counts=True)
    own = bench.space.canonical(bench.space.unpack(found["code"].to_numpy()))
    found["alone"] = np.isin(own, classes[sizes == 1])
    for predictor, rows in found.groupby("predictor", sort=False):
        for label, part in (("all", rows), ("alone", rows[rows["alone"]])):
            trials = [
                -100 * trial["score"].corr(trial["target"]) for _, trial in part.groupby("trial")
            ]
            print(
                f"{predictor:10}{label:>8}: {np.mean(trials):.2f} %, {len(part)} cells", flush=True
            )


def shorter(made: Artifacts, most: int) -> None:
    """Print the correlations after fewer epochs, ``most`` at most."""
    asked, bench = made.entry("rankings", NAME), made.table("rankings", NAME)
    for epochs in (epochs for epochs in EPOCHS if epochs <= most):
        training = Training(epochs, asked.loss, asked.batch_size, asked.lr, asked.weight_decay)
        for predictor in asked.predictors:
            table = rank_shares(
                NAME, bench, asked.target, [predictor], asked.shares, training, trials=1
            ).to_pandas()
            pearson = -100 * table["score"].corr(table["target"])
            print(f"{predictor:10}{epochs:4} epochs: {pearson:.2f} %", flush=True)


def main() -> None:
    """Print both tables."""
    parser = command_line("studies.bonas_predictors", __doc__, "--scale config/paper.yaml")
    add_scale(parser)
    options = parser.parse_args()
    with artifacts(options, "ranking", NAME) as made:
        alone(made)
        shorter(made, EPOCHS[0] if options.smallest else EPOCHS[-1])


if __name__ == "__main__":
    run(main)
