"""Choices: variants of BONAS where paper and released code differ or say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagnas.analysis import survival
from dagnas.papers.bonas.lstm12k import TABLES
from dagnas.papers.bonas.table2 import (
    BENCHMARKS,
    compared_sentence,
    in_parts,
    study_times,
    summary_rows,
    summary_table,
    times_caption,
    times_figure,
    times_table,
    tops_table,
)
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STUDIES = tuple(f"bonas_choices_{name}" for name in BENCHMARKS if name not in TABLES)
RESULT = Result(
    place="Ablation",
    title="Choices that the paper leaves open, or its code makes otherwise",
    reads={"studies": STUDIES},
    benchmarks=("{benchmark}",),
    required=(),
)
#: Labels and colours of the variants.
VARIANTS = {
    "bonas_unnormalized": ("sums, not normalised", "#0072B2"),
    "bonas_printed": ("equation 3 as printed", "#56B4E9"),
    "bonas_accuracy": ("accuracy, not logit", "#009E73"),
    "bonas_by_class": ("new classes alone", "#882255"),
    "bonas_large_pool": ("pool of 10,000", "#CC79A7"),
    "bonas_code_mutation": ("mutation of the code", "#E69F00"),
    "bonas_every_round": ("trained every round", "#777777"),
    "bonas_long": ("500 epochs, not 100", "#D55E00"),
}
#: Settings of what is no variant.
DEFAULT = "default"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Samples that every variant took, and a comparison with the default.

    Returns
    -------
    DataFrame
        Columns of table 2, but for the paper's; for "summary" also settings (of the variant, such
        as "loss = log", or "default").
    """
    import pandas as pd

    studies = inputs.result.names("studies")
    summary = pd.concat([summary_table(inputs, study) for study in studies], ignore_index=True)
    settings = [settings_words(inputs, method) for method in summary["method"]]
    times = [times_table(inputs, study, study_times(inputs, study)) for study in studies]
    tops = [tops_table(inputs, study) for study in studies]
    return in_parts(survival.corrected(summary).assign(settings=settings), times, tops)


def settings_words(inputs: Inputs, method: str) -> str:
    """Settings in which a variant differs from its method, or `DEFAULT`."""
    variant = inputs.config.section("variants").get(method)
    settings = variant.settings if variant else {}
    return ", ".join(f"{key} = {value}" for key, value in settings.items()) or DEFAULT


def draw(table: pd.DataFrame) -> Figure:
    """Panels of table 2."""
    from dagnas.drawing.style import METHODS, Look

    known = {name: Look(label, colour) for name, (label, colour) in VARIANTS.items()}
    known["bonas"] = METHODS["bonas"]._replace(label="default")
    return times_figure(table, known)


def caption(table: pd.DataFrame) -> str:
    """Table 2's caption, and the settings of the variants."""
    from dagnas.papers.panels import join_sentences

    summary = summary_rows(table)
    return join_sentences(
        times_caption(summary),
        variants_sentence(summary),
        compared_sentence("the default", "variants"),
        PAIRED,
    )


#: Variants of one method have its random streams.
PAIRED = (
    "Variants of one method begin a trial of one number with the same random stream, so the sign "
    "test (sooner, later, sign_p) pairs them."
)


def variants_sentence(summary: pd.DataFrame) -> str:
    """Settings of the variants in a table, "" if there are none."""
    settings = dict(zip(summary["method"], summary["settings"], strict=True))
    variants = "; ".join(
        f"{method}: {words}" for method, words in settings.items() if words != DEFAULT
    )
    return f"Variants: {variants}." if variants else ""
