"""Networks of ResNet-style strings: ResNet's own counts, strides, channels."""

import pytest
import torch

from dagnas.networks.resnet_strings import ResNetOfString

#: Stem of ResNet: a 7x7 convolution of 64 channels and its batch norm; ours has two of 3x3.
THEIRS, OURS = 49 * 3 * 64 + 128, 9 * 3 * 64 + 9 * 64 * 64 + 2 * 128


def parameters(*stages, **shape):
    with torch.device("meta"):
        return sum(weight.numel() for weight in ResNetOfString(stages, **shape).parameters())


@pytest.mark.parametrize(
    ("stages", "count"),
    [
        (("111", "2111", "211111", "211"), 25_557_032),
        (("111", "2111", "2" + 22 * "1", "211"), 44_549_160),
    ],
    ids=["ResNet-50", "ResNet-101"],
)
def test_parameters_are_those_of_the_networks_that_strings_describe(stages, count):
    assert parameters(*stages) - OURS + THEIRS == count


def test_strides_and_channels():
    def shapes(side, stem):
        net = ResNetOfString(("12", "1", "21"), image_channels=1, classes=3, channels=4, stem=stem)
        seen = []
        for block in net.blocks.values():
            block.register_forward_hook(lambda module, given, found: seen.append(found.shape[1:]))
        images = torch.randn(2, 1, side, side).contiguous(memory_format=torch.channels_last)
        assert net(images).shape == (2, 3)
        return [(channels, height) for channels, height, _ in seen]

    assert shapes(32, "imagenet") == [(16, 8), (32, 8), (32, 4), (64, 2), (64, 2)]
    assert shapes(8, "cifar") == [(16, 8), (32, 8), (32, 4), (64, 2), (64, 2)]


def test_blocks_add_their_input():
    net = ResNetOfString(("11",), channels=4, classes=3).eval()
    block = net.blocks["stage2_1"]
    maps = torch.randn(2, 16, 5, 5)
    torch.testing.assert_close(block(maps), (block.body(maps) + maps).relu())
