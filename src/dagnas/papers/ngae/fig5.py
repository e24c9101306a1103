"""Figure 5: the best cells that NGAE finds, without complexity predictor and with D-VAE (5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.papers.inputs import Inputs
from dagnas.papers.ngae.fig3 import emulated
from dagnas.papers.ngae.labels import label_cells
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.predictors.graph_vae.labelled import Labelled
    from dagnas.search.latent_search import Accuracies
    from dagnas.spaces.cell_space import CellSpace

#: Methods of the figure, and the search that found the cells of each.
SEARCHES = {
    "ngae": "ngae_ascent_{benchmark}",
    "ngae_performance": "ngae_performance_ascent_{benchmark}",
    "ngae_dvae": "ngae_dvae_rounds_{benchmark}",
}
RESULT = Result(
    place="Figure 5",
    title="Best cells found",
    reads={
        "autoencoders": ("ngae_{benchmark}",),
        "latent_searches": tuple(SEARCHES.values()),
    },
    benchmarks=("{benchmark}",),
)
TOP = 3
LABELS = {
    "ngae": "NGAE",
    "ngae_performance": "NGAE without complexity predictor",
    "ngae_dvae": "D-VAE + Bayesian optimisation",
    "training": "training cells",
}
#: Settings of ascents, and of the rounds of Bayesian optimisation.
ASCENT, ROUNDS = ["points", "steps", "rate"], ["rounds", "batch", "inducing"]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """The best cells of every method's first search that finds any, and the best of training.

    Returns
    -------
    DataFrame
        Columns benchmark, method ("ngae", "ngae_performance", "ngae_dvae" or "training"), epoch
        (whose weights the method's graph VAE has; NA of training cells), rank (from 1 on), cell
        (text), code, accuracy (%, of the table or else emulated), judged (%, what a regression on
        cells that no search knows gives to the cell, whether it is in the table or not), predicted
        (%, of the method's own predictor; NaN without one), madds (multiply-adds, millions),
        complexity (madds between the table's least, 0, and greatest, 1), found (different cells
        that the best are chosen from), emulated, space (of the cell), how the method searched:
        points, steps and rate of NGAE's ascents; rounds, batch and inducing of D-VAE's
        optimisation; and over n independent searches of the method mean and standard error of the
        mean judged accuracy and multiply-adds of the three best cells: judged_mean, judged_se,
        madds_mean, madds_se.
    """
    import pandas as pd

    from dagnas.search.latent_search import Accuracies

    searches, frames = inputs.config.section("latent_searches"), []
    for name in inputs.result.names("autoencoders"):
        asked = inputs.config.section("autoencoders")[name]
        labelled = label_cells(inputs, name)
        known = Accuracies(inputs.benchmark(asked.benchmark), asked.target, labelled.split)
        space, mark = known.benchmark.space, emulated(inputs, name)
        for method in (*SEARCHES, "training"):
            settings: dict[str, Any] = {}
            if method in SEARCHES:
                search = SEARCHES[method].format(benchmark=asked.benchmark)
                cells = inputs.read("latent_searches", search)
                keys = ROUNDS if searches[search].by == "rounds" else ASCENT
                settings = {key: getattr(searches[search], key) for key in keys}
            else:
                cells = trained_on(labelled, known)
            best = cells.groupby("trial").head(TOP)
            best = best.assign(madds=space.madds(space.from_str(best["cell"].tolist())) / 1e6)
            shown = best[best["trial"] == best["trial"].min()]
            frames.append(
                pd.DataFrame(
                    {
                        "benchmark": asked.benchmark,
                        "method": method,
                        "epoch": shown["epoch"],
                        "rank": np.arange(1, len(shown) + 1),
                        **shown[["cell", "code", "accuracy", "judged", "predicted", "madds"]],
                        "complexity": labelled.scale.apply(1e6 * shown["madds"].to_numpy()),
                        "found": int((cells["trial"] == cells["trial"].min()).sum()),
                        "emulated": np.where(shown["emulated"], "accuracy", mark),
                        "space": space.name,
                        **dict.fromkeys(ASCENT + ROUNDS, np.nan),
                        **settings,
                        **_over_searches(best),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True).astype({"epoch": "Int64"})


def _over_searches(best: pd.DataFrame) -> dict[str, float]:
    """Means over searches of the means of their best cells, with standard errors."""
    means = best.groupby("trial")[["judged", "madds"]].mean()
    found: dict[str, float] = {"n": len(means)}
    for column in means:
        values = means[column].to_numpy()
        found[f"{column}_mean"] = float(values.mean()) if len(values) else np.nan
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        found[f"{column}_se"] = float(error)
    return found


def trained_on(labelled: Labelled, known: Accuracies) -> pd.DataFrame:
    """Training cells, best first by the table, with the columns of what a search found."""
    from dagnas.search.latent_search import Found

    space = known.benchmark.space
    cells = space.prune(labelled.cells[labelled.split.train])
    cells = cells[np.unique(space.canonical(cells), return_index=True)[1]]
    order = np.argsort(-known.of(cells).accuracies, kind="stable")
    best = Found(cells[order], np.full(len(cells), np.nan))
    table: pd.DataFrame = best.table(known).to_pandas()
    return table.assign(epoch=None, trial=0)


def draw(table: pd.DataFrame) -> Figure:
    """A row a benchmark: the cells of each method, with what is known of them above."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from dagnas.drawing import style
    from dagnas.spaces import SPACES

    benchmarks = list(table["benchmark"].unique())
    figure = Figure(layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    rows = figure.subfigures(len(benchmarks), 1, squeeze=False)[:, 0]
    sizes = []
    for part, benchmark in zip(rows, benchmarks, strict=True):
        mine = table[table["benchmark"] == benchmark]
        space = SPACES.get(mine["space"].iloc[0])
        sizes.append(_draw_row(part, mine, space))
        if len(benchmarks) > 1:
            part.suptitle(style.benchmark_label(benchmark), x=0.01, ha="left", fontweight="bold")
    width, height = np.max([w for w, _ in sizes]), np.sum([h for _, h in sizes])
    figure.set_size_inches(width, height)
    return figure


def _draw_row(place: Any, rows: pd.DataFrame, space: CellSpace) -> tuple[float, float]:
    """Cells of one benchmark, all to one scale; the size that this asks for, in inches."""
    from dagnas.drawing.cells import INCHES_PER_UNIT, draw_cell

    # Where edges are labelled, cells are wide: they stand below one another, and smaller.
    wide = bool((space.edge_mask.sum(axis=2) > 2).any())
    shape, unit = ((TOP, 1), 0.7 * INCHES_PER_UNIT) if wide else ((1, TOP), INCHES_PER_UNIT)
    drawn: list[Axes] = []
    for part, method in zip(place.subfigures(1, len(SEARCHES)), SEARCHES, strict=True):
        mine = rows[rows["method"] == method]
        part.suptitle(LABELS[method], fontsize=12, fontweight="bold")
        panels = part.subplots(*shape, squeeze=False).ravel()
        for ax in panels[len(mine) :]:
            ax.set_axis_off()
        for ax, (_, row) in zip(panels, mine.iterrows(), strict=False):
            draw_cell(space, space.from_str([row["cell"]]), ax)
            _label(ax, row)
            drawn.append(ax)
    frames = np.array([[*ax.get_xlim(), *ax.get_ylim()] for ax in drawn]).reshape(-1, 4)
    width, height = (float(np.ptp(frames[:, k : k + 2], axis=1).max(initial=1)) for k in (0, 2))
    # Room for the words above, which are wider than a narrow cell, and for the stamp.
    width, height = max(width, 3.4), height + (0.4 / unit if rows["emulated"].any() else 0.0)
    for ax, (left, right, low, _) in zip(drawn, frames, strict=True):
        middle = (left + right) / 2
        ax.set(xlim=(middle - width / 2, middle + width / 2), ylim=(low, low + height))
        # Nothing is outside, and SVG names clips by all bits of a frame; the last ones of what the
        # layout's solver finds differ from run to run.
        for artist in ax.get_children():
            artist.set_clip_on(False)
    inches = np.array([len(SEARCHES) * shape[1] * width, shape[0] * height]) * unit
    return inches[0] + 0.9, inches[1] + 0.55 + 0.85 * shape[0]


def _label(ax: Axes, row: pd.Series) -> None:
    from dagnas.drawing import style

    known = not np.isnan(row["predicted"])
    words = f"predicted {row['predicted']:.2f} %" if known else "no predictor"
    words += f"\n{row['madds']:.1f} M multiply-adds"
    ax.set_title(words, loc="center", fontsize=8.5, fontweight="normal", pad=4)
    # Of an emulated accuracy the judge's, since D-VAE's search was told the other regression's.
    accuracy = f"{row['judged']:.2f} %*" if row["emulated"] else f"{row['accuracy']:.2f} %"
    ax.annotate(
        accuracy,
        (0.5, 1),
        xytext=(0, 29),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        fontsize=11,
        fontweight="bold",
    )
    style.stamp(ax, row["emulated"])


def caption(table: pd.DataFrame) -> str:
    """How cells were found and ranked, and how methods compare."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    return join_sentences(
        f"The {TOP} best cells of each method's first search that finds any, with accuracy (bold), "
        "accuracy that the method's own predictor gives, and multiply-adds of its network on one "
        "image (deviations.md). Accuracies that the table lacks are from two regressions: one on "
        "the graph VAE's training cells, which D-VAE is told, and one on cells that no search "
        "knows, the judge; the figure shows the judge's (*).",
        _ascent_sentence(table),
        _rounds_sentence(table),
        *(
            _numbers(table[table["benchmark"] == benchmark])
            for benchmark in table["benchmark"].unique()
        ),
        own_sentence(table["benchmark"]),
        emulated_sentence(table["emulated"], "cells that the table lacks (marked)"),
    )


def _ascent_sentence(table: pd.DataFrame) -> str:
    """How NGAE searched, "" if it found nothing."""
    for points, steps, rate in table[ASCENT].dropna().head(1).to_numpy():
        return (
            f"NGAE: {points:,.0f} points of the prior climb {steps:.0f} steps of size {rate:g} and "
            "are decoded; different cells are ranked by the predicted objective at their own "
            "codes: equation 7, and the predicted accuracy alone without complexity predictor."
        )
    return ""


def _rounds_sentence(table: pd.DataFrame) -> str:
    """How D-VAE searched, "" if it found nothing."""
    for rounds, batch, inducing in table[ROUNDS].dropna().head(1).to_numpy():
        return (
            f"D-VAE: {rounds:.0f} rounds of {batch:.0f} cells with {inducing:.0f} inducing points, "
            "after the training cells; ranked by accuracy."
        )
    return ""


def _numbers(rows: pd.DataFrame) -> str:
    from dagnas.drawing import style

    parts = []
    for method, label in LABELS.items():
        mine = rows[rows["method"] == method]
        if mine.empty:
            parts.append(f"{label}: no valid cell")
            continue
        first = mine.iloc[0]
        several = f", {first['n']:.0f} searches" if first["n"] > 1 else ""
        numbers = [_interval(first, key) for key in ("judged", "madds")]
        parts.append(f"{label} {numbers[0]} % and {numbers[1]} M (of {first['found']:,}{several})")
    name = style.benchmark_label(rows["benchmark"].iloc[0])
    return (
        f"{name}, means of the {TOP} best by the judge (of so many different cells; ± is the "
        f"standard error over searches): {'; '.join(parts)}."
    )


def _interval(row: pd.Series, key: str) -> str:
    """Mean over searches with its standard error, if there are several."""
    digits = 2 if key == "judged" else 1
    error = f" ± {row[f'{key}_se']:.{digits}f}" if row["n"] > 1 else ""
    return f"{row[f'{key}_mean']:.{digits}f}{error}"
