"""Choice of the torch device."""

from __future__ import annotations

from dagnas.errors import DagnasError


def choose_device(name: str) -> str:
    """Name of a torch device, ``cpu`` or ``cuda``; ``auto`` takes a GPU if there is one.

    Raises
    ------
    DagnasError
        ``cuda`` is given and torch sees no GPU.
    """
    import torch

    if name == "cpu":
        return name
    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise DagnasError("device 'cuda': torch sees no GPU here; valid: auto, cpu")
    return "cpu"
