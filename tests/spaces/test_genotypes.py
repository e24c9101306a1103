"""The DARTS space, BONAS's variant of it, and the official text of genotypes."""

import csv
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagnas.errors import DagnasError
from dagnas.networks import build
from dagnas.networks.count import count
from dagnas.search.pool import Seen, sample_new
from dagnas.spaces import SPACES
from dagnas.spaces.cells import Cells, Graphs, concatenate
from dagnas.spaces.darts import Genotype, darts
from dagnas.spaces.darts_one_cell import darts_one_cell
from dagnas.spaces.genotype_space import Inputs
from dagnas.spaces.genotypes import OPERATIONS, read, write
from dagnas.testing import space_checks

MIRROR = Path(os.environ.get("DAGNAS_MIRROR", "."))
SPACES_OF_GENOTYPES = [darts, darts_one_cell]

DARTS_V1 = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('skip_connect', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"
)
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
#: The cell that BONAS found (figure 8; the authors' genotypes.py). Some nodes read a source twice.
BONAS_CELL = (
    "[('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), ('max_pool_3x3', 0), "
    "('sep_conv_3x3', 0), ('sep_conv_3x3', 2), ('skip_connect', 1), ('sep_conv_3x3', 2)]"
)


#: A cell whose nodes all have two sources.
ONE = (
    "[('sep_conv_3x3', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('skip_connect', 1), "
    "('sep_conv_3x3', 0), ('skip_connect', 1), ('sep_conv_3x3', 0), ('skip_connect', 1)]"
)


def draw(space, n=40, seed=0):
    return space.sample(n, np.random.default_rng(seed))


@pytest.mark.parametrize("name", ["darts", "darts_one_cell", "resnet_strings"])
def test_the_checks_of_spaces_hold(name):
    for check in space_checks(SPACES.get(name)):
        check()


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_every_vector_of_values_is_a_cell_of_its_own(space):
    rng = np.random.default_rng(0)
    values = rng.integers(space.sizes, size=(5000, len(space.sizes)))
    cells = space.from_values(values)
    assert space.is_valid(cells).all()
    assert (space.to_values(cells) == values).all()
    assert space.unpack(space.pack(cells)).same(cells).all()
    last = space.from_values(space.sizes[None] - 1)
    assert space.pack(last) == [space.count - 1]
    assert space.pack(last).dtype == np.int64


def test_the_numbers_of_cells_are_those_counted_by_hand():
    pairs, repeated = 1 * 3 * 6 * 10, 3 * 6 * 10 * 15
    assert darts.count == (pairs * 7**8) ** 2 < 2**63
    assert darts_one_cell.count == repeated * 7**8
    assert (darts.num_nodes, darts_one_cell.num_nodes) == (14, 11)
    assert darts.edge_types == ("none", *OPERATIONS, "connected")


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_what_needs_a_list_is_refused(space):
    for refused in (space.enumerate, space.representatives):
        with pytest.raises(DagnasError, match=rf"{space.name} has {space.count:,} cells, too many"):
            refused()
    with pytest.raises(DagnasError, match=rf"{space.count:,} cells, too many .*valid: variables"):
        space.drawing("classes")
    with pytest.raises(DagnasError, match="unknown draw"):
        space.drawing("script")
    assert space.drawing("variables").sample(1, np.random.default_rng(0)).same(draw(space, 1)).all()


