"""Names at the ends of lines."""

import pytest
from matplotlib.figure import Figure

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
