"""Names at the ends of lines, and files of figures."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dagnas.drawing import style

LOOKS = [style.Look(name, "#000000", 1.0) for name in ("low", "middle", "high")]


def places(scale, limits, values, gap=0.065):
    """Heights of the names, as fractions of the axes' height."""
    ax = Figure().subplots()
    ax.set(yscale=scale, ylim=limits)
    style.label_ends(ax, list(zip(values, LOOKS, strict=True)), gap)
    return {text.get_text(): text.get_position()[1] for text in ax.texts}


@pytest.mark.parametrize(
    ("scale", "limits", "values"), [("linear", (0, 8), (1, 4, 8)), ("log", (1, 256), (2, 16, 256))]
)
def test_names_stand_where_lines_end_whatever_the_scale(scale, limits, values):
    found = places(scale, limits, values)
    assert found == pytest.approx({"low": 1 / 8, "middle": 0.5, "high": 1})


def test_names_of_lines_that_end_close_together_are_moved_apart():
    found = places("linear", (0, 1), (0.5, 0.5, 0.5), gap=0.1)
    assert found == pytest.approx({"low": 0.4, "middle": 0.5, "high": 0.6})


def test_names_are_in_the_order_of_the_lines_on_an_axis_that_is_turned_round():
    found = places("linear", (8, 0), (1, 4, 7), gap=0.1)
    assert found == pytest.approx({"low": 7 / 8, "middle": 0.5, "high": 1 / 8})


def test_lines_that_end_outside_have_their_names_at_the_border():
    assert places("log", (1, 100), (0.1, 10, 1000)) == pytest.approx(
        {"low": 0, "middle": 0.5, "high": 1}
    )


def lines(number):
    """A figure of so many lines, each in a colour of its own."""
    figure = Figure(layout="constrained")
    ax = figure.subplots()
    for place, grey in enumerate(np.linspace(0, 0.8, number)):
        ax.plot([0, 1], [place, place], color=(grey, 0.2, 0.4))
    ax.set_xlabel("seconds")
    return figure


def test_a_png_has_a_palette_in_which_white_and_lines_keep_their_colours(tmp_path):
    figure = lines(5)
    style.save(figure, tmp_path / "a.png", "png")
    figure.savefig(tmp_path / "b.png")
    image, full = Image.open(tmp_path / "a.png"), Image.open(tmp_path / "b.png").convert("RGB")
    assert image.mode == "P"
    assert (tmp_path / "a.png").stat().st_size < (tmp_path / "b.png").stat().st_size
    found, expected = np.array(image.convert("RGB")), np.array(full)
    colours, counts = np.unique(expected.reshape(-1, 3), axis=0, return_counts=True)
    for colour in colours[np.argsort(-counts)[:6]]:
        assert (found[(expected == colour).all(axis=2)] == colour).all()


def test_a_png_without_background_keeps_its_transparency(tmp_path):
    with style.mpl.rc_context({"savefig.transparent": True}):
        style.save(lines(5), tmp_path / "a.png", "png")
    assert Image.open(tmp_path / "a.png").getextrema()[3] == (0, 255)


def test_files_of_a_figure_have_one_layout_and_repeat(tmp_path):
    places = []
    with style.context():
        figure, other = lines(3), lines(3)
        for kind in ("svg", "png"):
            style.save(figure, tmp_path / f"a.{kind}", kind)
            places.append(figure.axes[0].get_position().bounds)
            style.save(other, tmp_path / f"b.{kind}", kind)
            assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert places[0] == places[1]
