"""Style of all figures: type, colours and labels of methods, marks of emulated data.

Colours are those of Okabe and Ito (2008) and of Tol's schemes, which people with the common kinds
of colour blindness can tell apart; the methods that a paper proposes are warm and drawn thick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dagnas.errors import DagnasError


class Look(NamedTuple):
    """Label, colour and line of a method."""

    label: str
    colour: str
    width: float = 1.8
    dashes: Any = "-"


METHODS = {
    "goal": Look("GOAL", "#D55E00", 3.0),
    "goal_mlp": Look("GOAL-MLP", "#E69F00", 2.4),
    "npnas": Look("NPNAS", "#009E73"),
    "regularized_evolution": Look("REA", "#0072B2"),
    "random_search": Look("RS", "#777777"),
    "reinforce": Look("RL", "#CC79A7"),
    "bohb": Look("BOHB", "#56B4E9"),
    "smac": Look("SMAC", "#332288"),
    "nao": Look("NAO", "#882255"),
    "alphax": Look("AlphaX", "#999933"),
    "bonas": Look("BONAS(EA)", "#B2182B", 3.0),
    "bonas_rl": Look("BONAS(RL)", "#EE7733", 2.4),
    "bonas_random": Look("BONAS(RS)", "#EE3377", 2.4),
    "lanas": Look("LaNAS", "#228833"),
    "nasbot": Look("NASBOT", "#66CCEE"),
    "ngae": Look("NGAE", "#CC3311", 3.0),
    "ngae_performance": Look("NGAE w/o complexity", "#EE8866", 2.4),
    "dvae_bo": Look("D-VAE+BO", "#4477AA"),
    "random_distinct": Look("Random", "#777777"),
    "spos": Look("SPOS", "#44BB99"),
    "bananas": Look("BANANAS", "#DDAA33"),
    "local_search_nas": Look("Local search", "#6A3D9A"),
    "nas_bowl": Look("NAS-BOWL", "#117733"),
    "npenas": Look("NPENAS-NP", "#CC6677"),
    "path_gp": Look("path GP", "#AA3377", 3.0),
    "weaknas": Look("WeakNAS", "#BBBB11"),
    "mobo": Look("MOBO", "#AA4499", 3.0),
    "nsga2": Look("NSGA-II", "#117733"),
    "darts_first": Look("DARTS, first order", "#4477AA"),
    "darts_second": Look("DARTS, second order", "#222255"),
}
SPARE = ("#44AA99", "#AA4499", "#661100", "#6699CC", "#888888", "#117733")
PREDICTORS = {"ecc": Look("GNN (ECC)", "#D55E00", 2.4), "mlp": Look("MLP", "#0072B2", 2.4)}
BENCHMARKS = {
    "nasbench101": "NAS-Bench-101",
    "nasbench101_seven": "NAS-Bench-101, seven vertices",
    "nasbench201": "NAS-Bench-201",
    "nasbench201_cifar100": "NAS-Bench-201, CIFAR-100",
    "nasbench201_full": "NAS-Bench-201, 200 epochs",
    "nasbench201_imagenet16": "NAS-Bench-201, ImageNet16-120",
    "digits201": "digits201",
    "enas": "ENAS",
    "lstm12k": "LSTM-12K rebuilt",
    "lstm1k": "LSTM-12K rebuilt in small",
    "darts_one_cell_digits": "digits, one-cell DARTS space",
    "darts_one_cell_cifar10": "CIFAR-10 in small, one-cell DARTS space",
    "darts_one_cell_cifar10_full": "CIFAR-10, one-cell DARTS space",
    "resnet_strings_digits": "digits, ResNet-style strings",
    "resnet_strings_cifar10": "CIFAR-10 in small, ResNet-style strings",
}

SETTINGS: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "figure.facecolor": "white",
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "savefig.dpi": 160,
    # Without these two, every SVG would be different, and readable only with our fonts.
    "svg.hashsalt": "dagnas",
    "svg.fonttype": "path",
}


@contextmanager
def context(sheet: Path | None = None) -> Iterator[None]:
    """Use this style, whatever the user's own settings of matplotlib.

    Parameters
    ----------
    sheet : Path, optional
        A matplotlib style sheet whose settings go over this style's.

    Raises
    ------
    DagnasError
        The style sheet cannot be read.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        if sheet is not None:
            try:
                mpl.rcParams.update(mpl.rc_params_from_file(sheet, use_default_template=False))
            except (OSError, ValueError) as error:
                raise DagnasError(f"--style {sheet}: no style sheet: {error}") from error
        yield


