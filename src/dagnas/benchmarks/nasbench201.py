"""NAS-Bench-201 on CIFAR-10, CIFAR-100 and ImageNet16-120."""

from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.policy import Policy, bonas_policy, with_realisations
from dagnas.spaces import SPACES
from dagnas.tables.table import Table

#: Simulated seconds of a search: GOAL's on CIFAR-10; elsewhere the cost of as many random cells
#: (about 250).
BUDGETS = {"cifar10": 2.8e4, "cifar100": 5.6e4, "imagenet16": 1.74e5}


def open_nasbench201(name: str, dataset: str, data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on one image set."""
    table = Table(data / "nasbench201.parquet")
    signal = f"{dataset}/valid/12"
    # The official files hold single trainings. On CIFAR-10 the compact table holds only the mean
    # of two, beside which it emulates single ones.
    single = bool(table.repeats(signal))
    policies = {
        "goal": Policy(
            signal=signal,
            repeat="random" if single else "mean",
            seconds=f"{dataset}/seconds/12",
            valid=f"{dataset}/valid/200",
            test=f"{dataset}/test/200",
            budget_seconds=BUDGETS[dataset],
            source="GOAL, section 6.3",
            note="" if single else "the signal is a mean of trainings, without the noise of one",
        ),
        "bonas": bonas_policy(dataset, 200),
    }
    space = SPACES.get("nasbench201")
    return TabularBenchmark(name, space, table, with_realisations(policies, table))


@benchmark(tables=("nasbench201",))
def nasbench201(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on CIFAR-10."""
    return open_nasbench201("nasbench201", "cifar10", data)


@benchmark(tables=("nasbench201",))
def nasbench201_cifar100(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on CIFAR-100."""
    return open_nasbench201("nasbench201_cifar100", "cifar100", data)


@benchmark(tables=("nasbench201",))
def nasbench201_imagenet16(data: Path) -> TabularBenchmark:
    """Open NAS-Bench-201 with its accuracies on ImageNet16-120."""
    return open_nasbench201("nasbench201_imagenet16", "imagenet16", data)
