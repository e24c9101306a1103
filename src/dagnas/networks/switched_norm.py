"""Batch norms of supernets: on whose statistics they stand in evaluation is a choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dagnas.networks.operations import Norm


class SwitchedNorm(nn.BatchNorm2d):
    """Batch norm whose statistics in evaluation mode are chosen by `statistics`.

    Running statistics of a supernet are means over all cells that were trained, which fit none.

    Attributes
    ----------
    images : int or None
        Number of images, the first ones of a batch, whose statistics normalise all of it in
        evaluation mode; 0: all; None: running statistics.
    """

    images: int | None = None

    def forward(self, maps: Tensor) -> Tensor:
        """Normalised maps, of shape (B, C, H, W)."""
        if self.training:
            return F.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, True,
                self.momentum or 0.0, self.eps,
            )  # fmt: skip
        if self.images is None:
            mean, variance = self.running_mean, self.running_var
        elif self.images == 0:
            mean = variance = None
        else:
            variance, mean = torch.var_mean(maps[: self.images], dim=(0, 2, 3), correction=0)
        return F.batch_norm(
            maps, mean, variance, self.weight, self.bias, mean is None, 0.0, self.eps
        )


@dataclass(frozen=True)
class Switched(Norm):
    """Settings of batch norms of supernets, which are `SwitchedNorm`; not affine by default."""

    affine: bool = False

    def __call__(self, channels: int) -> SwitchedNorm:
        """Batch norm of so many channels."""
        return SwitchedNorm(channels, momentum=self.momentum, affine=self.affine)


#: Batch norms of supernets.
SWITCHED = Switched()


@contextmanager
def statistics(network: nn.Module, images: int | None) -> Iterator[None]:
    """Evaluate a network with the statistics of some images of the batch.

    Parameters
    ----------
    network : nn.Module
        It is in evaluation mode, without gradients, meanwhile.
    images : int or None
        As of `SwitchedNorm`.
    """
    was_training = network.training
    norms = [module for module in network.modules() if isinstance(module, SwitchedNorm)]
    before = [norm.images for norm in norms]
    network.eval()
    try:
        for norm in norms:
            norm.images = images
        with torch.no_grad():
            yield
    finally:
        for norm, old in zip(norms, before, strict=True):
            norm.images = old
        network.train(was_training)
