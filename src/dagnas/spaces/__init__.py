"""Search spaces: graphs and moves between them, without accuracies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.registry import Registry

if TYPE_CHECKING:
    from dagnas.spaces.cell_space import CellSpace

SPACES: Registry[CellSpace] = Registry(
    "space",
    "dagnas.spaces",
    "dagnas.spaces.cell_space:CellSpace",
    {
        "darts": "dagnas.spaces.darts",
        "darts_one_cell": "dagnas.spaces.darts_one_cell",
        "enas": "dagnas.spaces.enas",
        "nasbench101": "dagnas.spaces.nasbench101",
        "nasbench201": "dagnas.spaces.nasbench201",
        "resnet_strings": "dagnas.spaces.resnet_strings",
    },
)
