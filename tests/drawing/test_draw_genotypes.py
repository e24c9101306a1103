"""Pictures of genotypes and of ResNet-style strings: nothing overlaps, nothing is left out."""

import io
import itertools

import numpy as np
import pytest

from dagnas.cli import main
from dagnas.drawing import style
from dagnas.drawing.cells import draw_cell
from dagnas.drawing.shapes import ADDED, LABELS, Picture
from dagnas.spaces import SPACES

DARTS, ONE_CELL = SPACES.get("darts"), SPACES.get("darts_one_cell")
STRINGS = SPACES.get("resnet_strings")
#: The cell that BONAS found, whose nodes read a source twice.
BONAS_CELL = (
    "[('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 0), ('max_pool_3x3', 0), "
    "('sep_conv_3x3', 0), ('sep_conv_3x3', 2), ('skip_connect', 1), ('sep_conv_3x3', 2)]"
)


@pytest.fixture
def shapes(monkeypatch):
    """Drawn shapes by kind: calls of the picture's methods, and curves with their points."""
    calls: dict[str, list] = {"arrow": [], "box": [], "text": []}
    for name, kept in calls.items():
        method = getattr(Picture, name)

        def record(self, *arguments, method=method, kept=kept, **more):
            before = len(self.shapes)
            method(self, *arguments, **more)
            kept.append((*arguments, self.shapes[before][0]))

        monkeypatch.setattr(Picture, name, record)
    return calls


