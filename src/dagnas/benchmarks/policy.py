"""Evaluation policies: the signal of a search, its cost, and the accuracies reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dagnas.tables.noise import REALISATIONS, realised
from dagnas.tables.table import Table


@dataclass(frozen=True)
class Policy:
    """Evaluation policy, explicit because a wrong one is the field's commonest error.

    Quantities are written ``dataset/split/epochs``: ``cifar10/valid/12`` is the validation
    accuracy (%) on CIFAR-10 after a training of 12 epochs.

    Attributes
    ----------
    signal : str
        Quantity that the search method sees.
    repeat : str
        Training of the cell that gives it: ``random`` (one of them, drawn at each query), ``mean``
        (of all), or ``s0``, ``s1``, ... (always this one).
    seconds : str
        Cost of an evaluation: mean training seconds.
    valid, test : str
        Quantities reported for a cell: means over its trainings.
    budget_seconds : float or None
        Default budget of a trial, one run of a search, in simulated seconds.
    budget_evaluations : int or None
        Default budget of a trial, in evaluations.
    draw : str or None
        How random cells are drawn, a `dagnas.spaces.base.Draw`; None for the space's usual way.
    source : str
        Origin of the policy.
    note : str
        What captions must say of the signal, such as that it is a mean of trainings.
    costs : tuple of str
        What evaluations give beside the signal, less being better, such as "memory".
    """

    signal: str
    repeat: str
    seconds: str
    valid: str
    test: str
    budget_seconds: float | None = None
    budget_evaluations: int | None = None
    draw: str | None = None
    source: str = ""
    note: str = ""
    costs: tuple[str, ...] = ()

    def rules(self) -> dict[str, Any]:
        """All attributes, as traces tell them: costs only where there are some."""
        rules = asdict(self)
        return rules if self.costs else {k: v for k, v in rules.items() if k != "costs"}

    @property
    def epochs(self) -> int:
        """Epochs after which the signal is taken; 0 if its name has none."""
        last = self.signal.rpartition("/")[2]
        return int(last) if last.isdecimal() else 0

    def at(self, epochs: int) -> Policy:
        """Policy with the signal and the cost of a training of other length."""
        signal, seconds = (
            f"{quantity.rpartition('/')[0]}/{epochs}" for quantity in (self.signal, self.seconds)
        )
        return replace(self, signal=signal, seconds=seconds)


def bonas_policy(images: str, epochs: int, draw: str | None = None) -> Policy:
    """Policy of BONAS (section 4.2), whose signal is the mean test accuracy, the ground truth.

    Parameters
    ----------
    images : str
        Image set.
    epochs : int
        Epochs of the full training.
    draw : str, optional
        How random cells are drawn, if not in the space's usual way.
    """
    return Policy(
        signal=f"{images}/test/{epochs}",
        repeat="mean",
        seconds=f"{images}/seconds/{epochs}",
        valid=f"{images}/valid/{epochs}",
        test=f"{images}/test/{epochs}",
        budget_evaluations=1000,
        draw=draw,
        source="BONAS, section 4.2: the mean test accuracy is the ground truth",
    )


def with_realisations(policies: Mapping[str, Policy], table: Table) -> dict[str, Policy]:
    """Add policies whose signal is another realisation of emulated noise (docs/emulation.md).

    Parameters
    ----------
    policies : mapping of str to Policy
    table : Table
        Table of the benchmark; one from official files has no realisations.

    Returns
    -------
    dict of str to Policy
        The policies given, and ``NAME_noiseN`` for each realisation N of a signal. The reported
        validation accuracy is of the same realisation where it is emulated.
    """
    found = dict(policies)
    for name, policy in policies.items():
        for number in range(1, REALISATIONS + 1):
            signal, valid = (realised(q, number) for q in (policy.signal, policy.valid))
            if table.repeats(signal):
                found[f"{name}_noise{number}"] = replace(
                    policy,
                    signal=signal,
                    repeat="random",
                    valid=valid if table.repeats(valid) else policy.valid,
                    note=f"the signal is one emulated training, realisation {number} of the noise",
                )
    return found
