import itertools

import numpy as np
import pytest
import torch

from dagnas.networks.darts import DartsNetwork
from dagnas.networks.nasbench201 import Network201
from dagnas.networks.supernet201 import EDGES, Supernet201, pruned
from dagnas.networks.supernet_darts import EDGES as DARTS_EDGES
from dagnas.networks.supernet_darts import SupernetDarts
from dagnas.networks.switched_norm import SWITCHED, statistics
from dagnas.spaces.genotypes import OPERATIONS, Genotype
from dagnas.spaces.nasbench201 import nasbench201
from dagnas.spaces.sizes.nasbench201 import Skeleton201

SMALL = Skeleton201(height=8, width=8, channels=4, stacks=2, cells=2, residual=True)
CELL = "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
GENOTYPE = Genotype(
    (("sep_conv_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 0), ("dil_conv_5x5", 2),
     ("avg_pool_3x3", 1), ("sep_conv_5x5", 3), ("dil_conv_3x3", 0), ("skip_connect", 4)),
    (("skip_connect", 0), ("sep_conv_3x3", 1), ("avg_pool_3x3", 0), ("skip_connect", 2),
     ("dil_conv_3x3", 1), ("max_pool_3x3", 3), ("sep_conv_5x5", 0), ("skip_connect", 1)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def images(batch=6, channels=3, size=8):
    return torch.randn(batch, channels, size, size)


def operations_of(text):
    return pruned(nasbench201.from_str([text]))[0]


def test_a_cell_of_the_supernet_is_its_network_with_the_same_weights():
    supernet = Supernet201(SMALL)
    network = Network201(nasbench201.from_str([CELL]), SMALL, SWITCHED)
    shared = supernet.state_dict()
    # Batch norms outside the cells learn a scale in the supernet, and have none in this network.
    weights = {}
    for name in network.state_dict():
        known = name
        for (i, j), kind in zip(EDGES, operations_of(CELL), strict=True):
            operation = nasbench201.edge_types[kind]
            known = known.replace(f".{i}{j}.", f".operations.{i}{j}_{operation}.")
        weights[name] = shared[known]
    network.load_state_dict(weights)
    x = images()
    torch.testing.assert_close(supernet(x, operations_of(CELL)), network(x))


def test_only_what_is_on_a_path_is_computed():
    # Vertex 1 has an input and leads nowhere; vertex 2 leads to the output and has no input.
    text = "|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    supernet = Supernet201(SMALL)
    supernet(images(), operations_of(text)).sum().backward()
    trained = {
        name.split(".operations.")[1].split(".")[0]
        for name, weights in supernet.named_parameters()
        if weights.grad is not None and ".operations." in name
    }
    assert trained == {"03_nor_conv_1x1"}


def test_pruned_cells_compute_what_unpruned_ones_do():
    supernet = Supernet201(SMALL)
    x = images()
    with torch.no_grad():
        for cell in nasbench201.sample(12, np.random.default_rng(1)):
            whole = nasbench201.to_values(cell)[0]
            torch.testing.assert_close(supernet(x, pruned(cell)[0]), supernet(x, whole))


def test_a_one_hot_mixture_is_the_cell():
    supernet = Supernet201(SMALL)
    x, operations = images(), operations_of(CELL)
    weights = torch.eye(5)[torch.from_numpy(operations)]
    torch.testing.assert_close(supernet(x, weights), supernet(x, operations))


def test_statistics_of_evaluation_are_a_choice():
    supernet = Supernet201(SMALL)
    operations, x = operations_of(CELL), images(8)
    supernet(x, operations)
    buffers = {name: buffer.clone() for name, buffer in supernet.named_buffers()}
    with statistics(supernet, 0):
        whole = supernet(x, operations)
    with statistics(supernet, 5):
        first = supernet(x, operations)
        # Statistics are those of the first five images, whatever follows.
        other = supernet(torch.cat([x[:5], images(2)]), operations)
    with statistics(supernet, 5):
        alone = supernet(x[:5], operations)
    with statistics(supernet, None):
        running = supernet(x, operations)
    torch.testing.assert_close(first[:5], other[:5])
    torch.testing.assert_close(first[:5], alone)
    with statistics(supernet, 0):
        torch.testing.assert_close(alone, supernet(x[:5], operations))
    for left, right in itertools.combinations((whole, first, running), 2):
        assert not torch.allclose(left, right, atol=1e-3)
    # Running statistics are those of the training, which an evaluation leaves alone.
    for name, buffer in supernet.named_buffers():
        torch.testing.assert_close(buffer, buffers[name])
    assert supernet.training


def test_the_darts_supernet_has_as_many_parameters_as_the_official_one():
    # 1.930618 MB is what the official search prints (16 channels, 8 cells).
    assert sum(p.numel() for p in SupernetDarts(3, 10, 16, 8).parameters()) == 1_930_618


def test_a_one_hot_mixture_is_the_genotype():
    supernet = SupernetDarts(3, 10, 4, 3)
    mixture = []
    for inputs in GENOTYPE:
        weights = torch.zeros(14, 8)
        for number, (operation, source) in enumerate(inputs):
            edge = DARTS_EDGES.index((source, 2 + number // 2))
            weights[edge, 1 + OPERATIONS.index(operation)] = 1
        mixture.append(weights)
    x = images()
    torch.testing.assert_close(supernet(x, tuple(mixture)), supernet(x, GENOTYPE))


def test_a_genotype_of_the_supernet_is_its_network_but_for_norms_of_pools_and_scales():
    without_pools = Genotype(
        *(tuple((n.replace("max_pool", "sep_conv").replace("avg_pool", "dil_conv"), s)
                for n, s in cell) for cell in GENOTYPE)
    )  # fmt: skip
    supernet = SupernetDarts(3, 10, 4, 3)
    network = _network(without_pools)
    shared = supernet.state_dict()
    weights = {}
    for name, tensor in network.state_dict().items():
        known = name.replace("stems.0.", "stem.").replace("head.2.", "classifier.")
        if ".operations." in name:
            _, cell, _, number, *rest = name.split(".")
            inputs = without_pools[int(supernet.cells[int(cell)].reduction)]
            operation, source = inputs[int(number)]
            edge = f"{source}_{2 + int(number) // 2}_{operation}"
            known = ".".join(["cells", cell, "operations", edge, *rest])
        weights[name] = shared.get(known, tensor)  # Scales and shifts begin as ones and zeros.
    network.load_state_dict(weights)
    x = images()
    torch.testing.assert_close(supernet(x, without_pools), network(x), rtol=1e-4, atol=1e-5)


def _network(genotype):
    from dagnas.networks.darts import Wiring

    return DartsNetwork(*map(Wiring.whole, genotype), channels=4, layers=3)
