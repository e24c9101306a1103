"""Networks of the DARTS space: for CIFAR-10 and, in the mobile setting, for ImageNet.

Both stack normal cells with two reductions, at a third and at two thirds of the depth (Liu et al.
2019, appendix A.2 and A.3; the official code where the paper is silent).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dagnas.networks.family import NetworkFamily
from dagnas.networks.operations import FactorizedReduction, darts_operation, relu_conv_norm
from dagnas.networks.shape import IMAGENET, NetworkShape, Stem
from dagnas.spaces.cells import Cells
from dagnas.spaces.darts import darts as _two_cells
from dagnas.spaces.darts_one_cell import darts_one_cell as _one_cell
from dagnas.spaces.genotype_space import GenotypeSpace
from dagnas.spaces.genotypes import Genotype

#: Channels of the stem for CIFAR, over those of the first cells.
_STEM_MULTIPLIER = 3
#: Strides of the auxiliary head's 5x5 pooling, by the size of its maps: what is left is 2x2.
_POOL_STRIDES = {(7, 7): 2, (8, 8): 3}


class Wiring(NamedTuple):
    """Wiring of a cell.

    Attributes
    ----------
    inputs : sequence of (str, int)
        Operation and source of each input, two inputs a node. Sources 0 and 1 are the two cells
        before, 2 the first node.
    concat : sequence of int
        Sources that the output is the concatenation of.
    """

    inputs: Sequence[tuple[str, int]]
    concat: Sequence[int]

    @classmethod
    def whole(cls, inputs: Sequence[tuple[str, int]]) -> Wiring:
        """Wiring whose output holds all nodes, whether or not another node reads them."""
        return cls(inputs, range(2, 2 + len(inputs) // 2))


def drop_path(maps: Tensor, fraction: float) -> Tensor:
    """Zero all maps of randomly chosen images, and scale the others up (Larsson et al. 2017).

    Parameters
    ----------
    maps : Tensor, shape (B, C, H, W)
    fraction : float
        Probability that an image's maps are dropped.
    """
    if fraction == 0:
        return maps
    kept = torch.empty(len(maps), 1, 1, 1, device=maps.device, dtype=maps.dtype)
    return maps * kept.bernoulli_(1 - fraction).div_(1 - fraction)


class DartsCell(nn.Module):
    """Cell: each node is the sum of two operations on nodes before, or on the two cells before.

    Parameters
    ----------
    wiring : Wiring
    before, last : int
        Channels of the cell before the last, and of the last.
    channels : int
        Of each node.
    reduction : bool
        Whether operations on the two cells before have a stride of 2.
    shrunk : bool
        Whether the last cell has half the pixels of the one before.
    """

    def __init__(
        self,
        wiring: Wiring,
        before: int,
        last: int,
        channels: int,
        *,
        reduction: bool,
        shrunk: bool,
    ) -> None:
        super().__init__()
        adapt = FactorizedReduction if shrunk else relu_conv_norm
        self.before = adapt(before, channels)
        self.last = relu_conv_norm(last, channels)
        self.sources = [source for _, source in wiring.inputs]
        self.concat = tuple(wiring.concat)
        self.operations = nn.ModuleList(
            darts_operation(name, channels, 2 if reduction and source < 2 else 1)
            for name, source in wiring.inputs
        )

    def forward(self, before: Tensor, last: Tensor, dropped: float = 0.0) -> Tensor:
        """Output of the cell.

        Parameters
        ----------
        before, last : Tensor
            Outputs of the cell before the last, and of the last.
        dropped : float
            Fraction of images for which an operation is dropped, identities excepted.
        """
        nodes = [self.before(before), self.last(last)]

        def operate(number: int) -> Tensor:
            operation = self.operations[number]
            maps: Tensor = operation(nodes[self.sources[number]])
            return maps if isinstance(operation, nn.Identity) else drop_path(maps, dropped)

        for number in range(0, len(self.sources), 2):
            nodes.append(operate(number) + operate(number + 1))
        return torch.cat([nodes[node] for node in self.concat], dim=1)


class _AuxiliaryHead(nn.Module):
    """Classifier of the maps at two thirds of the depth.

    The official 5x5 pooling is for maps of 8x8 (CIFAR) and 7x7 (ImageNet), which it makes 2x2;
    maps of other sizes become 2x2 by their means.
    """

    def __init__(self, channels: int, classes: int, stem: Stem) -> None:
        super().__init__()
        # The official head for ImageNet lacks the second batch norm.
        second = [nn.BatchNorm2d(768)] if stem == "cifar" else []
        self.features = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *second,
            nn.ReLU(),
            nn.Flatten(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps.relu()
        stride = _POOL_STRIDES.get((maps.shape[2], maps.shape[3]))
        if stride is None:
            maps = nn.functional.adaptive_avg_pool2d(maps, 2)
        else:
            maps = nn.functional.avg_pool2d(maps, 5, stride)
        logits: Tensor = self.classifier(self.features(maps))
        return logits


class DartsNetwork(nn.Module):
    """Network of a normal and a reduction cell.

    Parameters
    ----------
    normal, reduce : Wiring
    image_channels, classes : int
    channels : int
        Of each node of the first cells; twice as many after each reduction.
    layers : int
        Cells in all, the two reductions included.
    auxiliary : bool
        Whether a second classifier reads the cell at two thirds of the depth; only in training.
    stem : {"cifar", "imagenet"}
        A 3x3 convolution, or three of stride 2.

    Attributes
    ----------
    drop_path : float
        Probability, in training, that an operation is dropped for an image.
    """

    def __init__(
        self,
        normal: Wiring,
        reduce: Wiring,
        *,
        image_channels: int = 3,
        classes: int = 10,
        channels: int = 36,
        layers: int = 20,
        auxiliary: bool = False,
        stem: Stem = "cifar",
    ) -> None:
        super().__init__()
        self.drop_path = 0.0
        if stem == "cifar":
            before = last = _STEM_MULTIPLIER * channels
            stems = [_convolution(image_channels, last, 1), nn.Identity()]
        else:
            before = last = channels
            half = -(-channels // 2)
            stems = [
                nn.Sequential(
                    *_convolution(image_channels, half, 2),
                    nn.ReLU(),
                    *_convolution(half, channels, 2),
                ),
                nn.Sequential(nn.ReLU(), *_convolution(channels, channels, 2)),
            ]
        self.stems = nn.ModuleList(stems)
        self.cells = nn.ModuleList()
        self.auxiliary: _AuxiliaryHead | None = None
        shrunk = stem == "imagenet"
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            channels *= 2 if reduction else 1
            wiring = reduce if reduction else normal
            cell = DartsCell(wiring, before, last, channels, reduction=reduction, shrunk=shrunk)
            self.cells.append(cell)
            shrunk = reduction
            before, last = last, len(wiring.concat) * channels
            if auxiliary and layer == 2 * layers // 3:
                self.auxiliary = _AuxiliaryHead(last, classes, stem)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, classes))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits (B, classes) of images (B, C, H, W).

        In training with an auxiliary head: a pair, the second of which are the logits of that.
        """
        before = self.stems[0](images)
        last = self.stems[1](before)
        dropped = self.drop_path if self.training else 0.0
        two_thirds = last
        for layer, cell in enumerate(self.cells):
            before, last = last, cell(before, last, dropped)
            if layer == 2 * len(self.cells) // 3:
                two_thirds = last
        logits: Tensor = self.head(last)
        if self.training and self.auxiliary is not None:
            return logits, self.auxiliary(two_thirds)
        return logits


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """3x3 convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


def _family(space: GenotypeSpace) -> NetworkFamily:
    def make(architecture: Cells | Genotype, shape: NetworkShape) -> DartsNetwork:
        if isinstance(architecture, Cells):
            (architecture,) = space.genotypes(architecture)
        assert shape.channels
        assert shape.layers
        return DartsNetwork(
            Wiring.whole(architecture.normal),
            Wiring.whole(architecture.reduce),
            image_channels=shape.image_channels,
            classes=shape.classes,
            channels=shape.channels,
            layers=shape.layers,
            auxiliary=shape.auxiliary,
            stem=shape.stem,
        )

    return NetworkFamily(
        name=space.name,
        read=lambda text: space.from_str([text]),
        make=make,
        shape=NetworkShape(channels=36, layers=20),
        imagenet=NetworkShape(channels=48, layers=14, **IMAGENET),
        auxiliary=True,
    )


darts = _family(_two_cells)
darts_one_cell = _family(_one_cell)