# Validity.


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_a_cell_with_one_place_changed_is_valid_only_if_it_is_another_genotype(space):
    cell = draw(space, 1)
    genotypes = {write(space.genotypes(near)[0]) for near in space.neighbours(cell)}
    found = set()
    for place in zip(*np.nonzero(space.edge_mask.sum(axis=2) > 1), strict=True):
        for kind in np.flatnonzero(space.edge_mask[place]):
            other = Cells(cell.nodes.copy(), cell.edges.copy())
            other.edges[0, *place] = kind
            if space.is_valid(other)[0] and not other.same(cell)[0]:
                found.add(write(space.genotypes(other)[0]))
    # A source cannot change by one edge alone; in one cell no operation is on an edge.
    assert found <= genotypes
    assert len(found) == (16 * 6 if space is darts else 0)


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_fixed_edges_must_be_there_and_no_edge_may_go_back(space):
    cell = draw(space, 1)
    fixed = np.argwhere(space.edge_mask.sum(axis=2) == 1)
    assert len(fixed) == (2 * 5 + 1 if space is darts else 8 + 1)
    for tail, head in fixed:
        other = Cells(cell.nodes, cell.edges.copy())
        other.edges[0, tail, head] = 0
        assert not space.is_valid(other)[0]
    back = Cells(cell.nodes, cell.edges.copy())
    back.edges[0, 4, 2] = 1
    assert not space.is_valid(back)[0]


# Moves.


def inputs_of(space, cells):
    """Sets of (cell, node, operation, source) with multiplicities, of each genotype."""
    return [
        [sorted(half[2 * node : 2 * node + 2]) for half in genotype for node in range(4)]
        for genotype in space.genotypes(cells)
    ]


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_mutants_have_one_operation_or_one_source_changed(space):
    cells = draw(space, 500)
    mutants = space.mutate(cells, np.random.default_rng(1))
    assert space.is_valid(mutants).all()
    assert (space.differences(cells, mutants) == 1).all()
    renamed = 0
    for before, after in zip(inputs_of(space, cells), inputs_of(space, mutants), strict=True):
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(changed) == (1 if space is darts else 2)
        for old, new in changed:
            # One input of the node stays, and so does operation or source of the other.
            kept = next(edge for edge in old if edge in new)
            old.remove(kept)
            new.remove(kept)
            assert (old[0][0] != new[0][0]) + (old[0][1] != new[0][1]) == 1
        renamed += old[0][0] != new[0][0]
    # A coin decides between the two.
    assert 200 < renamed < 300


def test_a_genotype_has_the_neighbours_counted_by_hand():
    # Sixteen operations, and inputs of the nodes of 3, 4 and 5 sources, in two cells.
    expected = 16 * 6 + 2 * 2 * (1 + 2 + 3)
    near = darts.neighbours(draw(darts, 1))
    assert len(set(darts.pack(near).tolist())) == len(near) == expected
    distinct = darts_one_cell.from_str([ONE])
    assert len(darts_one_cell.neighbours(distinct)) == 8 * 6 + 2 * (1 + 2 + 3 + 4)


# Projection.


def relaxed(space, n, seed):
    """Cells with noise, so that projections are not their cells."""
    rng, graphs = np.random.default_rng(seed), space.to_graph(draw(space, n, seed))
    noisy = [part + rng.normal(size=part.shape) for part in graphs]
    return Graphs(*(part.round(1) if seed % 2 else part for part in noisy))


