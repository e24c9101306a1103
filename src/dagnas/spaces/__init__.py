"""Search spaces: graphs and moves between them, without accuracies."""

from __future__ import annotations

from typing import Any

from dagnas.registry import Registry

#: Instances of `Space`: most are a `CellSpace`, some a `GeneratorSpace`. Who asks for one by its
#: name knows the kind, so the type is left open.
SPACES: Registry[Any] = Registry(
    "space",
    "dagnas.spaces",
    "dagnas.spaces.base:Space",
    {
        "darts": "dagnas.spaces.darts",
        "darts_one_cell": "dagnas.spaces.darts_one_cell",
        "enas": "dagnas.spaces.enas",
        "nago": "dagnas.spaces.nago",
        "nago_code": "dagnas.spaces.nago",
        "nago_small": "dagnas.spaces.nago",
        "nasbench101": "dagnas.spaces.nasbench101",
        "nasbench201": "dagnas.spaces.nasbench201",
        "recurrent": "dagnas.spaces.recurrent",
        "resnet_strings": "dagnas.spaces.resnet_strings",
    },
)
