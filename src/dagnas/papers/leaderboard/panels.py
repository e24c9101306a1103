"""Panels of the leaderboard's ranks, and the words of its caption, from the table alone.

What a table lacks (columns, or rows over real benchmarks) leaves out its panel, and the caption
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dagnas.drawing import style
from dagnas.drawing.style import Look
from dagnas.papers.leaderboard.rank import OVERALL, REAL, SHARES
from dagnas.papers.panels import (
    budget_words,
    counted,
    emulated_sentence,
    join_sentences,
    marks,
    own_sentence,
    plural,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLUMNS = 3
#: Columns that tables of earlier versions lack.
LATER = ("rank_benchmarks_low", "iqm", "over_random", "best_over", "begins")
TRIALS = "intervals of 95 % over resamples of the trials"


class Board(NamedTuple):
    """Parts of a table that panels show.

    Attributes
    ----------
    table : DataFrame
    headline : str
        Rows that methods are ordered by: those of real benchmarks, where these are apart.
    methods : list of str
        Best first; then those with no mean rank.
    benchmarks : list of str
    looks : mapping of str to Look
        By method.
    """

    table: pd.DataFrame
    headline: str
    methods: list[str]
    benchmarks: list[str]
    looks: Mapping[str, Look]

    def end(self, group: str) -> pd.DataFrame:
        """Rows of a mean over benchmarks at the end of the budget, best first."""
        rows = self.table[(self.table["benchmark"] == group) & (self.table["share"] == SHARES[-1])]
        return rows.sort_values("rank", kind="stable")

    def alone(self) -> pd.DataFrame:
        """Rows of single benchmarks at the end of the budget."""
        return self.table[
            self.table["benchmark"].isin(self.benchmarks) & (self.table["share"] == SHARES[-1])
        ]

    def over(self, group: str) -> str:
        """Benchmarks of a mean in words: "4 benchmarks with no emulated data"."""
        alone = self.alone().drop_duplicates("benchmark")
        emulated = int((alone["emulated"] != "").sum())
        text = plural(len(alone) - (emulated if group == REAL else 0), "benchmark")
        if group == REAL:
            return f"{text} with no emulated data"
        return f"{text} ({emulated} emulated)" if emulated else text

    def emulated(self, group: str) -> str:
        """Quantities that are emulated in a mean over benchmarks."""
        return marks(self.table.loc[self.table["benchmark"] == group, "emulated"])


class Panel(NamedTuple):
    """A panel: what is drawn, the title, the sentence of the caption, its width."""

    draw: Callable[[Axes, Board], None]
    title: str
    words: str
    width: float = 4.2
    rows: bool = True


def board(table: pd.DataFrame) -> Board:
    """Parts of a table."""
    names = list(table["benchmark"].unique())
    headline = REAL if REAL in names else OVERALL
    ends = table[(table["benchmark"] == headline) & (table["share"] == SHARES[-1])]
    best_first = ends.sort_values("rank", kind="stable")["method"]
    return Board(
        table,
        headline,
        list(dict.fromkeys([*best_first, *table["method"]])),
        [name for name in names if name not in (REAL, OVERALL)],
        style.looks(list(table["method"].unique())),
    )


def panels(shown: Board) -> list[Panel]:
    """Panels for which a table has numbers."""
    groups = [name for name in (REAL, OVERALL) if not shown.end(name).empty]
    ranked = [_ranks(shown, name) for name in groups]
    if not groups:
        return [_regrets(shown)]
    end = shown.end(shown.headline)
    more = [
        panel
        for column, panel in (("iqm", _middle(shown)), ("over_random", _improvements(shown)))
        if column in end and end[column].notna().any()
    ]
    return [*ranked, *more, _regrets(shown), _growth(shown)]


def draw(table: pd.DataFrame) -> Figure:
    """All panels, three in a row; methods in the same order in each."""
    shown = board(table)
    found = panels(shown)
    height = -(-len(found) // COLUMNS)
    columns = min(COLUMNS, len(found))
    widths = [max(panel.width for panel in found[place::COLUMNS]) for place in range(columns)]
    size = (sum(widths) + 2.6, height * (1.9 + 0.36 * max(len(shown.methods), 6)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(height, columns, width_ratios=widths, squeeze=False).ravel()
    for place, (ax, panel) in enumerate(zip(axes, found, strict=False)):
        panel.draw(ax, shown)
        ax.set_title(f"({chr(ord('a') + place)}) {panel.title}")
        if panel.rows:
            _rows(ax, shown, named=place % COLUMNS == 0)
    for ax in axes[len(found) :]:
        ax.remove()
    return figure


def caption(table: pd.DataFrame) -> str:
    """What each panel shows, over how many trials, and what is emulated."""
    shown = board(table)
    found = [
        f"({chr(ord('a') + place)}) {panel.words}" for place, panel in enumerate(panels(shown))
    ]
    return join_sentences(
        *found,
        _leaders(shown),
        _hollow(shown),
        _lacks(shown),
        _same_space(shown),
        *_benchmarks(shown),
    )


def _rows(ax: Axes, shown: Board, named: bool) -> None:
    """A row for each method, with names in the first panel."""
    if named:
        style.name_rows(ax, [shown.looks[method] for method in shown.methods])
    else:
        ax.set_yticks(range(len(shown.methods)), [])
        ax.grid(visible=False, axis="y")
    ax.set_ylim(len(shown.methods) - 0.5, -0.5)


def _bars(ax: Axes, shown: Board, rows: pd.DataFrame, name: str) -> None:
    """A dot and its interval for every method, and behind it the one over benchmarks too."""
    wide = f"{name}_benchmarks"
    for row, hollow in zip(rows.to_dict("records"), _begins(rows), strict=True):
        place, colour = shown.methods.index(row["method"]), shown.looks[row["method"]].colour
        if f"{wide}_low" in row:
            ax.plot([row[f"{wide}_low"], row[f"{wide}_high"]], [place] * 2, color=colour, lw=1.1)
        ax.plot([row[f"{name}_low"], row[f"{name}_high"]], [place] * 2, color=colour, lw=3.4)
        ax.plot(row[name], place, color=colour, marker="o", ms=9, mfc="w" if hollow else colour)


def _ranks(shown: Board, group: str) -> Panel:
    """Mean rank of every method at the end."""

    def draw(ax: Axes, shown: Board) -> None:
        _bars(ax, shown, shown.end(group), "rank")
        ax.set_xlabel("mean rank over benchmarks (1 is best)")
        style.stamp(ax, shown.emulated(group))

    end = shown.end(group)
    apart = shown.headline == REAL
    title = {True: "Mean rank", False: "With emulated benchmarks"}[group == shown.headline]
    if group != shown.headline:
        return Panel(draw, title, f"The same over {shown.over(group)}.")
    thin = "; thin ones: of benchmarks, and of the trials on each" if _has(end, LATER[0]) else ""
    words = (
        f"Mean, over {shown.over(group)}, of the rank, among {plural(len(end), 'method')}, by "
        "mean regret at the end of the budget; 1 is best, equals share the mean of their ranks. "
        f"Bars: {TRIALS}{thin}."
    )
    return Panel(draw, f"{title}, real benchmarks" if apart else title, words)


def _middle(shown: Board) -> Panel:
    """Interquartile mean of normalised regrets."""

    def draw(ax: Axes, shown: Board) -> None:
        _bars(ax, shown, shown.end(shown.headline), "iqm")
        ax.axvline(1, color="#777777", lw=1, ls="--")
        ax.set_xlabel("regret (1: random search, 0: best cell)")
        style.stamp(ax, shown.emulated(shown.headline))

    return Panel(
        draw,
        "Interquartile mean of regret",
        f"Mean of the middle half of the trials of {shown.over(shown.headline)}, each regret as a "
        "fraction of random search's mean on its benchmark, benchmarks weighing the same "
        f"(Agarwal et al. 2021). Bars: {TRIALS} of each benchmark.",
    )


def _improvements(shown: Board) -> Panel:
    """Probability of improvement over random search, and that of the best over each."""
    best = shown.looks[shown.methods[0]].label

    def draw(ax: Axes, shown: Board) -> None:
        rows = shown.end(shown.headline)
        _bars(ax, shown, rows, "over_random")
        rows = rows[rows["method"] != shown.methods[0]]
        places = [shown.methods.index(method) + 0.27 for method in rows["method"]]
        ax.hlines(places, rows["best_over_low"], rows["best_over_high"], color="#444444", lw=1.1)
        ax.plot(rows["best_over"], places, color="#444444", marker="D", ms=5, mfc="w", ls="none")
        ax.axvline(0.5, color="#777777", lw=1, ls="--")
        ax.set(
            xlabel="probability of less regret\n"
            f"(discs: than random search;\ndiamonds: {best} than it)",
            xlim=(-0.03, 1.03),
        )
        style.stamp(ax, shown.emulated(shown.headline))

    return Panel(
        draw,
        "Probability of improvement",
        "Discs: probability that a trial of the method has less regret than one of random search, "
        f"mean over {shown.over(shown.headline)}. Diamonds: that a trial of {best}, which has the "
        "least mean rank, has less than one of the method. "
        f"Equals count half. Bars: {TRIALS} of each benchmark.",
    )


def _regrets(shown: Board) -> Panel:
    """Mean regrets at the end; colours compare methods on one benchmark."""
    return Panel(
        _heat,
        "Regret (points of test error)",
        "Regret at the end, mean over trials: final test error of the cell with the best search "
        "signal, less that of the best cell of the table. Colours go from the least (bold) to the "
        "largest on each benchmark.",
        # Of one benchmark the title is wider than the panel.
        width=max(3.4, 0.6 + 1.15 * len(shown.benchmarks)),
    )


def _heat(ax: Axes, shown: Board) -> None:
    end = shown.alone()
    regret = end.pivot(index="method", columns="benchmark", values="regret")
    values = regret.reindex(index=shown.methods, columns=shown.benchmarks).to_numpy()
    least, most = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    # Regrets of most methods are small beside the largest one.
    shade = np.sqrt((values - least) / np.maximum(most - least, 1e-9))
    ax.imshow(shade, cmap="YlGnBu", vmin=-0.1, vmax=1.2, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ax.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shade[row, column] > 0.65 else "#222222",
                fontweight="bold" if value == least[column] else "normal",
            )
    emulated = end.groupby("benchmark")["emulated"].first()
    labels = [
        style.benchmark_label(name).replace(", ", "\n") + ("\n(emulated)" if emulated[name] else "")
        for name in shown.benchmarks
    ]
    ax.set_xticks(range(len(labels)), labels, fontsize=9)
    ax.grid(visible=False)


def _growth(shown: Board) -> Panel:
    """Mean rank of every method against the share of the budget."""
    table = shown.table[shown.table["benchmark"] == shown.headline]

    def draw(ax: Axes, shown: Board) -> None:
        ends = []
        for method, rows in table.groupby("method", sort=False):
            look, steps = shown.looks[str(method)], np.arange(len(rows))
            # Low ranks are above.
            height = -rows["rank"].to_numpy()
            ax.plot(steps, height, color=look.colour, lw=look.width, ls=look.dashes)
            hollow = _begins(rows)
            ax.plot(steps[~hollow], height[~hollow], "o", color=look.colour, ms=5)
            ax.plot(steps[hollow], height[hollow], "o", color=look.colour, ms=7, mfc="white")
            ends.append((height[-1], look))
        ax.set_xticks(range(len(SHARES)), [f"{100 * share:g} %" for share in SHARES])
        # Labels may need more room than there are ranks.
        shown_ranks = range(1, len(ends) + 1, 1 + len(ends) // 9)
        ax.set_yticks([-rank for rank in shown_ranks], [str(rank) for rank in shown_ranks])
        low, high = -table["rank"].max(), -table["rank"].min()
        margin = 0.05 * max(high - low, 1)
        ax.set(
            xlabel="share of the budget",
            ylabel="mean rank",
            xlim=(-0.2, len(SHARES) - 1),
            ylim=(low - margin, high + 3 * margin),
        )
        style.label_ends(ax, ends, gap=min(0.065, 0.95 / max(len(ends), 1)))
        style.stamp(ax, shown.emulated(shown.headline))

    shares = ", ".join(f"{100 * share:g}" for share in SHARES)
    words = f"Mean rank over {shown.over(shown.headline)} at {shares} % of the budget."
    return Panel(draw, "As the budget grows", words, width=3.6, rows=False)


def _begins(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Where a method still evaluates its first random cells; nowhere if the table does not say."""
    if "begins" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(rows["begins"] >= 0.5)