def distance(space, cells, graphs):
    """Squared distances of one-hot forms from relaxed cells, over the places that cells have."""
    ours = space.to_graph(cells)
    nodes = ((ours.nodes - graphs.nodes)[:, space.node_mask] ** 2).sum(axis=1)
    return nodes + ((ours.edges - graphs.edges)[:, space.edge_mask] ** 2).sum(axis=1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_the_projection_is_the_nearest_cell(space, seed):
    graphs = relaxed(space, 3, seed)
    for number in range(3):
        graph = Graphs(*(part[number : number + 1] for part in graphs))
        found = space.project(graph)
        assert space.is_valid(found)[0]
        inputs = space.to_inputs(found)
        least = distance(space, found, graph)[0]
        # Nodes do not depend on each other: all inputs of each, the others as they are.
        for cell, node in itertools.product(range(space.cells), range(4)):
            choices = list(itertools.product(space.pairs[node], np.ndindex(7, 7)))
            sources, operations = (part.repeat(len(choices), axis=0) for part in inputs)
            sources[:, cell, node] = [pair for pair, _ in choices]
            operations[:, cell, node] = [kinds for _, kinds in choices]
            others = space.from_inputs(Inputs(sources, operations))
            assert distance(space, others, graph).min() >= least - 1e-9


def test_no_random_cell_or_neighbour_is_nearer_than_the_projection():
    for space in SPACES_OF_GENOTYPES:
        graph = relaxed(space, 1, 8)
        found = space.project(graph)
        others = concatenate([space.neighbours(found), draw(space, 500)])
        assert (distance(space, others, graph) > distance(space, found, graph)).all()


# Identity.


def unordered(half):
    """Nodes of one cell as sets of inputs with multiplicities."""
    return tuple(tuple(sorted(half[2 * node : 2 * node + 2])) for node in range(4))


def nodes_of(text):
    """Nodes of both cells of a text, whose inputs have no order."""
    return [unordered(half) for half in read(text)]


def renumbered(half):
    """One cell with its nodes in all orders in which sources come before what reads them."""
    found = []
    for order in itertools.permutations(range(4)):
        nodes = [()] * 4
        for node in range(4):
            nodes[order[node]] = tuple(
                (name, source if source < 2 else 2 + order[source - 2])
                for name, source in half[2 * node : 2 * node + 2]
            )
        if all(source < 2 + place for place, node in enumerate(nodes) for _, source in node):
            found.append(tuple(itertools.chain(*nodes)))
    return found


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_isomorphic_genotypes_share_their_number_and_key_and_others_do_not(space):
    ways = 0
    for cell in draw(space, 30):
        (genotype,) = space.genotypes(cell)
        halves = [renumbered(half) for half in genotype]
        pairs = itertools.product(*halves) if space is darts else zip(*halves, strict=True)
        mates = space.from_genotypes([Genotype(*pair) for pair in pairs])
        (number,) = space.canonical(cell)
        assert (space.canonical(mates) == number).all()
        assert set(space.key(mates)) == set(space.key(cell))
        ways += len(mates)
        others = concatenate([space.neighbours(cell), mates])
        orders = [{unordered(way) for way in half} for half in halves]
        isomorphic = [
            all(unordered(half) in known for half, known in zip(other, orders, strict=True))
            for other in space.genotypes(others)
        ]
        assert (space.canonical(others) == number).tolist() == isomorphic
        assert not all(isomorphic)
    assert ways > 60


def test_each_cell_of_a_genotype_is_renumbered_on_its_own():
    genotype = read(DARTS_V1)
    # Nodes 3 and 4 of the normal cell, the third and fourth pair, do not read each other.
    normal = (*genotype.normal[:2], *genotype.normal[4:6], *genotype.normal[2:4])
    swapped = Genotype((*normal, *genotype.normal[6:]), genotype.reduce)
    one, two = darts.from_genotypes([genotype, swapped])
    assert darts.canonical(one) == darts.canonical(two)


def test_exchanged_inputs_of_one_source_are_isomorphic():
    text = BONAS_CELL.replace("('skip_connect', 0), ('max_pool_3x3', 0)", "{}")
    ways = ["('skip_connect', 0), ('max_pool_3x3', 0)", "('max_pool_3x3', 0), ('skip_connect', 0)"]
    cells = darts_one_cell.from_str([text.format(way) for way in ways])
    assert len(set(darts_one_cell.pack(cells).tolist())) == 2
    assert len(set(darts_one_cell.canonical(cells).tolist())) == 1


# Genotypes and text.


@pytest.mark.parametrize("text", [DARTS_V1, DARTS_V2])
def test_published_genotypes_are_read_and_written(text):
    (cell,) = darts.from_str([text])
    (again,) = darts.to_str(cell)
    assert nodes_of(again) == nodes_of(text)
    assert "normal_concat=range(2, 6), reduce=[" in again
    assert darts.from_str([again]).same(cell).all()


def test_the_text_may_be_written_in_other_ways():
    cell = darts.from_str([DARTS_V2])
    ways = [
        DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)"),
        DARTS_V2.replace(" ", ""),
        DARTS_V2.replace("'", '"').replace("), (", "),\n  ("),
        DARTS_V2.replace("])", "],)").replace("5]", "5,]"),
    ]
    (genotype,) = [read(DARTS_V2)]
    nested = [[list(half[2 * node : 2 * node + 2]) for node in range(4)] for half in genotype]
    ways.append(
        f"Genotype(normal={nested[0]}, normal_concat=range(2, 6), reduce={nested[1]}, "
        "reduce_concat=range(2, 6))"
    )
    for text in ways:
        assert darts.from_str([text]).same(cell).all()


