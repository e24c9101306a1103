"""Networks of NAS-Bench-101: parameters of the table, norms, gradients."""

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import nn

from dagnas.networks.nasbench101 import network101
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench101 import nasbench101_size
from tests.spaces.test_complexity import table101

SPACE = SPACES.get("nasbench101")


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def test_parameters_are_those_of_the_table(mirror):
    last = pq.read_metadata(mirror / "nasbench101.parquet").num_rows - 1
    cells, params = table101(mirror, slice(0, None, last // 4))
    assert [parameters(network101(cell)) for cell in cells] == params.tolist()


def test_every_parameter_is_trained_and_every_norm_is_slow():
    for cell in SPACE.sample(3, np.random.default_rng(0)):
        network = network101(cell, image_channels=1, classes=4, channels=8, stacks=2, cells=1)
        network(torch.randn(2, 1, 8, 8)).sum().backward()
        assert all(weight.grad is not None for weight in network.parameters())
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        assert {norm.momentum for norm in norms} == {0.003}


def test_parts_on_no_path_are_left_out():
    # The convolution leads nowhere.
    edges = np.array([[0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    names = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]
    cell = SPACE.from_matrix(edges, names)
    network = network101(cell)
    assert [parameters(network)] == nasbench101_size(cell).params.tolist()
    kernels = {module.kernel_size for module in network.modules() if isinstance(module, nn.Conv2d)}
    # The stem's is 3x3; projections are 1x1.
    assert kernels == {(3, 3), (1, 1)}
    assert sum(isinstance(module, nn.MaxPool2d) for module in network.modules()) == 9 + 2
