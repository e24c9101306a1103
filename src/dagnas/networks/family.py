"""How the architectures of a space become networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dagnas.errors import DagnasError
from dagnas.networks.shape import NetworkShape
from dagnas.settings import parsed

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class NetworkFamily:
    """Networks of the architectures of a space.

    Attributes
    ----------
    name : str
        Name of the space.
    read : callable
        From the text of an architecture to it; raises DagnasError.
    make : callable
        From an architecture and a `NetworkShape` that fits to a torch module.
    shape : NetworkShape
        The paper's or the benchmark's, on CIFAR-10. Where ``channels`` or ``layers`` are None, the
        architecture decides them.
    imagenet : NetworkShape, optional
        The same on ImageNet; None if there is no such network.
    auxiliary : bool
        Whether networks can have an auxiliary head.
    smallest : int
        Least height and width of images.
    """

    name: str
    read: Callable[[str], Any]
    make: Callable[[Any, NetworkShape], nn.Module]
    shape: NetworkShape
    imagenet: NetworkShape | None = None
    auxiliary: bool = False
    smallest: int = 1

    def shaped(
        self, *, imagenet: bool = False, named: Callable[[str], str] = str, **changes: Any
    ) -> NetworkShape:
        """Shape of these networks with changes; those that are None are left out.

        Parameters
        ----------
        imagenet : bool
            Whether to begin with the shape for ImageNet.
        named : callable
            Name of a field in messages.

        Raises
        ------
        DagnasError
            A value is out of range, or these networks cannot have it.
        """
        base = self.imagenet if imagenet else self.shape
        if base is None:
            raise DagnasError(f"networks of {self.name} have no form for ImageNet")
        given = {name: value for name, value in changes.items() if value is not None}
        shape = parsed(NetworkShape, {**base.model_dump(), **given}, named)
        self._check(shape, named)
        return shape

    def build(self, architecture: Any, shape: NetworkShape | None = None) -> nn.Module:
        """Network of an architecture, of `shape` if none is given.

        Its forward pass takes images (B, C, H, W) and gives logits (B, classes), or in training
        with an auxiliary head the pair of logits and auxiliary logits. A network with drop-path has
        the attribute ``drop_path``.

        Raises
        ------
        DagnasError
            These networks cannot have this shape.
        """
        shape = self.shape if shape is None else shape
        self._check(shape, str)
        return self.make(architecture, shape)

    def _check(self, shape: NetworkShape, named: Callable[[str], str]) -> None:
        for field in ("channels", "layers"):
            value, usual = getattr(shape, field), getattr(self.shape, field)
            if usual is None and value is not None:
                raise DagnasError(
                    f"{named(field)} {value}: networks of {self.name} have the {field} of their "
                    "architecture"
                )
            if usual is not None and value is None:
                raise DagnasError(f"networks of {self.name} need {named(field)}, such as {usual}")
        if shape.auxiliary and not self.auxiliary:
            raise DagnasError(f"networks of {self.name} have no auxiliary head")
        if shape.stem != "cifar" and self.imagenet is None:
            raise DagnasError(f"networks of {self.name} have no stem {shape.stem!r}; valid: cifar")
        if min(shape.height, shape.width) < self.smallest:
            raise DagnasError(
                f"images of {shape.height} x {shape.width} pixels are too small for networks of "
                f"{self.name}, which need {self.smallest} x {self.smallest}"
            )