def changed(old, new, text=DARTS_V2):
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected 'Genotype' at letter 0, not the end"),
        ("|nor_conv_3x3~0|", "expected 'Genotype'"),
        ("__import__('os').system('false')", "expected 'Genotype'"),
        (changed("Genotype(", "Genotype(x=1, "), "expected 'normal'"),
        (changed("('sep_conv_3x3', 0)", "(print('a'), 0)"), "expected an operation in quotes"),
        (changed("('sep_conv_3x3', 0)", "('sep_conv_3x3', 0.5)"), "expected"),
        (changed("('sep_conv_3x3', 0)", "('sep_conv_3x3', -1)"), "expected a whole number"),
        (changed("('sep_conv_3x3', 0)", "('sep_conv_3x3', \u0660)"), "expected a whole number"),
        (
            changed("('sep_conv_3x3', 0)", "('sep_conv_3x3', 99999999999)"),
            "expected a whole number",
        ),
        (changed("('sep_conv_3x3', 0)", "('none', 0)"), "'none', which no input of a node has"),
        (
            changed("('sep_conv_3x3', 0)", "('conv 3x3', 0)"),
            "operation 'conv 3x3'; valid: max_pool",
        ),
        (changed("('sep_conv_3x3', 0)", "('sep_conv_3x3', 2)"), "input from 2; valid: 0 to 1"),
        (changed("('sep_conv_3x3', 1)", "('sep_conv_3x3', 0)"), "both inputs of node 2 of normal"),
        (changed("('sep_conv_3x3', 0), ", ""), "normal has 3.5 nodes of two inputs; a cell has 4"),
        (changed("reduce=[", "reduce=[('skip_connect', 0), ('skip_connect', 1), "), "reduce has 5"),
        (changed("normal_concat=[2, 3, 4, 5]", "normal_concat=[3, 4, 5]"), r"normal_concat is \[3"),
        (changed("normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 7)"), r"is range\(2, 7\)"),
        (DARTS_V2 + "; 1", "expected the end of the text"),
        ("[" * 3000, "expected 'Genotype'"),
        (changed("normal=[", "normal=" + "[" * 2000), "expected"),
        ("Genotype(" + "x" * 10_000, "it has 10,009 letters"),
        (changed("normal=[", "normal=[[('skip_connect', 0)], "), "has 1 inputs; it has 2"),
    ],
)
def test_other_texts_are_refused_in_one_line(text, message):
    with pytest.raises(DagnasError, match=message) as refused:
        darts.from_str([text])
    assert len(str(refused.value)) < 1000
    assert "\n" not in str(refused.value)


@given(st.text(alphabet="Genotyp(rmal=[]'sk_c,0123 )", max_size=60))
def test_any_text_is_read_or_refused(text):
    with pytest.raises(DagnasError):
        darts.from_str([text])


def test_genotypes_of_the_wrong_kind_are_refused():
    genotype = read(DARTS_V2)
    with pytest.raises(DagnasError, match=r"normal has 3.5 nodes"):
        darts.from_genotypes([genotype._replace(normal=genotype.normal[1:])])
    with pytest.raises(DagnasError, match=r"input from -1"):
        darts.from_genotypes(
            [genotype._replace(normal=(("skip_connect", -1), *genotype.normal[1:]))]
        )
    with pytest.raises(DagnasError, match="normal and reduction cell differ"):
        darts_one_cell.from_genotypes([genotype])


