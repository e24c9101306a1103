"""Training of networks of decided layers (NAS over a graph search space, section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from dagnas.networks.layered import LayeredNetwork
from dagnas.spaces.layers import Layer
from dagnas.training.alone import Accuracies, train_alone
from dagnas.training.device_images import DeviceImages
from dagnas.training.images import ImageSet, Split
from dagnas.training.train_recipe import Count, NotNegative, Pixels, Positive, TrainRecipe


class LayeredRecipe(TrainRecipe):
    """Training of such a network; section 4.3 gives the 20 epochs alone."""

    epochs: Count = 20
    """Epochs of the training."""
    learning_rate: Positive = 0.05
    """Learning rate at the beginning; it decays along a cosine."""
    weight_decay: NotNegative = 5e-4
    """Weight decay, of all weights."""
    clip: NotNegative = 0.0
    """Norm that gradients are clipped to; 0: they are not."""
    pad: Pixels = 1
    """Pixels that images are padded by before they are cropped at random."""


def train_layers(
    layers: Sequence[Layer],
    images: ImageSet,
    parts: Split,
    recipe: TrainRecipe,
    names: Sequence[str | int],
    device: str = "cpu",
) -> Accuracies:
    """Train a network from new weights and measure its accuracies on held-out images.

    Parameters
    ----------
    layers : sequence of Layer
    images : ImageSet
    parts : Split
        Images to train, validate and test on.
    recipe : TrainRecipe
    names : sequence of str or int
        Names of the random stream of weights and batches.
    device : str
    """
    return train_alone(
        lambda: LayeredNetwork(layers, images.images.shape[3], images.classes),
        DeviceImages(images, parts, device),
        recipe,
        (images.name, *names),
        device=device,
        every_epoch=False,
    ).accuracies
