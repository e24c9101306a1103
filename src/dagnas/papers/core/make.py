"""Making a result: its table, pictures and caption, all of them or none."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from dagnas.files import atomic_path
from dagnas.papers.core import style
from dagnas.papers.core.inputs import Inputs
from dagnas.papers.core.result import load

KINDS = ("csv", "svg", "png", "md")


def make(inputs: Inputs, out: Path) -> list[Path]:
    """Make the result of ``inputs`` under the folder ``out``.

    Returns
    -------
    list of Path
        ``out``/PAPER/RESULT.csv, .svg, .png and .md; equal inputs give equal bytes.

    Raises
    ------
    DagnasError
        An input is missing or damaged, or a file cannot be written.
    """
    result = inputs.result
    module = load(result)
    table = module.tabulate(inputs)
    paths = [out / f"{result.name}.{kind}" for kind in KINDS]
    with style.context():
        figure = module.draw(table, inputs)
        scale = f"Scale: {inputs.config.scale}."
        text = " ".join(filter(None, [module.caption(table, inputs), inputs.note, scale]))
        # Temporary files are moved into place only after the last one is complete.
        with ExitStack() as stack:
            csv, svg, png, md = (stack.enter_context(atomic_path(path)) for path in paths)
            table.to_csv(csv, index=False, float_format="%.6g", lineterminator="\n")
            style.save(figure, svg, "svg")
            style.save(figure, png, "png")
            md.write_text(f"**{result.place}. {result.title}.** {text}\n", encoding="utf-8")
    return paths
