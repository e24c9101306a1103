"""Networks of NAS-Bench-201: logits of the stacked builder, parameters of the table."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from dagnas.networks.nasbench201 import Network201
from dagnas.seeds import stream
from dagnas.spaces import SPACES
from dagnas.spaces.sizes.nasbench201 import Skeleton201, nasbench201_size
from dagnas.training.stacked import StackedNetworks
from tests.training.reference import reference_of

SPACE = SPACES.get("nasbench201")
# Operations on no path among them: the second edge into vertex 2 comes from an empty vertex.
CELLS = [
    "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|",
    "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
]


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("text", CELLS)
@pytest.mark.parametrize(
    "skeleton",
    [Skeleton201(8, 8, 1, 10, 8, 2, 1, 2, False), Skeleton201(7, 6, 3, 5, 4, 3, 2, 1, True)],
    ids=["plain", "residual"],
)
def test_logits_are_those_of_the_stacked_network_with_the_same_weights(text, skeleton):
    cell = SPACE.from_str([text])
    stack = StackedNetworks(cell, skeleton, [stream("weights")])
    network = reference_of(stack, 0, cell.edges[0])
    size = (16, skeleton.image_channels, skeleton.height, skeleton.width)
    images = torch.from_numpy(np.random.default_rng(0).normal(size=size)).float()
    for training in (True, False):
        network.train(training)
        theirs = stack.forward(images.permute(1, 2, 3, 0), training)[0].T
        torch.testing.assert_close(network(images), theirs, rtol=1e-4, atol=1e-5)
    assert network(images).std() > 0.01


@pytest.mark.parametrize("residual", [True, False])
def test_parameters_are_those_of_the_computed_size(residual):
    cells = SPACE.sample(5, np.random.default_rng(0))
    skeleton = Skeleton201(16, 16, 3, 7, 6, 3, 2, 2, residual)
    expected = nasbench201_size(cells, skeleton).params.tolist()
    assert [parameters(Network201(cell, skeleton)) for cell in cells] == expected


def test_parameters_are_those_of_the_table(mirror):
    table = pq.read_table(mirror / "nasbench201.parquet").take([0, 4_711, 9_999, 15_624])
    cells = SPACE.from_str(table["arch_str"].to_pylist())
    found = [parameters(Network201(cell, Skeleton201())) for cell in cells]
    # The table stores single precision.
    np.testing.assert_allclose(
        np.array(found) / 1e6, table["cifar10_params_millions"].to_numpy(), atol=1e-6
    )
