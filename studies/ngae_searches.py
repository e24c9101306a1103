"""What NGAE's searches evaluate, beside random search's: ``python -m studies.ngae_searches``.

Reads the traces that ``snakemake -c2 leaderboard`` makes. The first hundred cells are random for
all of them, so means are over the cells after these. Last, how large the table's best cells are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dagnas.benchmarks import BENCHMARKS
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.pipeline import config
from dagnas.spaces.cells import Cells

FIRST, BEST, TOP = 100, 10, 100
METHODS = ("random_search", "ngae", "ngae_performance")


def show(study: str, scale: config.Config) -> None:
    """Print a line for each method, and two for the table."""
    bench = BENCHMARKS.get(scale.studies[study].benchmark).open(scale.data)
    assert isinstance(bench, TabularBenchmark)

    def madds(cells: Cells) -> float:
        return float(bench.space.madds(cells).mean()) / 1e6

    jobs = [job for job in scale.search_jobs(study) if job.method in METHODS]
    traces = pd.concat(pd.read_parquet(job.path).assign(method=job.method) for job in jobs)
    marks = traces["emulated"].iloc[0]
    print(f"{study}, emulated: {marks or 'nothing'}")
    print(f"{'method':24}{'cells':>8}{'madds (M)':>12}{'signal (%)':>12}{f'of {BEST} best':>12}")
    for method, rows in traces[traces["step"] >= FIRST].groupby("method", sort=False):
        size = madds(bench.space.unpack(rows["code"].to_numpy()))
        best = rows.groupby("trial")["signal"].nlargest(BEST).groupby("trial").mean().mean()
        print(f"{method:24}{len(rows):8}{size:12.1f}{rows['signal'].mean():12.2f}{best:12.2f}")
    order = np.argsort(-bench.values(bench.policies["goal"].test), kind="stable")
    print(f"{f'best {TOP} of the table':24}{TOP:8}{madds(bench.cells[order[:TOP]]):12.1f}")
    print(f"{'the table':24}{len(bench):8}{madds(bench.cells):12.1f}")


def main() -> None:
    """Both benchmarks of GOAL's paper."""
    scale = config.load(Path("config/desk.yaml"))
    for study in ("goal_nasbench201", "goal_nasbench101"):
        show(study, scale)


if __name__ == "__main__":
    main()
