"""NAS-Bench-201 searched by single trainings of 200 epochs, as comparisons by evaluations do.

In a module of its own, so that searches of `nasbench201` do not depend on it.
"""

from dataclasses import replace
from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.nasbench201 import open_nasbench201
from dagnas.benchmarks.policy import Policy

#: Trainings that every cell has; some have a third.
SEEDS = ("s0", "s1")


@benchmark(tables=("nasbench201",))
def nasbench201_full(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 on CIFAR-10, whose signal is the validation accuracy of one full training.

    With the policy "single" each query draws, by the trial's random stream, one of the two or three
    trainings that the table has of the cell, so that a cell queried twice may answer twice. With
    "s0" and "s1" it is always the training of that number. What is reported are means over
    trainings. The table has no such trainings on the other image sets: there it has single
    accuracies on validation and test images together, which no search may see.
    """
    single = Policy(
        signal="cifar10/valid/200",
        repeat="random",
        seconds="cifar10/seconds/200",
        valid="cifar10/valid/200",
        test="cifar10/test/200",
        budget_evaluations=100,
        source="White et al. (2021): validation accuracy of one training, drawn at each query",
    )
    policies = {"single": single} | {seed: replace(single, repeat=seed) for seed in SEEDS}
    return replace(open_nasbench201("nasbench201_full", "cifar10", data), policies=policies)