def test_one_cell_serves_for_both():
    cell = darts_one_cell.from_str([BONAS_CELL])
    (genotype,) = darts_one_cell.genotypes(cell)
    assert genotype.normal == genotype.reduce
    assert darts_one_cell.from_str(darts_one_cell.to_str(cell)).same(cell).all()
    # Four nodes of two inputs each, in the order of their sources.
    assert genotype.normal[0] == genotype.normal[1] == ("sep_conv_3x3", 0)
    with pytest.raises(DagnasError, match="both inputs of node 2 of normal come from 0"):
        darts_one_cell.to_two_cells(cell)
    ours = darts_one_cell.from_str([ONE])
    both = darts_one_cell.to_two_cells(ours)
    assert darts.genotypes(both) == darts_one_cell.genotypes(ours)


def test_in_one_cell_readers_of_a_node_read_both_its_operations():
    (cell,) = darts_one_cell.from_str([BONAS_CELL])
    edges, names = cell.edges[0], darts_one_cell.node_types
    assert [names[node] for node in cell.nodes[0, 2:4]] == ["sep_conv_3x3"] * 2
    # The inputs of node 4, vertices 6 and 7, are from c_{k-2} and from node 2, vertices 2 and 3.
    assert np.flatnonzero(edges[:, 6]).tolist() == [0]
    assert np.flatnonzero(edges[:, 7]).tolist() == [2, 3]
    assert np.flatnonzero(edges[:, 10]).tolist() == list(range(2, 10))


# Sizes.


@pytest.mark.parametrize(("text", "parameters"), [(DARTS_V1, 3_169_414), (DARTS_V2, 3_349_342)])
def test_published_genotypes_have_their_published_parameters(text, parameters):
    assert darts.size(darts.from_str([text])).params == [parameters]


@pytest.mark.parametrize("space", SPACES_OF_GENOTYPES, ids=lambda space: space.name)
def test_sizes_are_those_of_the_networks(space):
    import torch

    cell = draw(space, 1, seed=3)
    with torch.device("meta"):
        counted = count(build(space.name, cell), (3, 32, 32))
    assert [counted.parameters] == space.size(cell).params
    assert [counted.multiply_adds] == space.madds(cell)


@pytest.mark.skipif(not (MIRROR / "darts214.csv").exists(), reason="needs the mirror's genotypes")
def test_trained_genotypes_are_read_and_written_back():
    with (MIRROR / "darts214.csv").open() as file:
        rows = list(csv.DictReader(file))
    cells = darts.from_str([row["genotype"] for row in rows])
    assert len(cells) == 214
    texts = darts.to_str(cells)
    assert darts.from_str(texts).same(cells).all()
    for row, text in zip(rows, texts, strict=True):
        assert nodes_of(row["genotype"]) == nodes_of(text)
    sizes = [int(row["params_c36_l20_computed"]) for row in rows]
    assert darts.size(cells).params.tolist() == sizes


@pytest.mark.skipif(not (MIRROR / "genotypes.csv").exists(), reason="needs the mirror's genotypes")
def test_published_genotypes_of_the_mirror_have_their_parameters():
    with (MIRROR / "genotypes.csv").open() as file:
        rows = list(csv.DictReader(file))
    outside = {}
    for row in rows:
        text = "Genotype(" + ", ".join(
            f"{name}={row[name]}" for name in ("normal", "normal_concat", "reduce", "reduce_concat")
        )
        try:
            cells = darts.from_str([text + ")"])
        except DagnasError as refused:
            outside[row["name"]] = str(refused)
            continue
        assert darts.from_str(darts.to_str(cells)).same(cells).all()
        assert darts.size(cells).params == [int(row["params_c36_l20_cifar10"])]
    assert set(outside) == {"NASNet", "AmoebaNet", "BANANAS", "BONAS"}
    assert "normal has 5 nodes" in outside["NASNet"]
    assert "'none', which no input" in outside["BANANAS"]
    bonas = darts_one_cell.from_str([BONAS_CELL])
    assert darts_one_cell.size(bonas).params == [3_505_078]


# Pools.


def test_new_cells_are_found_among_more_than_can_be_listed():
    for space in SPACES_OF_GENOTYPES:
        seen = Seen(space, "class")
        cells = sample_new(space, 300, np.random.default_rng(0), seen)
        assert len(set(space.canonical(cells).tolist())) == 300
