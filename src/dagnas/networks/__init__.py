"""Networks of architectures as torch modules, untrained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagnas.networks.shape import NetworkShape
from dagnas.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from dagnas.networks.family import NetworkFamily

NETWORKS: Registry[NetworkFamily] = Registry(
    "space with networks",
    "dagnas.networks",
    "dagnas.networks.family:NetworkFamily",
    {
        "darts": "dagnas.networks.darts",
        "darts_one_cell": "dagnas.networks.darts",
        "layers": "dagnas.networks.layered",
        "nasbench101": "dagnas.networks.nasbench101",
        "nasbench201": "dagnas.networks.nasbench201",
        "resnet_strings": "dagnas.networks.resnet_strings",
    },
)


def build(space_name: str, architecture: Any, shape: NetworkShape | None = None) -> nn.Module:
    """Network of an architecture of a space.

    Parameters
    ----------
    space_name : str
        One of `NETWORKS`.
    architecture
        As ``NETWORKS.get(space_name).read`` gives it: a batch of one of `Cells`, for the DARTS
        spaces also a `Genotype`; for "layers" a list of `Layer`.
    shape : NetworkShape, optional
        By default the benchmark's or paper's own on CIFAR-10; see `NetworkFamily.build`.

    Raises
    ------
    DagnasError
        No such space, or its networks cannot have this shape.
    """
    return NETWORKS.get(space_name).build(architecture, shape)
