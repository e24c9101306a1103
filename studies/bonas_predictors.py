"""Why the predictors of BONAS's table 1 rank NAS-Bench-201 better than the paper's: two questions.

    python -m studies.bonas_predictors

Does it matter that most test cells have an isomorphic one among the training cells? The correlation
of the ranking at the scale of the desk, over all test cells and over those that are alone in their
class.

Were the paper's trained for fewer epochs? The correlation after so many.
"""

from pathlib import Path

import numpy as np

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.files import read_parquet
from dagnas.pipeline import config
from dagnas.pipeline.config import UniformRanking
from dagnas.search.ranking import Training, rank_shares

NAME = "bonas_predictors_nasbench201"
EPOCHS = (1, 3, 10)


def main() -> None:
    """Print both tables."""
    scale = config.load(Path("config/desk.yaml"))
    asked = scale.rankings[NAME]
    bench = BENCHMARKS.get("nasbench201").open(Path("data"))
    assert isinstance(asked, UniformRanking)
    assert isinstance(bench, TabularBenchmark)
    classes, sizes = np.unique(bench.space.canonical(bench.cells), return_counts=True)
    found = read_parquet(scale.ranking_path(NAME)).to_pandas()
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
    for epochs in EPOCHS:
        training = Training(epochs, asked.loss, asked.batch_size, asked.lr, asked.weight_decay)
        for predictor in asked.predictors:
            table = rank_shares(
                NAME, bench, asked.target, [predictor], asked.shares, training, trials=1
            ).to_pandas()
            pearson = -100 * table["score"].corr(table["target"])
            print(f"{predictor:10}{epochs:4} epochs: {pearson:.2f} %", flush=True)


if __name__ == "__main__":
    main()
