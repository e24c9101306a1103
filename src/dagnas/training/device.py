"""Which torch device a search computes on."""

from __future__ import annotations

from dagnas.errors import DagnasError


def choose_device(name: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes a GPU if there is one.

    Raises
    ------
    DagnasError
        ``cuda`` is asked for and torch sees no GPU.
    """
    import torch

    if name == "cpu":
        return name
    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise DagnasError("device 'cuda': torch sees no GPU here; valid: auto, cpu")
    return "cpu"
