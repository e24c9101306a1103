"""What can be guessed: models that score cells, their loss and their training."""

from dagnas.predictors.core.predictor import Predictor
from dagnas.registry import Registry

PREDICTORS: Registry[Predictor] = Registry("predictor", "dagnas.predictors", Predictor)
"""All predictors by name: the modules of this package, entry points and plug-ins."""
