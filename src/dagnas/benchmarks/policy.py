"""Evaluation policies: the signal of a search, its cost, and the accuracies reported."""

from __future__ import annotations

from dataclasses import dataclass, replace


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
    source : str
        Origin of the policy.
    """

    signal: str
    repeat: str
    seconds: str
    valid: str
    test: str
    budget_seconds: float | None = None
    budget_evaluations: int | None = None
    source: str = ""

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


def bonas_policy(images: str, epochs: int) -> Policy:
    """Policy of BONAS (section 4.2), whose signal is the mean test accuracy, the ground truth.

    Parameters
    ----------
    images : str
        Image set.
    epochs : int
        Epochs of the full training.
    """
    return Policy(
        signal=f"{images}/test/{epochs}",
        repeat="mean",
        seconds=f"{images}/seconds/{epochs}",
        valid=f"{images}/valid/{epochs}",
        test=f"{images}/test/{epochs}",
        budget_evaluations=1000,
        source="BONAS, section 4.2: the mean test accuracy is the ground truth",
    )
