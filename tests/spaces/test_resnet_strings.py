"""ResNet-style strings."""

import itertools

import numpy as np
import pytest

from dagnas.errors import DagnasError
from dagnas.networks import build
from dagnas.networks.count import count
from dagnas.spaces.cells import Cells, Graphs
from dagnas.spaces.resnet_strings import resnet_strings as space


def draw(n, seed=0):
    return space.sample(n, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def everything():
    """Values of all strings within the limits, listed without the space."""
    stages = [(last, place) for last in range(6) for place in range(last + 2)]
    return np.array(
        [
            list(itertools.chain(*string))
            for string in itertools.product(stages, repeat=4)
            if sum(place > 0 for _, place in string) <= 3
        ]
    )


def test_the_space_has_the_strings_within_the_limits_and_no_others(everything):
    assert len(everything) == 336_960
    with pytest.raises(DagnasError, match="336,960 cells, too many to list"):
        space.enumerate()
    with pytest.raises(DagnasError, match="unknown draw"):
        space.drawing("classes")
    some = everything[:: len(everything) // 5000]
    cells = space.from_values(some)
    assert space.is_valid(cells).all()
    assert (space.to_values(cells) == some).all()
    assert len(set(space.to_str(cells))) == len(some)
    # Among all vectors of values no others are valid.
    rng = np.random.default_rng(0)
    values = rng.integers(space.sizes, size=(20_000, 8))
    valid = space.is_valid(space.from_values(values))
    known = set(map(tuple, everything.tolist()))
    assert valid.tolist() == [row in known for row in map(tuple, values.tolist())]


@pytest.mark.parametrize(
    "text",
    ["1211-211-1111-12111", "111-2111-211111-211", "11-21-21-21", "1-1-1-1", "111112-1-1-2"],
)
def test_strings_are_chains_of_their_letters(text):
    (cell,) = space.from_str([text])
    assert space.to_str(cell) == [text]
    assert space.is_valid(cell)[0]
    edges = cell.edges[0]
    vertex, letters = 0, ""
    while vertex != space.num_nodes - 1:
        (vertex,) = np.flatnonzero(edges[vertex])
        letters += space.node_types[cell.nodes[0, vertex]]
    assert letters == f"{text}output"
    # Nothing else is connected.
    assert edges.sum() == len(text) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 4 stages of 1 and 2"),
        ("1-1-1", "expected 4 stages"),
        ("1-1-1-1-1", "expected 4 stages"),
        ("1--1-1", "expected 4 stages"),
        ("1-1-1-3", "expected 4 stages"),
        ("1-1-1-1\n", "expected 4 stages"),
        ("\uff11-1-1-1", "expected 4 stages"),
        ("1-1111111-1-1", "stage 3 has 7 blocks; valid: 1 to 6"),
        ("1-1-22-1", "stage 4 doubles 2 times; valid: 0, 1"),
        ("2-2-2-2", "it doubles 4 times; valid: 0 to 3"),
        ("1" * 10**6, "expected 4 stages"),
    ],
)
def test_other_texts_are_refused_in_one_line(text, message):
    with pytest.raises(DagnasError, match=message) as refused:
        space.from_str([text])
    assert len(str(refused.value)) < 300


def test_gaps_and_loose_ends_are_not_valid():
    cell = space.from_str(["111-11-1-1"])
    for tail, head in np.argwhere(cell.edges[0]):
        other = Cells(cell.nodes, cell.edges.copy())
        other.edges[0, tail, head] = 0
        assert not space.is_valid(other)[0]
    gap = Cells(cell.nodes.copy(), cell.edges)
    gap.nodes[0, 2] = space.node_types.index("none")
    assert not space.is_valid(gap)[0]


def test_mutations_change_the_blocks_of_a_stage_or_where_it_doubles():
    near = set(space.to_str(space.neighbours(space.from_str(["12-1-2-2"]))))
    assert near == {
        # Fewer blocks would leave nothing that doubles, more blocks go at the end of a stage.
        *("12" + "1" * more + "-1-2-2" for more in range(1, 5)),
        *("12-1" + "1" * more + "-2-2" for more in range(1, 6)),
        *("12-1-2" + "1" * more + "-2" for more in range(1, 6)),
        *("12-1-2-2" + "1" * more for more in range(1, 6)),
        *("11-1-2-2", "21-1-2-2", "12-1-1-2", "12-1-2-1"),
    }


def squared_distance(cells, graphs):
    ours = space.to_graph(cells)
    return sum(
        ((mine - theirs) ** 2).reshape(len(cells), -1).sum(axis=1)
        for mine, theirs in zip(ours, graphs, strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_projection_is_the_nearest_string(everything, seed):
    rng = np.random.default_rng(seed)
    cell = space.from_str(["2-2-2-1"])
    graph = space.to_graph(cell)
    noisy = Graphs(
        graph.nodes + rng.normal(size=graph.nodes.shape) * space.node_mask,
        graph.edges + rng.normal(size=graph.edges.shape) * space.edge_mask,
    )
    # As if another doubling were wanted: then one too many must be given up.
    noisy.nodes[:, :, space.node_types.index("2")] += 3
    found = space.project(noisy)
    least = squared_distance(found, noisy)
    assert space.to_values(found)[0, 1::2].astype(bool).sum() == 3
    values = rng.permutation(everything)[:30_000]
    near = space.to_values(space.neighbours(found))
    for part in np.array_split(np.concatenate([values, near]), 8):
        assert (squared_distance(space.from_values(part), noisy) >= least - 1e-9).all()
    stages = np.unique(everything[:, :2], axis=0)
    for stage in range(4):
        others = space.to_values(found).repeat(len(stages), axis=0)
        others[:, 2 * stage : 2 * stage + 2] = stages
        cells = space.from_values(others)
        cells = cells[space.is_valid(cells)]
        assert (squared_distance(cells, noisy) >= least - 1e-9).all()


@pytest.mark.parametrize("text", ["1211-211-1111-12111", "1-2-2-2", "1-1-1-1"])
def test_sizes_are_those_of_the_networks(text):
    import torch

    cell = space.from_str([text])
    with torch.device("meta"):
        counted = count(build("resnet_strings", cell), (3, 32, 32))
    assert [counted.parameters] == space.size(cell).params
    assert [counted.multiply_adds] == space.madds(cell)
