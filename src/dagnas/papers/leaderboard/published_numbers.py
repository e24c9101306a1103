"""Numbers that papers published on the tables at hand, each with its source."""

from __future__ import annotations

from typing import NamedTuple

from dagnas.papers.bonas.table2 import PAPER as BONAS_TABLE2
from dagnas.papers.goal.table1 import PAPER as GOAL_TABLE1


class Number(NamedTuple):
    """A published number.

    Attributes
    ----------
    method : str
        As this package names it where it has it, else as the paper does.
    benchmark : str
        Benchmark of this package whose table it is of.
    metric : str
        ``test`` or ``valid`` (accuracy, %), or ``until`` (evaluations until the best cell).
    value : float
        Mean over the paper's trials.
    digits : int
        Decimals that it was published with.
    protocol : str
        How it was found, in a few words.
    source : str
    """

    method: str
    benchmark: str
    metric: str
    value: float
    digits: int
    protocol: str
    source: str


_AE_NAS = "AE-NAS (Scientific Reports, 2025, doi 10.1038/s41598-025-94187-8), table 1{}; as error"
#: Test errors, %, after 150 evaluations.
_ERRORS = {
    "reinforce": 6.436,
    "TPE": 6.415,
    "bohb": 6.356,
    "random_search": 6.341,
    "GCN predictor": 6.331,
    "GP": 6.267,
    "nasbot": 6.250,
    "alphax": 6.233,
    "regularized_evolution": 6.109,
    "DNGO": 6.085,
    "BOHAMIANN": 6.010,
    "bonas": 5.954,
    "local_search_nas": 5.932,
    "bananas": 5.923,
    "AE-NAS": 5.923,
}
#: Test accuracies, %, of the best cells, which comparisons quote as the optimum.
_OPTIMA = {"nasbench201": 94.37, "nasbench201_cifar100": 73.51, "nasbench201_imagenet16": 47.31}


def published() -> list[Number]:
    """All numbers, by benchmark and metric."""
    found = [
        Number("optimum", benchmark, "test", value, 2, "all cells", "comparisons on NAS-Bench-201")
        for benchmark, value in _OPTIMA.items()
    ]
    found += [
        Number(method, "nasbench201", metric, mean, 2, "shared weights", "GOAL, table 1")
        for method, pairs in GOAL_TABLE1.items()
        for metric, (mean, _) in zip(("valid", "test"), pairs, strict=True)
    ]
    found += [
        Number(
            method,
            "nasbench101",
            "test",
            round(100 - error, 3),
            3,
            "150 evaluations, 200 trials",
            _AE_NAS.format("" if method == "AE-NAS" else ", from BANANAS"),
        )
        for method, error in _ERRORS.items()
    ]
    found += [
        Number(
            method,
            benchmark,
            "until",
            value,
            1,
            "test accuracy as signal, 50 trials",
            "BONAS, table 2",
        )
        for benchmark, values in BONAS_TABLE2.items()
        for method, value in values.items()
    ]
    return sorted(found, key=lambda one: (one.benchmark, one.metric))
