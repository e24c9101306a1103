"""Operations: shapes, and values by hand."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from dagnas.networks.operations import (
    FactorizedReduction,
    Norm,
    darts_operation,
    nasbench201_operation,
    relu_conv_norm,
)

SIZES = {
    "none": 0,
    "max_pool_3x3": 0,
    "avg_pool_3x3": 0,
    "skip_connect": 0,
    "sep_conv_3x3": 2 * (9 * 4 + 4 * 4 + 2 * 4),
    "sep_conv_5x5": 2 * (25 * 4 + 4 * 4 + 2 * 4),
    "dil_conv_3x3": 9 * 4 + 4 * 4 + 2 * 4,
    "dil_conv_5x5": 25 * 4 + 4 * 4 + 2 * 4,
    "sep_conv_7x7": 2 * (49 * 4 + 4 * 4 + 2 * 4),
    "conv_7x1_1x7": 2 * 7 * 4 * 4 + 2 * 4,
}


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(("stride", "size", "out"), [(1, 7, 7), (2, 8, 4), (2, 7, 4)])
def test_darts_operations_keep_or_halve_pixels(name, stride, size, out):
    operation = darts_operation(name, 4, stride)
    maps = torch.randn(2, 4, size, size)
    for given in (maps, maps.contiguous(memory_format=torch.channels_last)):
        assert operation(given).shape == (2, 4, out, out)
    reduces = name == "skip_connect" and stride == 2
    assert parameters(operation) == (4 * 4 + 2 * 4 if reduces else SIZES[name])
    bare = darts_operation(name, 4, stride, Norm(affine=False))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in operation.modules())
    assert parameters(operation) - parameters(bare) == norms * 2 * 4


def test_dilated_and_separable_convolutions_see_their_field():
    """Pixels that a change of the middle one reaches."""

    def reached(name):
        operation = darts_operation(name, 1).eval()
        for module in operation.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.ones_(module.weight)
        maps = torch.zeros(1, 1, 19, 19)
        maps[..., 9, 9] = 1
        return int((operation(maps) > 0).sum())

    names = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
    # Two 3x3 convolutions see 5x5; a dilated one sees 3x3 pixels apart.
    assert [reached(name) for name in names] == [25, 81, 9, 25]


def test_pools_by_hand():
    maps = torch.arange(9.0).view(1, 1, 3, 3)
    # The corner has four pixels, 0, 1, 3 and 4: the padding does not count.
    assert darts_operation("avg_pool_3x3", 1)(maps)[0, 0, 0, 0] == 2
    assert nasbench201_operation("avg_pool_3x3", 1)(maps)[0, 0, 0, 0] == 2
    assert darts_operation("max_pool_3x3", 1, 2)(maps).flatten().tolist() == [4, 5, 7, 8]
    normed = darts_operation("max_pool_3x3", 1, 2, norm_pools=True)(maps)
    assert parameters(darts_operation("max_pool_3x3", 4, norm_pools=True)) == 0
    torch.testing.assert_close(normed.mean(), torch.tensor(0.0))


def test_factorised_reduction_takes_every_second_pixel_of_two_diagonals():
    reduction = FactorizedReduction(1, 2).eval()
    nn.init.ones_(reduction.first.weight)
    nn.init.ones_(reduction.second.weight)
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    first, second = reduction(maps)[0] * (1 + 1e-5) ** 0.5
    torch.testing.assert_close(first, maps[0, 0, ::2, ::2])
    torch.testing.assert_close(second, maps[0, 0, 1::2, 1::2])
    assert reduction(torch.ones(1, 1, 5, 3)).shape == (1, 2, 3, 2)
    assert FactorizedReduction(3, 5)(torch.ones(2, 3, 4, 4)).shape[1] == 5


@pytest.mark.parametrize("inputs", [3, 8])
def test_factorised_reduction_has_the_gradient_of_strided_convolutions(inputs):
    reduction = FactorizedReduction(inputs, 4).double()
    maps = torch.randn(2, inputs, 4, 4, dtype=torch.float64)
    found = torch.autograd.grad(reduction(maps).square().sum(), reduction.parameters())
    first, second = reduction.first.weight, reduction.second.weight
    both = [
        nn.functional.conv2d(some.relu(), weight, stride=2)
        for some, weight in ((maps, first), (maps[:, :, 1:, 1:], second))
    ]
    loss = reduction.norm(torch.cat(both, dim=1)).square().sum()
    expected = torch.autograd.grad(loss, reduction.parameters())
    for gradient, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, wanted)


def test_gradients_of_few_channels_leave_the_heap_whole():
    # oneDNN's code for convolutions of stride 2 does not.
    code = """
import torch
from dagnas.networks.operations import FactorizedReduction
for channels in (1, 2, 3, 4):
    reduction = FactorizedReduction(channels, 2).to(memory_format=torch.channels_last)
    for _ in range(20):
        maps = torch.randn(32, channels, 8, 8).to(memory_format=torch.channels_last)
        reduction(maps.requires_grad_()).square().sum().backward()
"""
    checked = {**os.environ, "MALLOC_CHECK_": "3", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", code], env=checked, check=True)


def test_operations_of_nasbench201():
    maps = torch.randn(3, 4, 5, 5)
    assert not nasbench201_operation("none", 4)(maps).any()
    assert nasbench201_operation("skip_connect", 4)(maps) is maps
    assert parameters(nasbench201_operation("nor_conv_1x1", 4)) == 4 * 4 + 2 * 4
    assert parameters(nasbench201_operation("nor_conv_3x3", 4)) == 9 * 4 * 4 + 2 * 4
    conv = nasbench201_operation("nor_conv_3x3", 4)
    expected = conv.norm(nn.functional.conv2d(maps.relu(), conv.conv.weight, padding=1))
    torch.testing.assert_close(conv(maps), expected)


def test_norms_follow_their_settings():
    norm = relu_conv_norm(2, 3, norm=Norm(affine=False, momentum=0.25, track=False)).norm
    assert (norm.affine, norm.momentum, norm.running_mean) == (False, 0.25, None)