def on_curve(path, points=60):
    """Points along a path of cubic Bezier curves."""
    t = np.linspace(0, 1, points)[:, None]
    start, found = path.vertices[0], []
    for a, b, end in path.vertices[1:].reshape(-1, 3, 2):
        found.append(
            (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * a + 3 * t**2 * (1 - t) * b + t**3 * end
        )
        start = end
    return np.concatenate(found)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("space", [DARTS, ONE_CELL], ids=lambda space: space.name)
def test_boxes_and_curves_do_not_overlap(shapes, space, seed):
    draw_cell(space, space.sample(1, np.random.default_rng(seed)))
    boxes = [(box[0], box[1]) for box in shapes["box"]]
    assert len(boxes) == 15 * space.cells
    for (at, shape), (other, its) in itertools.combinations(boxes, 2):
        assert (np.abs(at - other) >= (shape + its) / 2 + 0.1).any()
    # Sixteen ends of eight operations, and four nodes to the output.
    assert len(shapes["arrow"]) == 20 * space.cells
    for *_, path in shapes["arrow"]:
        points = on_curve(path)
        for at, shape in boxes:
            assert not (np.abs(points - at) < shape / 2 - 0.02).all(axis=1).any()


def test_letters_are_within_their_boxes(shapes):
    draw_cell(DARTS, DARTS.sample(1, np.random.default_rng(0)))
    texts = {text: path.get_extents() for _, text, *_, path in shapes["text"]}
    widths = {LABELS.get(kind, kind): shape[0] for _, shape, kind, *_ in shapes["box"]}
    assert {"$c_{k-2}$", "$c_{k-1}$", "$c_k$", "0", "1", "2", "3"} < set(widths)
    for text, width in widths.items():
        assert texts[text].width < width - 0.1


def test_every_input_is_drawn_from_its_source_to_its_node(shapes):
    cell = ONE_CELL.from_str([BONAS_CELL])
    draw_cell(ONE_CELL, cell)
    (genotype,) = ONE_CELL.genotypes(cell)
    boxes = {}
    operations = []
    for at, _, kind, *_ in shapes["box"]:
        if kind in LABELS:
            operations.append((kind, at))
        else:
            boxes[kind] = at
    assert [kind for kind, _ in operations] == [kind for kind, _ in genotype.normal]
    names = ["$c_{k-2}$", "$c_{k-1}$", "0", "1", "2", "3", "$c_k$"]

    def leads(start, end):
        """Arrows from beside one place to beside another."""
        return sum(
            abs(points[0][1] - start[1]) < 0.3
            and abs(points[-1][1] - end[1]) < 0.3
            and start[0] < points[0][0] < start[0] + 1.3
            and end[0] - 1.3 < points[-1][0] < end[0]
            for points, *_ in shapes["arrow"]
        )

    for number, ((_, at), (_, source)) in enumerate(zip(operations, genotype.normal, strict=True)):
        assert leads(boxes[names[source]], at) == 1
        assert leads(at, boxes[str(number // 2)]) == 1
    assert sum(leads(boxes[str(node)], boxes["$c_k$"]) for node in range(4)) == 4


def test_both_cells_have_titles_and_the_older_input_is_above(shapes):
    draw_cell(DARTS, DARTS.sample(1, np.random.default_rng(5)))
    titles = [text for _, text, *_ in shapes["text"] if "cell" in text]
    assert titles == ["normal cell", "reduction cell"]
    heights = {"$c_{k-2}$": [], "$c_{k-1}$": []}
    for at, _, kind, *_ in shapes["box"]:
        if kind in heights:
            heights[kind].append(at[1])
    assert (np.array(heights["$c_{k-2}$"]) > heights["$c_{k-1}$"]).all()


def test_changed_inputs_are_green(shapes):
    before = DARTS.sample(1, np.random.default_rng(1))
    after = DARTS.mutate(before, np.random.default_rng(2))
    draw_cell(DARTS, after, before=before)
    assert [box[4] for box in shapes["box"]].count(ADDED) == 1
    shapes["box"].clear()
    draw_cell(DARTS, before, before=before)
    assert ADDED not in [box[4] for box in shapes["box"]]


def test_strings_have_a_box_for_each_letter_and_convolution(shapes):
    draw_cell(STRINGS, STRINGS.from_str(["1211-211-1111-12111"]))
    labels = [kind for _, _, kind, *_ in shapes["box"]]
    assert "".join(labels) == "3\u00d73" * 2 + "1211" + "211" + "1111" + "12111"
    boxes = [(box[0], box[1]) for box in shapes["box"]]
    for (at, shape), (other, its) in itertools.combinations(boxes, 2):
        assert (np.abs(at - other) >= (shape + its) / 2 + 0.1).any()
    texts = [text for _, text, *_ in shapes["text"]]
    assert [text for text in texts if text.isdigit() and len(text) > 1] == [
        "64",
        "128",
        "256",
        "512",
    ]
    assert len(shapes["arrow"]) == 4


def test_pictures_repeat_byte_for_byte():
    def svg(space, seed):
        with style.context():
            file = io.BytesIO()
            style.save(
                draw_cell(space, space.sample(1, np.random.default_rng(seed))).figure, file, "svg"
            )
        return file.getvalue()

    for space in (ONE_CELL, STRINGS):
        assert svg(space, 0) == svg(space, 0)
        assert svg(space, 0) != svg(space, 1)


# Command line.


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_command_draws_a_cell(tmp_path, capsys, kind):
    out = tmp_path / f"cell.{kind}"
    arguments = ["draw", "--space", "darts_one_cell", "--cell", BONAS_CELL, "--out", str(out)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert out.read_bytes().startswith(b"<?xml" if kind == "svg" else b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "draw lacks --space: give a table, or --space, --cell and --out FILE"),
        (["--space", "darts"], "draw lacks --cell"),
        (["--space", "darts", "--cell", "x"], "draw lacks --out"),
        (["--space", "darts", "--cell", "x", "--out", "a.jpg"], "a file .svg or .png"),
        (["--space", "dart", "--cell", "x", "--out", "a.png"], "did you mean 'darts'"),
        (["--space", "darts", "--cell", "x", "--out", "a.png"], "'x' is no genotype"),
        (["--space", "darts", "--cell", "x", "--out", "a.png", "--note", "n"], "--note goes with"),
        (["goal/fig4.csv", "--space", "darts"], "not both"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())
