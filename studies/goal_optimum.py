"""Trials of GOAL that hold the best cell: ``python -m studies.goal_optimum [VARIANT ...]``.

The paper says that on NAS-Bench-201 GOAL "robustly stays at the global optima after 1.7e4 s". Each
variant changes what the paper leaves open, and runs the same trials: their initial cells are equal,
and so are the first weights where networks are of one shape. Shown are the percentages of trials
that had met the cell with the best search signal at three times; in brackets trials that only this
variant, and that only the first one, had won by then, with the p-value of McNemar's exact test; and
processor seconds of a trial, which ends when the cell is met.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import nn

from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.predictors.losses import pairwise_ranking
from dagnas.search import METHODS
from dagnas.search.methods import goal
from dagnas.search.models.surrogate import Surrogate
from dagnas.search.runner import Search, run_trial
from dagnas.tables.place import data_folder
from perf.common import add_data, command_line, open_table, run

#: Benchmark and its policy. The signal must be the same at every query, or no cell is the best.
FULL, SMALLEST = ("nasbench201", "goal"), ("digits201", "bonas")
#: When the paper says that GOAL meets the oracle's range, and stays at the optimum, and the end; in
#: simulated seconds, and as fractions of the budget for other benchmarks.
TIMES = np.array([12000, 17000, 28000]) / 28000


class MeanLoss(Surrogate):
    """Surrogate that is trained on a mean over pairs and not on a sum."""

    @staticmethod
    def loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Equation 3 as a mean over ordered pairs; weight decay is stronger beside it."""
        return pairwise_ranking(scores, targets) / (len(scores) * (len(scores) - 1))


def _linear_head(surrogate: Surrogate) -> None:
    """Replace the head of a network by one linear layer, of the weights that it begins with."""
    layers = surrogate.model.head
    assert isinstance(layers, nn.Sequential)
    surrogate.model.head = nn.Sequential(layers[-1])


class LinearHead(Surrogate):
    """Surrogate whose readout is one linear layer."""

    def _new(self) -> None:
        super()._new()
        _linear_head(self)


class MeanLossLinearHead(MeanLoss):
    """Both changes."""

    def _new(self) -> None:
        super()._new()
        _linear_head(self)


#: Settings that a variant changes, and the surrogate that it takes instead.
VARIANTS: Mapping[str, tuple[Mapping[str, Any], type[Surrogate] | None]] = {
    "default": ({}, None),
    "enough": ({"until": "enough"}, None),
    "by_cell": ({"sameness": "cell"}, None),
    "restart": ({"restart": True}, None),
    "mean_loss": ({}, MeanLoss),
    "linear_head": ({}, LinearHead),
    "mean_loss_linear_head": ({}, MeanLossLinearHead),
    "enough_mean_loss": ({"until": "enough"}, MeanLoss),
    "enough_linear_head": ({"until": "enough"}, LinearHead),
    "enough_mean_loss_linear_head": ({"until": "enough"}, MeanLossLinearHead),
}


def meeting(bench: TabularBenchmark, policy: str, variant: str, trial: int, budget: float) -> float:
    """Simulated seconds until a trial has met the best cell; infinite if it does not."""
    settings, surrogate = VARIANTS[variant]
    search = Search(
        bench,
        METHODS.get("goal"),
        settings,
        study="goal_optimum",
        policy=policy,
        budget_seconds=budget,
        until_best=True,
    )
    with patch.object(goal, "Surrogate", surrogate) if surrogate else nullcontext():
        trace = run_trial(search, trial)
    # Of a trial until the best cell, improvements alone are kept.
    met = trace["signal"][-1].as_py() == bench.best_signal(search.policy)
    return float(trace["seconds"][-1].as_py()) if met else np.inf


def line(variant: str, met: NDArray[np.bool_], first: NDArray[np.bool_], cpu: float) -> str:
    """Percentages and tests of a variant.

    Parameters
    ----------
    variant : str
    met, first : ndarray of bool, shape (trials, times)
        Whether each trial of the variant, and of the first one, had met the best cell.
    cpu : float
        Processor seconds of a trial.
    """
    text = f"{variant:30}{len(met):7}"
    for ours, theirs in zip(met.T, first.T, strict=True):
        won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        p = binomtest(won, won + lost).pvalue if won + lost else 1.0
        text += f"{100 * ours.mean():8.0f} (+{won} -{lost}, p = {p:.3f})"
    return f"{text}{cpu:8.1f}"


def main() -> None:
    """Print a line for each variant."""
    parser = command_line("studies.goal_optimum", __doc__, "enough default --trials 50 --first 100")
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help=", ".join(VARIANTS))
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="paired trials (20)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first (0)")
    add_data(parser)
    options = parser.parse_args()
    if unknown := set(options.variants) - set(VARIANTS):
        parser.error(f"no variant {', '.join(sorted(unknown))}: choose from {', '.join(VARIANTS)}")
    torch.set_num_threads(1)
    name, policy = SMALLEST if options.smallest else FULL
    bench = open_table(name, data_folder(options.data))
    rules = bench.policies[policy]
    budget = rules.budget_seconds or 40 * float(bench.values(rules.seconds).mean())
    trials = range(options.first, options.first + (1 if options.smallest else options.trials))
    times = TIMES * budget
    print(f"{'variant':30} trials  % of trials at {', '.join(f'{t:,.0f} s' for t in times)}; CPU s")
    first = None
    for variant in options.variants or VARIANTS:
        start = time.process_time()
        when = np.array([meeting(bench, policy, variant, trial, budget) for trial in trials])
        met = when[:, None] <= times
        first = met if first is None else first
        cpu = (time.process_time() - start) / len(trials)
        print(line(variant, met, first, cpu), flush=True)


if __name__ == "__main__":
    run(main)
