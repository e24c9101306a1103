"""Choices: variants of BONAS where paper and released code differ or say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.table2 import (
    BENCHMARKS,
    all_waits,
    compared_sentence,
    waiting_caption,
    waiting_figure,
    waiting_table,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDIES = tuple(f"bonas_choices_{benchmark}" for benchmark in BENCHMARKS)
RESULT = Result(
    place="Ablation",
    title="Choices that the paper leaves open, or its code makes otherwise",
    studies=STUDIES,
    benchmarks=BENCHMARKS,
    optional=STUDIES + BENCHMARKS,
)
#: Labels and colours of the variants.
VARIANTS = {
    "bonas_unnormalized": ("sums, not normalised", "#0072B2"),
    "bonas_accuracy": ("accuracy, not logit", "#009E73"),
    "bonas_by_class": ("new classes alone", "#882255"),
    "bonas_large_pool": ("pool of 10,000", "#CC79A7"),
    "bonas_long": ("500 epochs, not 100", "#D55E00"),
}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """What every variant took, and how it compares with the default.

    Returns
    -------
    DataFrame
        Columns of table 2, but for the paper's.
    """
    import pandas as pd

    frames = [waiting_table(inputs, study) for study in inputs.result.studies]
    return survival.corrected(pd.concat(frames, ignore_index=True))


def draw(table: pd.DataFrame, inputs: Inputs) -> Figure:
    """Panels of table 2."""
    from dagnas.drawing.style import METHODS, Look

    known = {name: Look(label, colour) for name, (label, colour) in VARIANTS.items()}
    known["bonas"] = METHODS["bonas"]._replace(label="default")
    return waiting_figure(table, all_waits(inputs, inputs.result.studies), known)


def caption(table: pd.DataFrame, inputs: Inputs) -> str:
    """Table 2's caption, and what the variants are."""
    return " ".join(
        filter(
            None,
            [
                waiting_caption(table),
                variants_sentence(table, inputs),
                compared_sentence("the default", "variants"),
                PAIRED,
            ],
        )
    )


#: Variants of one method have its random streams.
PAIRED = (
    "Variants of one method begin a trial of one number with the same random stream, so the sign "
    "test (sooner, later, sign_p) pairs them."
)


def variants_sentence(table: pd.DataFrame, inputs: Inputs) -> str:
    """Settings of the variants in a table, "" if there are none."""
    variants = "; ".join(
        f"{name}: {', '.join(f'{key} = {value}' for key, value in variant.settings.items())}"
        for name, variant in inputs.config.variants.items()
        if name in set(table["method"])
    )
    return f"Variants: {variants}." if variants else ""
