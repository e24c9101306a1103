"""Random streams, each fixed by its names: no global state, no order of execution."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def stream(*names: str | int) -> np.random.Generator:
    """Generator of the stream with these names, such as study, method and number of the trial."""
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def torch_generator(rng: np.random.Generator) -> torch.Generator:
    """CPU generator for torch, seeded by the next number of ``rng``.

    Weights and shuffles are drawn on the CPU whatever the device, so that a run on a GPU starts
    from the same numbers as one on a CPU.
    """
    import torch

    return torch.Generator().manual_seed(int(rng.integers(2**63)))
