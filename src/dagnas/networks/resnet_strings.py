"""Networks of ResNet-style strings (BONAS, appendix D)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dagnas.networks.family import NetworkFamily
from dagnas.networks.shape import IMAGENET, NetworkShape, Stem
from dagnas.spaces.cells import Cells
from dagnas.spaces.resnet_strings import resnet_strings as _space

#: Channels of a block's output over those within.
EXPANSION = 4


class Bottleneck(nn.Module):
    """Residual block of a 1x1, a 3x3 and a 1x1 convolution (He et al. 2016, figure 5).

    Parameters
    ----------
    inputs : int
        Channels of the input.
    channels : int
        Channels within; the output has four times as many.
    stride : int
        Of the 3x3 convolution.
    """

    def __init__(self, inputs: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        outputs = EXPANSION * channels
        self.body = nn.Sequential(
            *_convolution(inputs, channels, 1),
            nn.ReLU(),
            *_convolution(channels, channels, 3, stride),
            nn.ReLU(),
            *_convolution(channels, outputs, 1),
        )
        same = inputs == outputs and stride == 1
        self.short = nn.Identity() if same else _convolution(inputs, outputs, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of four times ``channels`` channels."""
        found: Tensor = self.body(maps) + self.short(maps)
        return found.relu()


class ResNetOfString(nn.Module):
    """Network of stages of bottleneck blocks.

    Every stage but the first begins with a stride of 2. Within a stage, "1" is a block of as many
    channels as the one before, "2" one of twice as many.

    Parameters
    ----------
    stages : sequence of str
        Blocks of each stage: ("111", "2111", "211111", "211") are those of ResNet-50.
    image_channels, classes : int
    channels : int
        Base channels: of the stem, and within the first blocks; 64 in the paper.
    stem : {"imagenet", "cifar"}
        Two 3x3 convolutions of stride 2, one for the paper's stage 1 and one where its stage 2
        begins; or one of stride 1, for small images.
    """

    def __init__(
        self,
        stages: Sequence[str],
        *,
        image_channels: int = 3,
        classes: int = 1000,
        channels: int = 64,
        stem: Stem = "imagenet",
    ) -> None:
        super().__init__()
        stride = 2 if stem == "imagenet" else 1
        first = [*_convolution(image_channels, channels, 3, stride), nn.ReLU()]
        second = [*_convolution(channels, channels, 3, stride), nn.ReLU()]
        self.stem = nn.Sequential(*first, *(second if stem == "imagenet" else []))
        self.blocks = nn.ModuleDict()
        inputs = channels
        for stage, blocks in enumerate(stages):
            for number, block in enumerate(blocks):
                channels *= int(block)
                stride = 2 if stage and not number else 1
                self.blocks[f"stage{stage + 2}_{number}"] = Bottleneck(inputs, channels, stride)
                inputs = EXPANSION * channels
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, classes), of images (B, C, H, W)."""
        maps = self.stem(images)
        for block in self.blocks.values():
            maps = block(maps)
        logits: Tensor = self.head(maps)
        return logits


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def _make(cell: Cells, shape: NetworkShape) -> ResNetOfString:
    assert shape.channels
    (text,) = _space.to_str(cell)
    return ResNetOfString(
        text.split("-"),
        image_channels=shape.image_channels,
        classes=shape.classes,
        channels=shape.channels,
        stem=shape.stem,
    )


resnet_strings = NetworkFamily(
    name="resnet_strings",
    read=lambda text: _space.from_str([text]),
    make=_make,
    shape=NetworkShape(channels=64),
    imagenet=NetworkShape(channels=64, **IMAGENET),
)
