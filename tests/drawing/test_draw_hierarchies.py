"""Pictures of drawn networks: every node and edge of the three levels is in them."""

from __future__ import annotations

import io

from matplotlib.patches import Circle, FancyArrowPatch

from dagnas.cli import main
from dagnas.drawing import style
from dagnas.drawing.hierarchies import draw_hierarchy
from dagnas.networks.wiring import draw
from dagnas.spaces.generators import Chain, ErdosRenyi, Hyperparameters, WattsStrogatz

USUAL = Hyperparameters(
    top=WattsStrogatz(5, 4, 0.25), middle=ErdosRenyi(4, 0.8), bottom=WattsStrogatz(6, 2, 1 / 3)
)
TEXT = "top_n=4 top_k=2 top_p=0.5 mid_n=3 mid_p=0.9 bottom_n=4 bottom_k=2 bottom_p=0.5"


def ends(graph):
    return sum((not graph.in_degree(n)) + (not graph.out_degree(n)) for n in graph)


def test_three_levels_are_to_be_seen():
    drawn = draw(USUAL)
    middle = drawn.nodes[3]["graph"]
    bottom = middle.nodes[1]["graph"]
    ax = draw_hierarchy(drawn, USUAL, focus=(3, 1))
    shown = [drawn, middle, bottom]
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    assert len(arrows) == sum(graph.number_of_edges() + ends(graph) for graph in shown)
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    # Nodes, those within them, the two ends of each row, the chosen two, and one in the legend.
    within = sum(len(a["graph"]) for graph in (drawn, middle) for a in graph.nodes.values())
    assert len(circles) == sum(map(len, shown)) + within + 6 + 2 + 1
    words = [text.get_text() for text in ax.texts]
    assert {"Top", "Middle, of node 3", "Bottom, of node 1"} <= set(words)
    assert any("nodes=6, nearest=2, rewired=0.33" in text for text in words)
    assert words.count("3\u00d73") == 6


def test_merges_are_marked_if_there_are_several():
    both = Hyperparameters(
        top=Chain(2),
        middle=Chain(2),
        bottom=WattsStrogatz(8, 4, 0),
        merges={"attention": 1, "concatenation": 1},
    )
    for merges, marks in ((both, {"att", "cat"}), (USUAL, set())):
        words = {text.get_text() for text in draw_hierarchy(draw(merges), merges).texts}
        assert words & {"\u03a3", "att", "cat"} == marks


def test_pictures_repeat_byte_for_byte():
    files = []
    for _ in range(2):
        with style.context():
            file = io.BytesIO()
            style.save(draw_hierarchy(draw(USUAL), USUAL).figure, file, "svg")
        files.append(file.getvalue())
    assert files[0] == files[1]


def test_the_command_line_describes_and_draws(tmp_path, capsys):
    file = tmp_path / "network.svg"
    words = ["--space", "nago_code", "--cell", TEXT]
    assert main(["describe", *words, "--budget", "60000", "--draw", str(file)]) == 0
    text = capsys.readouterr().out
    assert "Sample 0, budget 60,000. Images of 3 x 32 x 32, 10 classes." in text
    assert "bytes of activations at once" in text
    assert "<svg" in file.read_text()
    assert main(["draw", *words, "--out", str(tmp_path / "other.png")]) == 0
    assert (tmp_path / "other.png").stat().st_size > 10_000


def test_wrong_words_are_told_in_one_line(capsys):
    words = ["--space", "nago_code", "--cell"]
    cases = [
        ([*words, "top_n=4"], "'top_n=4' lacks top_k"),
        ([*words, TEXT, "--layers", "3"], "--layers: networks of nago_code have what --budget"),
        ([*words, TEXT, "--budget", "9"], "budget 9: this network has"),
        (
            ["--space", "nasbench201", "--cell", "x", "--budget", "9"],
            "--budget is for spaces of generators, which nasbench201 is not",
        ),
    ]
    for given, message in cases:
        assert main(["describe", *given]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
