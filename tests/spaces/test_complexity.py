"""Computed sizes against the real tables, the official code, and torch's own count."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells
from dagnas.spaces.sizes.enas import enas_size
from dagnas.spaces.sizes.nasbench101 import nasbench101_size, vertex_channels
from dagnas.spaces.sizes.nasbench201 import nasbench201_size

PAIRS = [(x, y) for y in range(7) for x in range(y)]


def cells101(edges: str, ops: str) -> Cells:
    """One cell: edges such as "01 12 16", operations of the interior vertices such as "31p1p"."""
    nodes = np.zeros((1, 7), np.int8)
    nodes[0, 1:6] = [{"3": 1, "1": 2, "p": 3}[op] for op in ops]
    nodes[0, 6] = 4
    matrix = np.zeros((1, 7, 7), np.int8)
    for edge in edges.split():
        matrix[0, int(edge[0]), int(edge[1])] = 1
    return Cells(nodes, matrix)


def table101(mirror: Path, rows: slice) -> tuple[Cells, np.ndarray]:
    """Cells of the compact table, decoded on their own here, and their parameters."""
    table = pq.read_table(mirror / "nasbench101.parquet")
    size, bits, code, params = (
        table[name].to_numpy().astype(np.int64)[rows]
        for name in ("num_vertices", "edge_bits", "op_code", "params")
    )
    nodes = np.zeros((len(size), 7), np.int8)
    edges = np.zeros((len(size), 7, 7), np.int8)
    for v in range(1, 6):
        nodes[:, v] = code // 3 ** (v - 1) % 3 + 1
    nodes[:, 6] = 4
    for bit, (x, y) in enumerate(PAIRS):
        there = (bits >> bit & 1).astype(bool)
        edges[there, x, np.where(y == size - 1, 6, y)[there]] = 1
    return Cells(nodes, edges), params


def cells201(mirror: Path) -> tuple[Cells, np.ndarray]:
    table = pq.read_table(mirror / "nasbench201.parquet")
    edges = np.zeros((table.num_rows, 4, 4), np.int8)
    for x, y in PAIRS[:6]:
        edges[:, x, y] = table[f"e{x}{y}"].to_numpy()
    params = table["cifar10_params_millions"].to_numpy()
    return Cells(np.zeros((table.num_rows, 4), np.int8), edges), params


# Chains, branches of uneven width, unused vertices, a bare residual connection.
EXAMPLES = [
    ("06", "33333"),
    ("01 16", "3pppp"),
    ("01 06 16", "1pppp"),
    ("01 12 23 34 45 56", "31p31"),
    ("01 02 03 14 26 36 46 05 56", "313p1"),
    ("01 16 02 26 03 36 04 46 06", "31p33"),
    ("01 12 26 13 36 03 06", "333pp"),
    ("05 56 15 34", "33331"),
]


@pytest.mark.parametrize(("edges", "ops"), EXAMPLES)
def test_parameters_and_multiply_adds_are_those_of_the_torch_network(edges, ops):
    import torch
    from nasbench_pytorch.model.model import Network

    names = {1: "conv3x3-bn-relu", 2: "conv1x1-bn-relu", 3: "maxpool3x3"}
    cell = cells101(edges, ops)
    labels = ["input", *(names[op] for op in cell.nodes[0, 1:6].tolist()), "output"]
    network = Network((cell.edges[0].astype(int), labels)).eval()
    count = {"params": 0, "madds": 0}

    def add(layer, inputs, output):
        weight = layer.weight.numel()
        count["madds"] += weight * (output[0, 0].numel() if output.ndim == 4 else 1)

    for layer in network.modules():
        # The package's own placeholders hold parameters that the benchmark does not have.
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear, torch.nn.BatchNorm2d)):
            count["params"] += sum(p.numel() for p in layer.parameters())
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(add)
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    size = nasbench101_size(cell)
    assert size.params.tolist() == [count["params"]]
    assert size.total_madds().tolist() == [count["madds"]]


def test_unused_vertices_cost_nothing():
    bare = nasbench101_size(cells101("01 16", "3pppp"))
    dangling = nasbench101_size(cells101("01 16 02 36 45", "33311"))
    assert bare.params == dangling.params
    assert all(bare.madds[kind] == dangling.madds[kind] for kind in bare.madds)


def test_channels_of_an_uneven_division_go_to_the_first_vertices():
    edges = cells101("01 02 03 16 26 46 34", "33333").edges.astype(bool)
    assert vertex_channels(edges, 128).tolist() == [[0, 43, 43, 42, 42, 0, 128]]


def test_sample_of_the_real_table_has_the_tabled_parameters(mirror):
    cells, params = table101(mirror, slice(None, None, 97))
    assert (nasbench101_size(cells).params == params).all()


@pytest.mark.slow
def test_every_row_of_the_real_table_has_the_tabled_parameters(mirror):
    cells, params = table101(mirror, slice(None))
    assert len(params) == 423_624
    assert (nasbench101_size(cells).params == params).all()


def test_every_nasbench201_cell_has_the_tabled_parameters(mirror):
    cells, millions = cells201(mirror)
    # The table stores single precision.
    np.testing.assert_allclose(nasbench201_size(cells).params / 1e6, millions, atol=1e-6)


@pytest.mark.parametrize(
    ("edges", "madds"), [((4, 2, 1, 2, 1, 1), 15_647_370), ((3, 3, 4, 0, 3, 4), 113_951_370)]
)
def test_nasbench201_multiply_adds_are_those_of_the_official_files(edges, madds):
    # Cells 0 and 11 of NATS-Bench; its files state 15.64737 and 113.95137 millions.
    matrix = np.zeros((1, 4, 4), np.int8)
    for (x, y), edge in zip(PAIRS, edges, strict=False):
        matrix[0, x, y] = edge
    size = nasbench201_size(Cells(np.zeros((1, 4), np.int8), matrix))
    assert size.total_madds().tolist() == [madds]


# ENAS


def test_enas_cells_by_hand():
    space = SPACES.get("enas")
    pools = "[[4], [5, 0], [4, 0, 0], [5, 0, 0, 0], [4, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0]]"
    # The same, but for a 5x5 convolution at 16x16 and a separable one of 3x3 at 8x8, and skips
    # from the input to the last layer (two reductions more) and from vertex 1 to 3 (one more).
    more = "[[4], [5, 0], [2, 0, 1], [5, 0, 0, 0], [4, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]]"
    size = enas_size(space.from_str([pools, more]), channels=4)
    # Stem 27 x 4 and head 4 x 10; six 1x1 convolutions of 4 x 4, five of skips, two reductions.
    params = 108 + 8 + 40 + 6 * (16 + 8) + 5 * (16 + 8) + 2 * (16 + 8)
    madds = 1024 * 108 + 40 + 16 * (2 * 1024 + 2 * 256 + 2 * 64)
    madds += 16 * (1024 + 2 * 256 + 2 * 64) + 16 * (256 + 64)
    convolutions = 25 * 16 + 8 + (9 * 4 + 16 + 8)
    assert size.params.tolist() == [params, params + convolutions + 2 * 16 + 3 * (16 + 8)]
    extra = 256 * 25 * 16 + 64 * (9 * 4 + 16) + 16 * (256 + 64) + 16 * (2 * 256 + 64)
    assert size.total_madds().tolist() == [madds, madds + extra]


def count_enas(cell: Cells, channels: int) -> dict[str, int]:
    """Size of a network of torch modules, counted while it runs once."""
    import torch
    from torch import nn

    count = {"params": 0, "madds": 0}

    def conv(x, kernel, groups=1, stride=1, out=channels):
        layer = nn.Conv2d(x.shape[1], out, kernel, stride, kernel // 2, groups=groups, bias=False)
        x = layer(x)
        count["params"] += layer.weight.numel()
        count["madds"] += layer.weight.numel() * x[0, 0].numel()
        return x

    def norm(x):
        layer = nn.BatchNorm2d(x.shape[1]).eval()
        count["params"] += sum(p.numel() for p in layer.parameters())
        return layer(x)

    def operate(x, kind):
        if kind.startswith("conv"):
            return norm(conv(x, int(kind[-1])))
        if kind.startswith("sep"):
            return norm(conv(conv(x, int(kind[-1]), groups=channels), 1))
        return nn.functional.max_pool2d(x, 3, 1, 1)

    def reduce(x):
        shifted = nn.functional.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))
        ways = [conv(way, 1, stride=2, out=channels // 2) for way in (x, shifted)]
        return norm(torch.cat(ways, dim=1))

    states = {0: norm(conv(torch.zeros(1, 3, 32, 32), 3))}
    for v in range(1, 7):
        kind = SPACES.get("enas").node_types[cell.nodes[0, v]]
        x = operate(norm(conv(states[v - 1], 1)), kind)
        if v > 1:
            skipped = [states[u] for u in range(v - 1) if cell.edges[0, u, v]]
            x = norm(conv(torch.cat([x, *skipped], dim=1), 1))
        states[v] = x
        if v in (2, 4):
            read = [u for u in states if cell.edges[0, u, v + 1 :].any()]
            states = {u: reduce(states[u]) for u in read}
    assert states[6].shape[2:] == (8, 8)
    head = nn.Linear(channels, 10, bias=False)
    head(states[6].mean(dim=(2, 3)))
    return {kind: number + head.weight.numel() for kind, number in count.items()}


@pytest.mark.parametrize("seed", range(4))
def test_enas_sizes_are_those_of_a_torch_network(seed):
    cell = SPACES.get("enas").sample(1, np.random.default_rng(seed))
    size, counted = enas_size(cell), count_enas(cell, 36)
    assert size.params.tolist() == [counted["params"]]
    assert size.total_madds().tolist() == [counted["madds"]]