def _has(rows: pd.DataFrame, column: str) -> bool:
    return column in rows and bool(rows[column].notna().any())


def _leaders(shown: Board) -> str:
    """Sentence with the least mean ranks, on real benchmarks and with the emulated ones."""
    parts = []
    for group in (REAL, OVERALL):
        end = shown.end(group)
        if not end.empty:
            first = end[end["rank"] == end["rank"].iloc[0]]
            labels = ", ".join(shown.looks[method].label for method in first["method"])
            parts.append(f"{labels} {first['rank'].iloc[0]:.2f} over {shown.over(group)}")
    return f"Least mean rank: {'; '.join(parts)}." if parts else ""


def _hollow(shown: Board) -> str:
    """Sentence on methods that have learned nothing yet."""
    if not _begins(shown.table).any():
        return ""
    alone = shown.alone()
    whole = [
        f"{shown.looks[row['method']].label} on {style.benchmark_label(row['benchmark'])}"
        for row in alone[_begins(alone)].to_dict("records")
    ]
    return join_sentences(
        "Hollow: on half of the benchmarks or more the method still evaluates the random cells "
        "that it begins with, and so is no other than random search.",
        f"So to the end of the budget: {', '.join(whole)}." if whole else "",
    )


def _lacks(shown: Board) -> str:
    """Sentences on methods without mean rank, and on what the table does not hold."""
    end = shown.end(shown.headline)
    others = [shown.looks[m].label for m in shown.methods if m not in set(end["method"])]
    mixed = shown.headline == OVERALL and shown.emulated(OVERALL) and not end.empty
    real = (shown.alone()["emulated"] == "").any()
    absent = [column for column in LATER if column not in shown.table]
    return join_sentences(
        f"Not on all benchmarks, so without mean rank: {', '.join(others)}." if others else "",
        "The table has no mean ranks over the real benchmarks alone." if mixed and real else "",
        f"The table lacks {', '.join(absent)}: what these show is left out." if absent else "",
    )


def _same_space(shown: Board) -> str:
    """Sentence for real benchmarks that are all of one cell space."""
    alone = shown.alone().drop_duplicates("benchmark")
    real = alone[alone["emulated"] == ""]
    if "space" not in real or len(real) < 2 or real["space"].nunique() > 1:
        return ""
    return (
        f"The {len(real)} real benchmarks are all of one cell space, that of "
        f"{style.benchmark_label(real['space'].iloc[0])}: the intervals over benchmarks tell what "
        "other images would change, and nothing of other spaces."
    )


def _benchmarks(shown: Board) -> list[str]:
    """Sentences on each benchmark: trials, seconds, what is emulated."""
    sentences = []
    for benchmark, here in shown.alone().groupby("benchmark", sort=False):
        label = style.benchmark_label(str(benchmark))
        budget = budget_words(here, here["seconds"].iloc[0])
        sentences += [
            f"{label}: {counted(here['n'], 'trial')} of {plural(len(here), 'method')}, {budget}.",
            own_sentence([str(benchmark)]),
            emulated_sentence(here["emulated"], label),
        ]
    return sentences
