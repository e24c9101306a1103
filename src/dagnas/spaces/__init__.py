"""Search spaces: graphs and moves between them, without accuracies."""

from dagnas.registry import Registry
from dagnas.spaces.cell_space import CellSpace

SPACES: Registry[CellSpace] = Registry(
    "space",
    "dagnas.spaces",
    CellSpace,
    {
        "enas": "dagnas.spaces.enas",
        "nasbench101": "dagnas.spaces.nasbench101",
        "nasbench201": "dagnas.spaces.nasbench201",
    },
)
