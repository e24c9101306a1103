"""Performance predictors: models that score cells, their losses and their training."""

from dagnas.predictors.predictor import Predictor
from dagnas.registry import Registry

PREDICTORS: Registry[Predictor] = Registry(
    "predictor",
    "dagnas.predictors",
    Predictor,
    {
        "ecc": "dagnas.predictors.ecc",
        "gcn": "dagnas.predictors.gcn",
        "lstm": "dagnas.predictors.lstm",
        "mlp": "dagnas.predictors.mlp",
        "wide_mlp": "dagnas.predictors.wide_mlp",
    },
)
