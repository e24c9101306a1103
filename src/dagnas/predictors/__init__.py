"""Performance predictors: models that score cells, their losses and their training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.registry import Registry

if TYPE_CHECKING:
    from dagnas.predictors.predictor import Predictor

PREDICTORS: Registry[Predictor] = Registry(
    "predictor",
    "dagnas.predictors",
    "dagnas.predictors.predictor:Predictor",
    {
        "ecc": "dagnas.predictors.ecc",
        "gcn": "dagnas.predictors.gcn.model",
        "lstm": "dagnas.predictors.lstm",
        "mlp": "dagnas.predictors.mlp",
        "wide_mlp": "dagnas.predictors.wide_mlp",
    },
)
