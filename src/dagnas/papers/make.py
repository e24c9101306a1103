"""Results as files: a table of numbers first, then pictures and a caption of that table alone."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dagnas.errors import DagnasError
from dagnas.files import atomic_path
from dagnas.papers.inputs import Inputs, note
from dagnas.papers.result import Result, load

if TYPE_CHECKING:
    import pandas as pd


def write_table(inputs: Inputs, path: Path) -> None:
    """Tabulate the result of ``inputs`` into a CSV file.

    Raises
    ------
    DagnasError
        An input is missing or damaged, or the file cannot be written.
    """
    table = load(inputs.result).tabulate(inputs)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def read_table(path: Path) -> pd.DataFrame:
    """Table of a result, as `draw` and `caption` of its module take it.

    Texts that are missing are "", as they were before they were written.

    Raises
    ------
    DagnasError
        The file is missing, or is no CSV.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"emulated": str})
    except OSError as error:
        raise DagnasError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DagnasError(f"{path} is no table of a result: {error}") from error
    texts = table.select_dtypes(exclude=["number", "bool"]).columns
    return table.fillna(dict.fromkeys(texts, ""))


def draw(
    result: Result,
    table: pd.DataFrame,
    stem: Path,
    words: str | None = None,
    settings: Path | None = None,
) -> list[Path]:
    """Draw a table as STEM.svg and STEM.png, all files or none.

    Parameters
    ----------
    result : Result
    table : DataFrame
        As `read_table` gives it.
    stem : Path
        Path of the files without suffix.
    words : str, optional
        Last sentences of the caption, which is written to STEM.md if there are any.
    settings : Path, optional
        A style sheet of matplotlib, over the style of the project.

    Returns
    -------
    list of Path

    Raises
    ------
    DagnasError
        The table lacks a column, the style sheet cannot be read, or a file cannot be written.
    """
    from dagnas.drawing import style

    module = load(result)
    try:
        with style.context(settings), ExitStack() as stack:
            figure = module.draw(table)
            paths = [stem.with_suffix(f".{kind}") for kind in ("svg", "png")]
            for path in paths:
                # Temporary files are moved into place only after the last one is complete.
                temporary = stack.enter_context(atomic_path(path))
                style.save(figure, temporary, path.suffix[1:])
            if words is not None:
                paths.append(stem.with_suffix(".md"))
                text = " ".join(filter(None, [module.caption(table), words]))
                stack.enter_context(atomic_path(paths[-1])).write_text(
                    f"**{result.place}. {result.title}.** {text}\n", encoding="utf-8"
                )
    except KeyError as error:
        raise DagnasError(f"the table of {result.name} has no column {error}") from error
    return paths


def make(inputs: Inputs, out: Path) -> list[Path]:
    """Tabulate the result of ``inputs``, then draw the table, under the folder ``out``.

    Returns
    -------
    list of Path
        ``out``/PAPER/RESULT.csv, .svg, .png and .md; equal inputs give equal bytes.

    Raises
    ------
    DagnasError
        An input is missing or damaged, or a file cannot be written.
    """
    csv = out / f"{inputs.result.name}.csv"
    write_table(inputs, csv)
    words = note(inputs.config, inputs.result)
    return [csv, *draw(inputs.result, read_table(csv), csv.with_suffix(""), words)]
