"""Recipe of a training by `dagnas.training.trainer`: its settings, checked, without torch."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from dagnas.settings import Described

#: Types of settings; counts have a bound far beyond use, so that a slip of zeros is told.
Count = Annotated[int, Field(gt=0, le=1_000_000)]
Pixels = Annotated[int, Field(ge=0, le=1024)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, lt=1)]


class TrainRecipe(Described):
    """Settings of a training with SGD and Nesterov momentum."""

    epochs: Count = 10
    """Epochs of the training."""
    batch_size: Count = 64
    """Images of a step."""
    steps: Count | None = None
    """Steps of an epoch; by default each training image is used once, but for those that do not
    fill a batch."""
    learning_rate: Positive = 0.025
    """Learning rate at the beginning; it decays along a cosine."""
    final_learning_rate: NotNegative = 0.0
    """Learning rate that the cosine ends at."""
    decay: Literal["step", "epoch"] = "step"
    """Whether the learning rate changes with every step, or with every epoch as DARTS's does."""
    momentum: Probability = 0.9
    """Momentum of SGD."""
    weight_decay: NotNegative = 3e-4
    """Weight decay, of all weights."""
    clip: NotNegative = 5.0
    """Norm that gradients are clipped to; 0: they are not."""
    smoothing: Probability = 0.0
    """Label smoothing."""
    drop_path: Probability = 0.0
    """Probability of dropping a path in the last epoch; it grows from 0 with the epochs."""
    auxiliary: NotNegative = 0.0
    """Weight of the auxiliary head's loss; 0: there is no such head."""
    pad: Pixels = 0
    """Pixels that images are padded by before they are cropped at random."""
    flip: bool = False
    """Whether half of the images are mirrored, at random."""
    cutout: Pixels = 0
    """Side of the square that is cut out of every image, in pixels; 0: none."""
    precision: Literal["32", "bf16"] = "32"
    """Precision of products: float32, or bfloat16 with weights in float32."""

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """Learning rate of a step, of ``steps`` in an epoch; epochs and steps count from 0."""
        within = step / steps if self.decay == "step" else 0
        cosine = (1 + math.cos(math.pi * (epoch + within) / self.epochs)) / 2
        return self.final_learning_rate + cosine * (self.learning_rate - self.final_learning_rate)
