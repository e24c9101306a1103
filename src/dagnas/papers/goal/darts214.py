"""Table 2's supernet against real trainings: how it orders genotypes whose accuracies are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.ranks import mean_of_best, percent_ranks, spearman
from dagnas.analysis.rows import rows_of
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.papers.goal.sharing import PARAMETERS, SCORES, signals
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SUPERNET = "goal_darts_space"
RESULT = Result(
    place="Section 6.4, a check",
    title="Scores of genotypes of the DARTS space and their real accuracies",
    reads={"supernets": (SUPERNET,)},
    benchmarks=("darts214",),
)
#: Colour of the panel of parameters.
_PLAIN = "#777777"


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Scores, parameters and accuracies of each genotype, and their correlations.

    Returns
    -------
    DataFrame
        Columns part, by, statistics, n, spearman, pearson, low, high, first, rank, row, score,
        truth and emulated. Rows whose part is

        - measure: correlations of ``by`` ("accuracy" or "negative loss" with shared weights and
          ``statistics`` in batch norms, or "parameters") with the test accuracy after 600 epochs
          over n genotypes, the interval of 95 % of Spearman's (Bonett and Wright, 2000); first, the
          accuracy (%) of the genotype that ``by`` puts first, the mean of equals, and its rank in %
          of all, of which 50 is chance;
        - genotype: what ``by`` says of one genotype (row in the table darts214), and its accuracy.
    """
    import pandas as pd

    from dagnas.papers.claims.estimate import correlation

    scores: TabularBenchmark = inputs.read("supernets", SUPERNET, "scores")
    truth = scores.values(scores.policies["goal"].test)
    found = list(signals(scores))
    found.append((PARAMETERS, "", scores.table["params"].astype(np.float64)))
    rows: list[dict[str, Any]] = []
    for by, statistics, values in found:
        rho = spearman(values, truth)
        reach = correlation(rho, len(truth), 0.95, ranks=True)
        measure = {"spearman": rho, "pearson": float(np.corrcoef(values, truth)[0, 1])}
        measure |= {"low": reach.low, "high": reach.high}
        measure["first"] = mean_of_best(values, truth, 1)
        measure["rank"] = mean_of_best(values, percent_ranks(truth), 1)
        about = {"by": by, "statistics": statistics}
        rows.append({"part": "measure", **about, "n": len(truth), **measure})
        rows += [
            {"part": "genotype", **about, "row": row, "score": values[row], "truth": truth[row]}
            for row in range(len(truth))
        ]
    return pd.DataFrame(rows).assign(emulated="")


def draw(table: pd.DataFrame) -> Figure:
    """A panel for each score with the first statistics, and one for parameters."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    from dagnas.drawing import style
    from dagnas.papers.panels import number

    colours = {by: colour for by, colour, _ in SCORES.values()}
    labels = {"accuracy": "accuracy, shared weights (%)", "negative loss": "100 exp(-loss)"}
    shown = table[table["part"] == "measure"].drop_duplicates("by")
    figure = Figure(figsize=(4.4 * len(shown), 4.3), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for ax, measure in zip(axes, rows_of(shown), strict=True):
        by = str(measure.by)
        cells = table[(table["by"] == by) & (table["statistics"] == measure.statistics)]
        cells = cells[cells["part"] == "genotype"]
        ax.scatter(cells["score"], cells["truth"], s=16, alpha=0.6, linewidths=0,
                   color=colours.get(by, _PLAIN))  # fmt: skip
        ax.set(title=f"{by}: \N{GREEK SMALL LETTER RHO} = {measure.spearman:.2f}")
        ax.set(xlabel=labels.get(by, by), ylabel="test accuracy after 600 epochs (%)")
        if by == PARAMETERS:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{number(x / 1e6)} M"))
    style.headline(figure, "Genotypes of the DARTS space, really trained")
    return figure


def caption(table: pd.DataFrame) -> str:
    """Numbers, and where the trainings come from."""
    measures = table[table["part"] == "measure"]
    words = [
        f"{row.by}{f' ({row.statistics} statistics)' if row.statistics else ''} "
        f"{row.spearman:.2f} [{row.low:.2f}, {row.high:.2f}], whose first has {row.first:.2f} % "
        f"and is at {row.rank:.0f} % from the best"
        for row in rows_of(measures)
    ]
    truth = table.loc[table["part"] == "genotype", "truth"]
    size = measures[measures["by"] == PARAMETERS]["spearman"].item()
    best = measures[measures["by"] != PARAMETERS].sort_values("spearman").iloc[-1]
    verdict = (
        "More than chance is known of the shared weights' order"
        if best["low"] > 0
        else "The shared weights' order may be chance"
    )
    relation = "above" if best["spearman"] > size else "not above"
    return (
        f"What the supernet of table 2 says of {measures['n'].iloc[0]:.0f} random genotypes that "
        "Yang, Esperanca and Carlucci (2020) trained for 600 epochs on CIFAR-10, against their "
        f"test accuracies, {truth.min():.2f} to {truth.max():.2f} %, mean {truth.mean():.2f} %. "
        "Spearman's rank correlation with its interval of 95 %, and the genotype put first: "
        f"{'; '.join(words)}. {verdict}; its correlation is {relation} that of counting parameters."
    )
