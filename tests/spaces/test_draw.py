"""Pictures of cells: nothing overlaps, nothing is left out, and changes show."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from dagnas.drawing import cells as draw
from dagnas.drawing.cells import draw_cell, parts
from dagnas.drawing.layout import chain
from dagnas.drawing.shapes import ADDED, DELETED, KEPT, Picture
from dagnas.spaces import SPACES

NAS101, NAS201 = SPACES.get("nasbench101"), SPACES.get("nasbench201")
ENAS = SPACES.get("enas")
BOX = (0.8, 0.56)


@pytest.fixture
def shapes(monkeypatch):
    """Drawn shapes by kind: calls of the picture's methods with their arguments."""
    calls: dict[str, list] = {"arrow": [], "box": [], "dot": [], "label": [], "text": []}
    for name, kept in calls.items():
        method = getattr(Picture, name)

        def record(self, *arguments, method=method, kept=kept, **more):
            kept.append(arguments)
            return method(self, *arguments, **more)

        monkeypatch.setattr(Picture, name, record)
    return calls


def cells_of(space, seed, n=1):
    return space.sample(n, np.random.default_rng(seed))


def on_curve(path, points=40):
    """Points along a path of cubic Bezier curves."""
    t = np.linspace(0, 1, points)[:, None]
    start, found = path.vertices[0], []
    for a, b, end in path.vertices[1:].reshape(-1, 3, 2):
        found.append(
            (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * a + 3 * t**2 * (1 - t) * b + t**3 * end
        )
        start = end
    return np.concatenate(found)


def test_parts_of_a_known_cell():
    cell = NAS101.from_str(["1101|010|01|0:conv3x3-bn-relu,maxpool3x3,conv1x1-bn-relu"])
    # 0 -> 1 -> 3, a dead end; 0 -> 2 -> output; 0 -> output. The output is vertex 6.
    seen = parts(NAS101, cell)
    assert seen.nodes == {0: "input", 2: "maxpool3x3", 6: "output"}
    assert set(seen.edges) == {(0, 2), (2, 6), (0, 6)}
    assert len(parts(NAS101, cell, prune=False).nodes) == 7


def test_edges_of_type_none_are_left_out():
    cell = NAS201.from_str(
        ["|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|"]
    )
    kinds = parts(NAS201, cell).edges
    assert kinds == {(0, 1): "nor_conv_3x3", (0, 3): "skip_connect", (1, 3): "nor_conv_1x1"}
    # Vertex 2 gets nothing, yet its edge is there if all is to be seen.
    assert (2, 3) in parts(NAS201, cell, prune=False).edges


def test_parts_agree_with_the_space():
    cells = cells_of(NAS101, 0, 200)
    for cell, pruned in zip(cells, NAS101.prune(cells), strict=True):
        assert set(parts(NAS101, cell).edges) == set(zip(*np.nonzero(pruned.edges[0]), strict=True))


@pytest.mark.parametrize(
    ("space", "seed", "prune"),
    [
        *((NAS101, seed, prune) for seed in range(12) for prune in (True, False)),
        *((ENAS, seed, True) for seed in range(6)),
    ],
)
def test_boxes_and_curves_do_not_overlap(space, seed, prune):
    cells = cells_of(space, seed, 2)
    seen = parts(space, cells[0], prune)
    at = {
        item: np.array([breadth, -1.2 * depth])
        for item, (depth, breadth) in draw._layout(seen, BOX[0], 0.4).items()
    }
    for u, v in itertools.combinations(seen.nodes, 2):
        assert (np.abs(at[u] - at[v]) >= np.array(BOX) + 0.1).any()
    ax = draw_cell(space, cells[0], prune=prune)
    curves = [
        patch.get_path()
        for patch in ax.get_children()
        if isinstance(patch, PathPatch)
        and to_hex(patch.get_edgecolor(), keep_alpha=True)[-2:] == "ff"
        and len(patch.get_path()) % 3 == 1
        and 4 in patch.get_path().codes
        and 79 not in patch.get_path().codes
    ]
    assert len(curves) == len(seen.edges)
    for curve in curves:
        points = on_curve(curve)
        for vertex in seen.nodes:
            inside = (np.abs(points - at[vertex]) < np.array(BOX) / 2 - 0.02).all(axis=1)
            assert not inside.any()


@given(code=st.integers(0, 5**6 - 1))
@settings(max_examples=30, deadline=None)
def test_labels_of_edges_do_not_overlap(code):
    cell = NAS201.unpack(np.array([code]))
    seen = parts(NAS201, cell)
    at = {
        item: np.array([3.0 * depth, breadth])
        for item, (depth, breadth) in draw._layout(seen, 0.28, 1.0).items()
    }
    middles = []
    for edge in seen.edges:
        route = [at[item] for item in chain(edge, at)]
        middles.append((route[(len(route) - 1) // 2] + route[len(route) // 2]) / 2)
    for a, b in itertools.combinations(middles, 2):
        # The longest label is 2.1 units wide, letters are 0.3 high.
        assert (np.abs(a - b) >= [2.1, 0.3]).any()


def test_every_operation_and_vertex_is_drawn(shapes):
    cell = cells_of(NAS201, 3)
    draw_cell(NAS201, cell)
    seen = parts(NAS201, cell)
    assert sorted(kind for _, kind, *_ in shapes["label"]) == sorted(seen.edges.values())
    assert len(shapes["dot"]) == len(seen.nodes)
    assert not shapes["box"]
    cell = cells_of(NAS101, 3)
    draw_cell(NAS101, cell)
    assert [kind for _, _, kind, *_ in shapes["box"]] == list(parts(NAS101, cell).nodes.values())


def test_changes_are_green_or_dashed(shapes):
    before = NAS101.from_str(["110|01|1:conv3x3-bn-relu,maxpool3x3"])
    after = NAS101.from_str(["1010|101|01|1:conv1x1-bn-relu,maxpool3x3,conv3x3-bn-relu"])
    draw_cell(NAS101, after, before=before)
    boxes = {(kind, was): look for _, _, kind, was, look in shapes["box"]}
    assert boxes["input", "input"] == KEPT
    assert boxes["conv1x1-bn-relu", "conv3x3-bn-relu"] == ADDED
    looks = [look for *_, look in shapes["arrow"]]
    old, new = parts(NAS101, before).edges, parts(NAS101, after).edges
    assert looks.count(DELETED) == len(set(old) - set(new))
    assert looks.count(ADDED) == len(set(new) - set(old))
    assert looks.count(KEPT) == len(set(new) & set(old))
    assert DELETED.dashed
    assert not ADDED.dashed


def test_a_changed_operation_says_what_it_was(shapes):
    before = NAS201.unpack(np.array([5**6 - 1]))
    after = NAS201.unpack(np.array([5**6 - 2]))
    draw_cell(NAS201, after, before=before)
    assert [text for _, text, *_ in shapes["text"]].count("was avg pool 3\u00d73") == 1
    assert "conv 3\u00d73" in [text for _, text, *_ in shapes["text"]]


def test_enas_operations_have_short_names(shapes):
    cell = ENAS.from_str(
        ["[[0], [1, 0], [2, 0, 1], [3, 0, 0, 0], [4, 1, 0, 0, 0], [5, 0, 0, 0, 0, 1]]"]
    )
    draw_cell(ENAS, cell)
    texts = [text for _, text, *_ in shapes["text"]]
    assert sorted(texts) == sorted(["I", "C3", "S3", "C5", "S5", "AP", "MP", "O"])
    assert len(shapes["arrow"]) == 7 + 3


def test_a_cell_without_a_path_shows_input_and_output(shapes):
    draw_cell(NAS201, NAS201.unpack(np.array([0])))
    assert len(shapes["dot"]) == 2
    assert not shapes["arrow"]


def test_draws_on_given_axes_and_repeats_byte_for_byte():
    import matplotlib as mpl

    def svg():
        with mpl.rc_context({"svg.hashsalt": "test"}):
            figure = Figure()
            ax = figure.subplots()
            assert draw_cell(NAS101, cells_of(NAS101, 1), ax, before=cells_of(NAS101, 2)) is ax
            assert ax.get_aspect() == 1.0
            file = io.BytesIO()
            figure.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    assert svg() == svg()