def looks(methods: Sequence[str], known: Mapping[str, Look] = METHODS) -> dict[str, Look]:
    """Look of every method; those that are not ``known`` take spare colours in their order."""
    others = [method for method in methods if method not in known]
    spare = {
        method: Look(method, SPARE[i % len(SPARE)], dashes="-" if i < len(SPARE) else "--")
        for i, method in enumerate(others)
    }
    return {method: known.get(method) or spare[method] for method in methods}


def benchmark_label(name: str) -> str:
    """Name of a benchmark in figures and captions."""
    return BENCHMARKS.get(name, name)


def headline(figure: Figure, text: str) -> None:
    """Write the title that all panels share above them, at the left."""
    figure.suptitle(text, x=0.008, ha="left", fontsize=14, fontweight="bold")


def stamp(place: Axes | Figure, emulated: str) -> None:
    """Mark a panel, or a whole figure, if its data are emulated.

    Parameters
    ----------
    place : Axes or Figure
        Marked in its upper right corner.
    emulated : str
        Emulated quantities, separated by spaces.
    """
    if emulated:
        place.text(
            0.98,
            0.97,
            f"EMULATED: {', '.join(emulated.split())}",
            transform=place.transAxes if isinstance(place, Axes) else place.transFigure,
            ha="right",
            va="top",
            fontsize=8,
            fontweight="bold",
            color="#8a1c1c",
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "#fdeaea", "edgecolor": "#c98b8b"},
            zorder=10,
        )


def label_ends(ax: Axes, ends: Sequence[tuple[float, Look]], gap: float = 0.065) -> None:
    """Write each line's name at its right end, moved apart where lines end close together.

    Parameters
    ----------
    ax : Axes
        With its final limits and scale.
    ends : sequence of (float, Look)
        Height of each line's end, and its look.
    gap : float
        Least distance of two labels as a fraction of the axes' height.
    """
    from scipy.optimize import isotonic_regression

    scale = ax.yaxis.get_transform()
    low, high, *values = scale.transform(np.array([*ax.get_ylim(), *(y for y, _ in ends)]))
    heights = np.clip([(y - low) / (high - low) for y in values], 0.0, 1.0)
    # From below, which on an axis that is turned round is from the largest number on.
    order = np.argsort(heights, kind="stable")
    heights, looks = heights[order], [ends[number][1] for number in order]
    distance = gap * np.arange(len(order))
    places = isotonic_regression(heights - distance).x + distance
    for look, height, place in zip(looks, heights, places, strict=True):
        ax.plot(
            [1.0, 1.035],
            [height, place],
            transform=ax.transAxes,
            color=look.colour,
            lw=0.8,
            clip_on=False,
        )
        ax.text(
            1.045,
            place,
            look.label,
            transform=ax.transAxes,
            va="center",
            color=look.colour,
            fontweight="bold" if look.width > 2 else "normal",
        )


def name_rows(ax: Axes, looks: Sequence[Look]) -> None:
    """Write names at the left of rows 0, 1, ..., in their colours."""
    ax.set_yticks(range(len(looks)), [look.label for look in looks])
    for text, look in zip(ax.get_yticklabels(), looks, strict=True):
        text.set(color=look.colour, fontweight="bold" if look.width > 2 else "normal")
    ax.grid(visible=False, axis="y")


def save(figure: Figure, path: Any, kind: str) -> None:
    """Write a figure as "svg" or "png"; equal figures give equal bytes.

    The first file of a figure decides the layout of all.
    """
    if kind == "svg":
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    else:
        _save_png(figure, path)
    # To lay out a figure takes a third of the time, and another layout would differ a little.
    figure.set_layout_engine("none")


def _save_png(figure: Figure, path: Any) -> None:
    """Write a figure as PNG: an opaque one in 256 colours, which takes a third of the bytes."""
    from PIL import Image

    buffer = BytesIO()
    figure.savefig(
        buffer, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 0}
    )
    image: Image.Image = Image.open(buffer)
    about = {"dpi": image.info["dpi"]}
    if image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB").quantize(
            method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
    image.save(path, "png", **about)
