"""Cells that NGAE's searches evaluate, beside random search's: ``python -m studies.ngae_searches``.

Prints the mean multiply-adds and signals of the cells that each method evaluated, and the same of
the table and of its best cells. Reads the traces that ``snakemake -c2 leaderboard`` makes. The
first hundred cells of a trial are random for all methods, so means are over those after them.
"""

from __future__ import annotations

import numpy as np

from dagnas.spaces.cells import Cells
from perf.common import command_line, run
from studies.common import Artifacts, add_scale, artifacts

FIRST, BEST, TOP = 100, 10, 100
STUDIES = ("goal_nasbench201", "goal_nasbench101")
METHODS = ("random_search", "ngae", "ngae_performance")


def show(made: Artifacts, study: str, first: int) -> None:
    """Print a line for each method, and two for the table."""
    bench, traces = made.table("studies", study), made.traces(study, METHODS)

    def madds(cells: Cells) -> float:
        return float(bench.space.madds(cells).mean()) / 1e6

    print(f"{study}, emulated: {traces['emulated'].iloc[0] or 'nothing'}")
    print(f"{'method':24}{'cells':>8}{'madds (M)':>12}{'signal (%)':>12}{f'of {BEST} best':>12}")
    for method, rows in traces[traces["step"] >= first].groupby("method", sort=False):
        size = madds(bench.space.unpack(rows["code"].to_numpy()))
        best = rows.groupby("trial")["signal"].nlargest(BEST).groupby("trial").mean().mean()
        print(f"{method:24}{len(rows):8}{size:12.1f}{rows['signal'].mean():12.2f}{best:12.2f}")
    order = np.argsort(-bench.values(bench.policies["goal"].test), kind="stable")
    print(f"{f'best {TOP} of the table':24}{TOP:8}{madds(bench.cells[order[:TOP]]):12.1f}")
    print(f"{'the table':24}{len(bench):8}{madds(bench.cells):12.1f}")


def main() -> None:
    """Print both benchmarks of GOAL's paper."""
    parser = command_line("studies.ngae_searches", __doc__, "--scale config/paper.yaml")
    add_scale(parser)
    options = parser.parse_args()
    with artifacts(options, "search", "goal_") as made:
        for study in STUDIES:
            show(made, study, 4 if options.smallest else FIRST)


if __name__ == "__main__":
    run(main)
