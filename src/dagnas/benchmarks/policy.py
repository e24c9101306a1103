"""What a search is told, what it pays, and what is reported of its choice."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Policy:
    """An evaluation policy, named because a wrong one is the field's commonest error.

    Quantities are written ``dataset/split/epochs``: ``cifar10/valid/12`` is the validation
    accuracy (%) on CIFAR-10 after a training of 12 epochs.

    Attributes
    ----------
    signal : str
        What an evaluation tells the search method.
    repeat : str
        Which training of the cell tells it: ``random`` (one of them, drawn at each query),
        ``mean`` (of all), or ``s0``, ``s1``, ... (always this one).
    seconds : str
        What an evaluation costs: mean training seconds.
    valid, test : str
        What is reported of a cell: means over its trainings.
    budget_seconds : float or None
        Default budget of a trial, in simulated seconds.
    budget_evaluations : int or None
        Default budget of a trial, in evaluations.
    source : str
        Where the policy is from.
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
        """Epochs after which the search signal is taken; 0 if its name does not say."""
        last = self.signal.rpartition("/")[2]
        return int(last) if last.isdecimal() else 0

    def at(self, epochs: int) -> Policy:
        """Give the policy whose signal and cost are those of a training of other length."""
        signal, seconds = (
            f"{quantity.rpartition('/')[0]}/{epochs}" for quantity in (self.signal, self.seconds)
        )
        return replace(self, signal=signal, seconds=seconds)
