"""Spaces: identity, moves, exact projection, counts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from dagnas.errors import DagnasError
from dagnas.spaces import SPACES
from dagnas.spaces.cell_space import CellSpace
from dagnas.spaces.cells import Cells, Graphs, concatenate
from dagnas.spaces.decisions import DecisionSpace
from dagnas.spaces.nasbench101 import OPERATIONS, NASBench101Space
from dagnas.spaces.paths import vertices_on_paths

NAMES = ["nasbench101", "nasbench201", "enas"]
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(params=NAMES)
def space(request: pytest.FixtureRequest) -> CellSpace:
    return SPACES.get(request.param)


def draw(space: CellSpace, n: int = 40, seed: int = 0) -> Cells:
    return space.sample(n, np.random.default_rng(seed))


def test_batches_are_indexed_like_arrays(space):
    cells = draw(space, 5)
    assert len(cells[2]) == 1
    assert cells[-1].same(cells[4]).all()
    assert concatenate(cells).same(cells).all()
    with pytest.raises(IndexError):
        cells[5]


def test_samples_are_valid_and_do_not_depend_on_how_many_are_asked_for(space):
    assert space.is_valid(draw(space, 500)).all()
    assert draw(space, 3).same(draw(space, 100)[:3]).all()


@pytest.mark.parametrize("space", [*map(SPACES.get, NAMES), NASBench101Space(6)])
def test_samples_are_those_of_a_loop_that_draws_64_at_a_time(space):
    def loop(n, rng):
        """Blocks are drawn one by one, and the valid cells of each are taken."""
        found = [space.from_values(np.empty((0, len(space.sizes)), dtype=int))]
        while sum(map(len, found)) < n:
            block = space.from_values(rng.integers(space.sizes, size=(64, len(space.sizes))))
            found.append(block[space.is_valid(block)])
        return concatenate(found)[:n]

    for n in (0, 1, 63, 64, 65, 500):
        one, two = np.random.default_rng(7), np.random.default_rng(7)
        cells = space.sample(n, one)
        assert cells.same(loop(n, two)).all()
        assert cells.same(space.sample(500, np.random.default_rng(7))[:n]).all()
        # Both streams continue from the same place.
        assert one.integers(2**62) == two.integers(2**62)


# Draws


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_by_classes_every_class_is_as_likely_as_any_other(name):
    usual = SPACES.get(name)
    space = usual.drawing("classes")
    assert (usual.draw, space.draw, space.name) == ("variables", "classes", name)
    cells = space.sample(20_000, np.random.default_rng(0))
    codes = space.pack(cells)
    # Each is its class's representative, and ranks of these are uniform.
    assert (space.canonical(cells) == codes).all()
    everything = space.representatives()
    counts = np.histogram(np.searchsorted(everything, codes), 50, (0, len(everything)))[0]
    assert chisquare(counts).pvalue > 1e-3
    first = space.sample(7, np.random.default_rng(0))
    assert first.same(cells[:7]).all()


def test_sizes_of_random_101_cells_depend_on_the_draw():
    usual = SPACES.get("nasbench101")

    def seven(space):
        cells = space.prune(space.sample(20_000, np.random.default_rng(0)))
        return 100 * vertices_on_paths(cells.edges > 0).all(axis=1).mean()

    # By enumeration 0.31 % and, of the 423,624 classes, 359,082.
    assert seven(usual) == pytest.approx(0.31, abs=0.15)
    assert seven(usual.drawing("classes")) == pytest.approx(84.8, abs=1)


def test_101_cells_of_one_size_are_drawn_from_their_own_classes():
    space = NASBench101Space(6).drawing("classes")
    assert space.is_valid(space.sample(500, np.random.default_rng(0))).all()
    assert len(space.representatives()) == 62_010


def test_by_script_101_cells_have_nine_edges_before_pruning():
    usual = SPACES.get("nasbench101")
    space = usual.drawing("script")
    cells = draw(usual, 2000)
    edges = cells.edges.sum(axis=(1, 2))
    assert (space.is_valid(cells) == (edges <= 9)).all()
    assert 0.05 < (edges <= 9).mean() < 0.95
    # What the script refuses it refuses of mutants and neighbours too, and paths it asks for.
    mutants = space.mutate(cells[edges <= 9], np.random.default_rng(0))
    for found in (draw(space, 500), mutants, space.neighbours(draw(space, 1))):
        assert found.edges.sum(axis=(1, 2)).max() == 9
        assert usual.is_valid(found).all()
    # Among the cells of nine edges at most nothing is drawn more often than before.
    first = usual.sample(5000, np.random.default_rng(3))
    kept = first[first.edges.sum(axis=(1, 2)) <= 9]
    assert space.sample(len(kept), np.random.default_rng(3)).same(kept).all()


def test_a_space_refuses_a_draw_that_it_has_not():
    with pytest.raises(DagnasError, match=r"unknown draw of nasbench201 'script'; valid: classes"):
        SPACES.get("nasbench201").drawing("script")
    with pytest.raises(DagnasError, match=r"unknown draw of enas 'classes'; valid: variables"):
        SPACES.get("enas").drawing("classes")
    with pytest.raises(DagnasError, match="draws walks in one way alone"):
        DecisionSpace.chain("two", {"a": ["x", "y"]}).drawing("classes")


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
def test_every_form_of_a_cell_reads_back(name, seed):
    space = SPACES.get(name)
    cells = draw(space, 8, seed)
    assert space.unpack(space.pack(cells)).same(cells).all()
    assert space.from_str(space.to_str(cells)).same(cells).all()
    assert space.project(space.to_graph(cells)).same(cells).all()
    assert space.from_values(space.to_values(cells)).same(cells).all()


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
def test_a_mutation_changes_one_variable_and_stays_valid(name, seed):
    space = SPACES.get(name)
    cells = draw(space, 20, seed)
    mutants = space.mutate(cells, np.random.default_rng(seed))
    assert space.is_valid(mutants).all()
    assert ((space.to_values(cells) != space.to_values(mutants)).sum(axis=1) == 1).all()


def test_mutation_reaches_every_neighbour(space):
    cell = draw(space, 1)
    near = space.neighbours(cell)
    many = Cells(np.repeat(cell.nodes, 4000, 0), np.repeat(cell.edges, 4000, 0))
    reached = space.pack(space.mutate(many, np.random.default_rng(0)))
    assert set(reached) == set(space.pack(near))
    assert len(set(space.pack(near))) == len(near)


def test_masks_allow_edges_forward_only(space):
    lower = np.tril(np.ones((space.num_nodes, space.num_nodes), dtype=bool))
    assert not space.edge_mask[lower].any()
    graph = space.to_graph(draw(space))
    assert (graph.nodes.sum(axis=2) == 1).all()
    assert (graph.edges.sum(axis=3) == ~lower).all()


# NAS-Bench-201


def test_official_strings_of_201():
    space = SPACES.get("nasbench201")
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
    cell = space.from_str([text])
    assert cell.edges[0, 0, 1] == 3
    assert cell.edges[0, 0, 3] == 4
    assert cell.edges[0, 1, 3] == 2
    assert space.pack(cell) == [3 + 5 * 0 + 25 * 1 + 125 * 4 + 625 * 2]
    for bad in ("", text + "x", text.replace("none~2", "none~1"), text.replace("none", "nope")):
        with pytest.raises(DagnasError, match="is no nasbench201 cell"):
            space.from_str([bad])


def test_201_has_15625_cells_in_6466_classes():
    space = SPACES.get("nasbench201")
    cells = space.enumerate()
    codes = space.canonical(cells)
    assert len(np.unique(space.pack(cells))) == 15_625
    assert len(np.unique(codes)) == len(set(space.key(cells))) == 6_466
    assert (space.canonical(space.unpack(codes)) == codes).all()


def test_a_skip_connection_makes_201_cells_isomorphic():
    space = SPACES.get("nasbench201")
    # Conv on 0->1 then skip on 1->3, or skip on 0->1 then conv on 1->3: the same function.
    one, two = space.from_str(
        [
            "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|skip_connect~1|none~2|",
            "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
        ]
    )
    other = space.from_str(["|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|"])
    assert space.canonical(one) == space.canonical(two) != space.canonical(other)


@given(seed=seeds, shift=st.floats(-2, 2))
def test_projection_of_201_is_the_nearest_cell(seed, shift):
    space = SPACES.get("nasbench201")
    everything = space.to_graph(space.enumerate())
    relaxed = random_graphs(space, 2, seed, shift)
    for point, cell in zip(zip(*relaxed, strict=True), space.project(relaxed), strict=True):
        distance = sum(
            ((part - where) ** 2).reshape(len(part), -1).sum(axis=1)
            for part, where in zip(everything, point, strict=True)
        )
        assert space.pack(cell)[0] == distance.argmin()


def random_graphs(space: CellSpace, n: int, seed: int, shift: float = 0.0) -> Graphs:
    rng = np.random.default_rng(seed)
    vertices, types, kinds = space.num_nodes, len(space.node_types), len(space.edge_types)
    edges = rng.normal(size=(n, vertices, vertices, kinds))
    edges[..., -1] += shift
    upper = np.triu(np.ones((vertices, vertices)), k=1)[:, :, None]
    return Graphs(rng.normal(size=(n, vertices, types)), edges * upper)


# NAS-Bench-101


def relabelled(cell: Cells, order: tuple[int, ...]) -> Cells | None:
    """The cell with interior vertex v renamed order[v - 1], if edges still point forward."""
    name = np.array([0, *order, 6])
    edges = np.zeros_like(cell.edges)
    nodes = np.zeros_like(cell.nodes)
    edges[0, name[:, None], name] = cell.edges[0]
    nodes[0, name] = cell.nodes[0]
    return None if np.tril(edges[0]).any() else Cells(nodes, edges)


@given(seed=seeds, order=st.permutations(range(1, 6)))
def test_relabelling_a_101_cell_keeps_its_identity(seed, order):
    space = SPACES.get("nasbench101")
    cell = draw(space, 1, seed)
    other = relabelled(cell, tuple(order))
    if other is not None:
        assert space.canonical(cell) == space.canonical(other)
        assert space.key(cell) == space.key(other)


def test_101_key_is_the_official_hash_and_agrees_with_canonical():
    from nasbench_pytorch.model.graph_util import hash_module
    from nasbench_pytorch.model.model_spec import ModelSpec

    space = SPACES.get("nasbench101")
    cells = draw(space, 200)
    keys = []
    for matrix, operations in space.to_matrices(cells):
        # The package's own pruning; its hash_spec fails on the tensor it makes of the matrix.
        spec = ModelSpec(matrix, operations)
        labels = [-1, *(OPERATIONS.index(name) for name in spec.ops[1:-1]), -2]
        keys.append(hash_module(spec.matrix.numpy(), labels))
    assert space.key(cells) == keys
    codes = space.canonical(cells)
    pairs = itertools.combinations(range(len(cells)), 2)
    assert all((keys[a] == keys[b]) == (codes[a] == codes[b]) for a, b in pairs)


def test_pruning_101_clears_what_has_no_effect():
    space = SPACES.get("nasbench101")
    # Vertex 2 leads nowhere, vertex 3 comes from nowhere.
    cell = space.from_str(["010001|00000|0000|001|00|0:" + ",".join([OPERATIONS[2]] * 5)])
    pruned = space.prune(cell)
    assert pruned.edges.sum() == 1
    assert space.to_matrices(pruned)[0][0].tolist() == [[0, 1], [0, 0]]
    assert space.canonical(cell) == space.canonical(space.from_str(["1:"]))


def test_101_matrices_read_back_and_small_cells_are_embedded():
    space = SPACES.get("nasbench101")
    matrix, operations = [[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", OPERATIONS[2], "output"]
    cell = space.from_matrix(np.array(matrix), operations)
    assert cell.edges[0, 0, 1] == cell.edges[0, 0, 6] == cell.edges[0, 1, 6] == 1
    ((back, names),) = space.to_matrices(cell)
    assert back.tolist() == matrix
    assert names == operations
    assert space.from_str(["11|1:maxpool3x3"]).same(cell).all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("11|1", "operations"),
        ("11|1:maxpool", "valid operations"),
        ("00|1:maxpool3x3", "no path"),
        ("1|1:maxpool3x3", "rows of the upper triangle"),
        ("12|1:maxpool3x3", "rows of the upper triangle"),
        ("111111|11111|0000|000|00|0:" + ",".join(["maxpool3x3"] * 5), "no path|nine edges"),
    ],
)
def test_texts_that_are_no_101_cell(text, why):
    if "111111" in text:
        text = text.replace("0000|000|00|0", "1111|111|11|1")
    with pytest.raises(DagnasError, match=why):
        SPACES.get("nasbench101").from_str([text])


@pytest.fixture(scope="module")
def all_graphs() -> np.ndarray:
    """Edges of all valid graphs on seven vertices, shape (1,538,083, 21), as floats."""
    space = SPACES.get("nasbench101")
    bits = np.arange(2**21)
    parts = np.array_split(bits, 64)
    valid = np.concatenate([space.is_valid(space.unpack(part)) for part in parts])
    return (bits[valid][:, None] >> np.arange(21) & 1).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [-1.0, -0.3, 0.0, 0.5, 3.0])
def test_projection_of_101_is_the_nearest_cell(all_graphs, shift):
    space = SPACES.get("nasbench101")
    relaxed = random_graphs(space, 20, seed=int(10 * shift + 30), shift=shift)
    cells = space.project(relaxed)
    assert space.is_valid(cells).all()
    assert (cells.nodes[:, 1:-1] == 1 + relaxed.nodes[:, 1:-1, 1:-1].argmax(axis=2)).all()
    gains = (relaxed.edges[..., 1] - relaxed.edges[..., 0])[:, space._tails, space._heads]
    best = (all_graphs @ gains.T.astype(np.float32)).max(axis=0)
    mine = (space.to_values(cells)[:, :21] * gains).sum(axis=1)
    np.testing.assert_allclose(mine, best, atol=1e-4)


def test_projection_of_101_keeps_to_nine_edges_and_a_path():
    space = SPACES.get("nasbench101")
    full = space.project(random_graphs(space, 30, seed=0, shift=50.0))
    empty = space.project(random_graphs(space, 30, seed=1, shift=-50.0))
    assert space.is_valid(full).all()
    assert (full.edges.sum(axis=(1, 2)) > 9).all(), "edges without effect cost nothing"
    # The shortest path is the one edge from input to output.
    assert (empty.edges.sum(axis=(1, 2)) == empty.edges[:, 0, 6]).all()
    assert space.is_valid(empty).all()


@pytest.mark.slow
def test_101_has_423624_classes():
    space = SPACES.get("nasbench101")
    cells = space.enumerate()
    assert space.is_valid(cells).all()
    assert len(np.unique(space.canonical(cells))) == len(cells) == 423_624
    edges = space.prune(cells).edges
    sizes = (edges.any(axis=1) | edges.any(axis=2)).sum(axis=1)
    assert np.bincount(sizes).tolist() == [0, 0, 1, 6, 84, 2_441, 62_010, 359_082]
    assert len(NASBench101Space(6).enumerate()) == 62_010
    some = cells[np.random.default_rng(0).choice(len(cells), 20_000, replace=False)]
    assert len(set(space.key(some))) == 20_000


# Cells of one size of NAS-Bench-101


def sizes_of(cells: Cells) -> set[int]:
    """Numbers of vertices on a path from input to output."""
    space = NASBench101Space()
    return {len(names) for _, names in space.to_matrices(space.prune(cells))}


@pytest.mark.parametrize("size", [5, 6, 7])
def test_a_space_of_one_size_gives_no_other(size):
    space, rng = NASBench101Space(size), np.random.default_rng(0)
    cells = space.sample(200, rng)
    mutants = space.mutate(cells, rng)
    for batch in (cells, mutants, space.neighbours(cells[0]), space.neighbours(cells[1])):
        assert sizes_of(batch) == {size}
        assert space.is_valid(batch).all()
        assert SPACES.get("nasbench101").is_valid(batch).all()
    other = SPACES.get("nasbench101").sample(300, rng)
    found = space.is_valid(other)
    assert sizes_of(other[found]) == {size}
    assert size not in sizes_of(other[~found])


def test_a_space_of_one_size_has_no_projection():
    space = NASBench101Space(6)
    with pytest.raises(DagnasError, match="no projection to NAS-Bench-101 cells of 6 vertices"):
        space.project(space.to_graph(draw(space, 2)))


# ENAS

CELL = "[[1], [4, 0], [5, 0, 1], [0, 1, 1, 1], [2, 1, 0, 1, 1], [3, 0, 0, 0, 0, 1]]"


def test_a_line_of_the_enas_file():
    space = SPACES.get("enas")
    cell = space.from_str([CELL])
    names = [space.node_types[node] for node in cell.nodes[0]]
    assert names == (
        [
            "input",
            "sepconv3x3",
            "avgpool3x3",
            "maxpool3x3",
            "conv3x3",
            "conv5x5",
            "sepconv5x5",
            "output",
        ]
    )
    edges = {f"{i}{j}" for i, j in zip(*np.nonzero(cell.edges[0]), strict=True)}
    chain = {"01", "12", "23", "34", "45", "56", "67"}
    assert edges == chain | {"13", "04", "14", "24", "05", "25", "35", "46"}
    assert space.to_str(cell) == space.key(cell) == [CELL]


def test_enas_is_too_large_to_list():
    space = SPACES.get("enas")
    with pytest.raises(DagnasError, match="enas has 1,528,823,808 cells"):
        space.enumerate()
    last = space.from_values(space.sizes[None] - 1)
    assert space.pack(last) == 1_528_823_807
    assert (space.canonical(draw(space)) == space.pack(draw(space))).all()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (CELL, "", "expected lists of whole numbers"),
        (CELL, "[" * 100_000, "expected lists of whole numbers"),
        (CELL, '__import__("os")', "expected lists of whole numbers"),
        (CELL, "{}", "no list; a cell has 6"),
        ("[[1], ", "[", "5 rows; a cell has 6"),
        ("[[1], ", "[[1], [1], ", "7 rows; a cell has 6"),
        ("[1]", "[]", r"row 0 is \[\]; expected an operation and 0 flags"),
        ("[1]", "1", "row 0 is 1; expected an operation and 0 flags"),
        ("[[1]", "[[6]", r"row 0 has the operation 6; valid: 0 \(conv3x3\).*5 \(maxpool3x3\)"),
        ("[[1]", "[[-1]", "row 0 has the operation -1; valid"),
        ("[[1]", "[[true]", "row 0 has the operation True; valid"),
        ("[[1]", "[[1.0]", "row 0 has the operation 1.0; valid"),
        ("[4, 0]", "[4, 2]", "flag 0 of row 1 is 2; valid: 0, 1"),
        ("[4, 0]", "[4]", "row 1 has 0 flags; valid: 1"),
        ("[4, 0]", "[4, 0, 1]", "row 1 has 2 flags; valid: 1"),
        ("[4, 0]", "[4, 0, 1, 1]", "edge back from vertex 2 to vertex 2; valid: .* below 2"),
        ("[4, 0]", "[4, 0, 1, 0, 1]", "edge back from vertex 3 to vertex 2; valid: .* below 2"),
    ],
)
def test_texts_that_are_no_enas_cell(old, new, why):
    assert old in CELL
    with pytest.raises(DagnasError, match=f"is no enas cell: .*{why}"):
        SPACES.get("enas").from_str([CELL.replace(old, new, 1)])
