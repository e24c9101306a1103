"""Pictures that are made when the site is built: cells, equations, small figures."""

from __future__ import annotations

import hashlib
import html
import io
import re
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from PIL import Image

from dagnas.drawing import style
from dagnas.drawing.cells import draw_cell
from dagnas.errors import DagnasError
from dagnas.spaces import SPACES

#: Width of small figures, pixels: that of a card on a wide screen with two pixels a point.
WIDTH = 960
#: Height of letters in equations, pixels.
LETTERS = 19
_PATH = re.compile(r'(?<= )d="[^"]*"')
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_COMMANDS = {
    int(Outline.MOVETO): ("M", 1),
    int(Outline.LINETO): ("L", 1),
    int(Outline.CURVE3): ("Q", 2),
    int(Outline.CURVE4): ("C", 3),
}


class CellPictures:
    """Pictures of cells, each drawn once.

    Attributes
    ----------
    files : dict of str to bytes
        SVG by its address in the site.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def address(self, text: str, space: str = "") -> str:
        """Address of the picture of a cell; "" if no space reads the text.

        Parameters
        ----------
        text : str
            The cell, as its space writes it.
        space : str
            The space, if it is known; else the first one that reads the text.
        """
        for name in [space] if space in SPACES.names() else SPACES.names()[::-1]:
            digest = hashlib.sha256(f"{name}:{text}".encode()).hexdigest()[:12]
            address = f"cells/{digest}.svg"
            if address in self.files:
                return address
            try:
                cell = SPACES.get(name).from_str([text])
            except (DagnasError, ValueError, SyntaxError):
                continue
            with style.context():
                figure = draw_cell(SPACES.get(name), cell).figure
                assert isinstance(figure, Figure)
                file = io.BytesIO()
                style.save(figure, file, "svg")
            self.files[address] = compact(file.getvalue().decode()).encode()
            return address
        return ""


def compact(svg: str) -> str:
    """SVG with paths to a tenth of a point and without line breaks: half as large.

    Parameters
    ----------
    svg : str
        As matplotlib writes it, letters as outlines.
    """
    return _PATH.sub(lambda path: _NUMBER.sub(_rounded, path[0].replace(" \n", "")), svg)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".rstrip("0").rstrip(".")


def equation(tex: str) -> str:
    """Inline SVG of an equation in the colour of the text around it.

    Parameters
    ----------
    tex : str
        As matplotlib's mathtext reads it, without dollars.
    """
    with style.context():
        font = FontProperties(math_fontfamily="stix")
        outline = TextPath((0, 0), f"${tex}$", size=LETTERS, prop=font)
    box = outline.get_extents().padded(1.5)
    steps, points, codes = [], outline.vertices * [1, -1], outline.codes
    at = 0
    while at < len(points):
        letter, count = _COMMANDS.get(int(codes[at]), ("Z", 1))
        stops = points[at : at + count] if letter != "Z" else points[:0]
        steps.append(letter + " ".join(f"{x:.1f} {y:.1f}" for x, y in stops))
        at += count
    return (
        f'<svg class="equation" role="img" aria-label="{html.escape(tex)}" '
        f'width="{box.width:.0f}" height="{box.height:.0f}" '
        f'viewBox="{box.x0:.1f} {-box.y1:.1f} {box.width:.1f} {box.height:.1f}">'
        f'<path fill="currentColor" d="{"".join(steps)}"/></svg>'
    )


def small(figure: Path) -> tuple[bytes, tuple[int, int]]:
    """Small copy of a PNG file as WebP, and its width and height in pixels."""
    with Image.open(figure) as image:
        copy = image.convert("RGB")
    copy.thumbnail((WIDTH, 2 * WIDTH))
    file = io.BytesIO()
    copy.save(file, "WEBP", quality=82)
    return file.getvalue(), copy.size
