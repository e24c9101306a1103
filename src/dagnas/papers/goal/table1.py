"""Table 1: searches on shared weights in NAS-Bench-201, whose cells are looked up in the table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from dagnas.analysis.clusters import interval_of_clusters
from dagnas.analysis.incumbents import incumbent
from dagnas.analysis.ranks import mean_of_best, rounded
from dagnas.analysis.rows import rows_of
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dagnas.benchmarks.benchmark import TabularBenchmark

RESULT = Result(
    place="Table 1",
    title="Weight-sharing search on NAS-Bench-201",
    reads={
        "studies": ("goal_table1_*",),
        "supernets": ("goal_darts_first_*", "goal_darts_second_*"),
    },
    benchmarks=("{benchmark}",),
    required=("goal_table1_*",),
)
#: Methods of the paper's table; studies may have others, for a panel of their own.
METHODS = ("random_search", "spos", "goal")
REFERENCE = "goal"
#: Method that others are compared with besides.
BASELINE = "random_search"
#: Strategies of supernets that give a cell themselves, as rows.
DARTS = ("darts_first", "darts_second")
#: The paper's means and standard deviations over four searches, validation and test (%).
PAPER = {
    "darts_first": ((39.77, 0.0), (54.30, 0.0)),
    "darts_second": ((39.77, 0.0), (54.30, 0.0)),
    "random_search": ((84.16, 1.69), (87.66, 1.69)),
    "spos": ((88.91, 0.97), (92.32, 0.89)),
    "goal": ((89.33, 0.64), (92.84, 0.51)),
}
#: Images that the paper's numbers are of.
IMAGES = "cifar10"
METRICS = {"valid": "validation accuracy", "test": "test accuracy"}
#: Quantities of scores with shared weights, as `dagnas.benchmarks.scored` names them.
SIGNALS = {"shared_accuracy": "accuracy", "shared_likelihood": "negative loss"}
#: Points to compare with: a cell drawn blindly, the largest cell, what a supernet likes best.
UNIFORM, LARGEST, FIRST = "uniform pick", "most parameters", "first by score"
LINES = {UNIFORM: ":", LARGEST: "--", FIRST: "-"}


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Accuracies of the cell that each search chooses, and their means by method.

    Returns
    -------
    DataFrame
        Columns part, images, signal ("accuracy", or "negative loss", with shared weights),
        supernet, method, metric, trial, value (%), sd, low, high, n, searches, spread, lead,
        lead_low, lead_high, gain, gain_low, gain_high, calm, calm_low, calm_high, reached, paper,
        paper_sd, emulated and note (of the signal). Rows whose part is

        - search: the cell that one search chose, looked up in the table of real trainings; of
          DARTS the cell that one supernet derived (without a signal);
        - mean: mean over supernets (n) of the mean over searches; sd over all searches; low and
          high, the interval of 95 % by Student's t over the means of supernets; spread, the
          standard deviation of the searches on one supernet, averaged; lead, what GOAL's mean is
          above the method's on the same supernet, averaged, with its interval; gain, the same of
          what the method's mean is above random search's; calm, of what the method's spread is
          above GOAL's; reached, the fraction of searches whose cell has the supernet's best score;
        - point: a uniform pick (mean and standard deviation over all cells), the cell of most
          parameters, and the cell that a supernet scores best, mean over supernets.
    """
    import pandas as pd

    searches = pd.concat([*_searches(inputs), *_derived(inputs)], ignore_index=True)
    parts = [searches, _means(searches), *_points(inputs)]
    table = pd.concat(parts, ignore_index=True)
    columns = [
        *("part", "images", "signal", "supernet", "method", "metric", "trial", "value", "sd"),
        *("low", "high", "n", "searches", "spread", "lead", "lead_low", "lead_high"),
        *("gain", "gain_low", "gain_high"),
        *("calm", "calm_low", "calm_high", "reached", "paper", "paper_sd", "emulated", "note"),
    ]
    texts = ["signal", "supernet", "emulated", "note"]
    return table.reindex(columns=columns).fillna(dict.fromkeys(texts, ""))


def _searches(inputs: Inputs) -> Iterable[pd.DataFrame]:
    """Cell that each trial of each study reports at its end, a row a metric."""
    import pandas as pd

    for study in inputs.result.names("studies"):
        policy = inputs.policy(study)
        benchmark = inputs.benchmark(inputs.config.section("studies")[study].benchmark)
        images, signal = _quantity(policy.signal)
        best = rounded(np.array([benchmark.best_signal(policy)]))[0]
        rows: list[dict[str, Any]] = []
        for (method, trial), steps in inputs.traces(study).groupby(["method", "trial"], sort=False):
            chosen = steps.iloc[incumbent(steps["signal"].to_numpy())[-1]]
            rows += [
                {
                    "method": method,
                    "trial": trial,
                    "metric": METRICS[column],
                    "value": chosen[column],
                    "reached": float(round(chosen["signal"], 9) >= best),
                    "emulated": _emulated(chosen["emulated"], column),
                }
                for column in METRICS
            ]
        about = {"part": "search", "images": images, "signal": signal, "supernet": benchmark.name}
        yield pd.DataFrame(rows).assign(**about, note=inputs.signal_note(study))


def _emulated(marks: str, column: str) -> str:
    return " ".join(sorted(set(marks.split()) & {"signal", column}))


def _quantity(name: str) -> tuple[str, str]:
    """Images, and signal in words, of a score with shared weights."""
    images, score, _ = name.split("/")
    return images, next(words for prefix, words in SIGNALS.items() if score.startswith(prefix))


def _derived(inputs: Inputs) -> Iterable[pd.DataFrame]:
    """Cells that DARTS derived, looked up in the first table of scores."""
    import pandas as pd

    benchmark = _benchmarks(inputs)[0]
    policy = benchmark.policies["goal"]
    images, _ = _quantity(policy.signal)
    for name in inputs.result.names("supernets"):
        found = benchmark.query(inputs.read("supernets", name).attrs["cell"], policy)
        rows = [
            {
                "method": next(method for method in DARTS if method in name),
                "metric": words,
                "value": found[column],
                "emulated": _emulated(" ".join(found["emulated"]), column),
            }
            for column, words in METRICS.items()
        ]
        about: dict[str, Any] = {"part": "search", "images": images, "signal": ""}
        about |= {"supernet": name, "trial": 0}
        yield pd.DataFrame(rows).assign(**about, note="")


def _benchmarks(inputs: Inputs) -> list[TabularBenchmark]:
    return [inputs.benchmark(name) for name in inputs.result.benchmarks]


def _means(searches: pd.DataFrame) -> pd.DataFrame:
    """Means by method with intervals, of which supernets are the unit."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (images, signal, metric), here in searches.groupby(
        ["images", "signal", "metric"], sort=False
    ):
        by_supernet = here.pivot_table("value", "supernet", "method", ["mean", "std"], sort=False)
        for method, trials in here.groupby("method", sort=False):
            means = by_supernet["mean", method].dropna()
            low, high = interval_of_clusters(means.to_numpy())
            row = {
                **{"images": images, "signal": signal, "metric": metric, "method": method},
                **{"value": means.mean(), "low": low, "high": high, "n": len(means)},
                "sd": trials["value"].std(),
                "searches": len(trials),
                "reached": trials["reached"].mean() if "reached" in trials else np.nan,
                "emulated": trials["emulated"].iloc[0],
                "note": trials["note"].iloc[0],
            }
            if ("std", method) in by_supernet:
                row["spread"] = by_supernet["std", method].mean()
            if REFERENCE in set(here["method"]) and method != REFERENCE:
                lead = by_supernet["mean", REFERENCE] - by_supernet["mean", method]
                row |= _paired("lead", lead)
                if {("std", method), ("std", REFERENCE)} <= set(by_supernet):
                    calm = by_supernet["std", method] - by_supernet["std", REFERENCE]
                    row |= _paired("calm", calm)
            if BASELINE in set(here["method"]) and method != BASELINE:
                row |= _paired("gain", means - by_supernet["mean", BASELINE])
            if images == IMAGES and method in PAPER:
                place = list(METRICS.values()).index(str(metric))
                row["paper"], row["paper_sd"] = PAPER[str(method)][place]
            rows.append(row)
    return pd.DataFrame(rows).assign(part="mean")


def _paired(name: str, differences: pd.Series) -> dict[str, float]:
    """Mean and interval of differences on the same supernets."""
    known = differences.dropna().to_numpy()
    if not len(known):
        return {}
    low, high = interval_of_clusters(known)
    return {name: float(known.mean()), f"{name}_low": low, f"{name}_high": high}


def _points(inputs: Inputs) -> Iterable[pd.DataFrame]:
    """Points to compare with, by images."""
    import pandas as pd

    groups: dict[str, list[TabularBenchmark]] = {}
    for benchmark in _benchmarks(inputs):
        groups.setdefault(_quantity(benchmark.policies["goal"].signal)[0], []).append(benchmark)
    for images, benchmarks in groups.items():
        first, rows = benchmarks[0], []
        policy = first.policies["goal"]
        for column, metric in METRICS.items():
            values = first.values(getattr(policy, column))
            common = {"metric": metric, "n": len(values)}
            common["emulated"] = column if column in first.emulated(policy) else ""
            rows.append({"method": UNIFORM, "value": values.mean(), "sd": values.std(), **common})
            if "params" in first.table.columns:
                size = first.table["params"].astype(np.float64)
                rows.append({"method": LARGEST, "value": mean_of_best(size, values, 1), **common})
            for name in ("goal", "goal_loss"):
                signal = _quantity(first.policies[name].signal)[1]
                best = np.array([_first(each, name, column) for each in benchmarks])
                low, high = interval_of_clusters(best)
                row = {"method": FIRST, "signal": signal, "value": best.mean()}
                row |= {"sd": best.std(ddof=1) if len(best) > 1 else np.nan}
                rows.append({**common, **row, "low": low, "high": high, "n": len(best)})
        yield pd.DataFrame(rows).assign(part="point", images=images)


def _first(benchmark: TabularBenchmark, policy: str, column: str) -> float:
    """Real accuracy of the cell that a supernet scores best, the mean of equals."""
    chosen = benchmark.policies[policy]
    scores = benchmark.values(chosen.signal, chosen.repeat)
    return mean_of_best(scores, benchmark.values(getattr(chosen, column)), 1)


def draw(table: pd.DataFrame) -> Figure:
    """A row a signal: a dot a search; further below all methods, if there are others."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    means = table[table["part"] == "mean"]
    signals = [signal for signal in means["signal"].unique() if signal]
    others = set(means["method"]) - {*METHODS, *DARTS}
    panels = [(signal, set(METHODS)) for signal in signals if _of(means, signal, set(METHODS))]
    panels += [(signal, set()) for signal in signals if others and _of(means, signal, others)]
    heights = [_height(means, signal, shown) for signal, shown in panels]
    figure = Figure(figsize=(12.5, sum(heights) + 0.5), layout="constrained")
    axes = figure.subplots(len(panels), 2, squeeze=False, height_ratios=heights)
    for row, (signal, shown) in zip(axes, panels, strict=True):
        for ax, metric in zip(row, METRICS.values(), strict=True):
            here = table[(table["metric"] == metric) & table["signal"].isin([signal, ""])]
            if shown:
                here = here[here["method"].isin([*shown, *DARTS, *_points_of(here)])]
            _panel(ax, here, signal)
            ax.set(title=f"by {signal}" + ("" if shown else ", all methods"))
            ax.set(xlabel=f"{metric} of the cell chosen (%)")
    style.headline(figure, "Searches on shared weights")
    _legend(figure, paper=bool(means["paper"].notna().any()))
    return figure


def _legend(figure: Figure, paper: bool) -> None:
    """Say below the panels what marks and lines are."""
    from matplotlib.lines import Line2D

    grey: dict[str, Any] = {"color": "#555555", "ls": "none"}
    marks = [
        Line2D([], [], **grey, marker="o", ms=5, label="search"),
        Line2D([], [], **grey, marker="|", ms=11, mew=2, label="mean of a supernet"),
        Line2D([], [], color="#222222", marker="D", mfc="white", label="mean, 95 % interval"),
    ]
    if paper:
        marks.append(Line2D([], [], **grey | {"color": "black"}, marker="x", mew=2, label="paper"))
    marks += [Line2D([], [], color="#555555", ls=ls, label=name) for name, ls in LINES.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=9)


def _of(means: pd.DataFrame, signal: str, methods: set[str]) -> bool:
    return bool(methods & set(means.loc[means["signal"] == signal, "method"]))


def _points_of(here: pd.DataFrame) -> list[str]:
    return list(here.loc[here["part"] == "point", "method"].unique())


def _height(means: pd.DataFrame, signal: str, shown: set[str]) -> float:
    """Inches of a panel."""
    methods = set(means.loc[means["signal"].isin([signal, ""]), "method"])
    return 1.2 + 0.5 * len(methods & {*shown, *DARTS} if shown else methods)


def _panel(ax: Axes, here: pd.DataFrame, signal: str) -> None:
    """A row a method, in which a line of dots is a supernet."""
    from dagnas.drawing import style
    from dagnas.papers.panels import marks

    means = here[here["part"] == "mean"].sort_values("value", ascending=False, kind="stable")
    searches = here[here["part"] == "search"]
    looks = style.looks(list(means["method"]))
    for place, row in enumerate(rows_of(means)):
        look = looks[str(row.method)]
        mine = searches[searches["method"] == row.method]
        supernets = list(mine["supernet"].unique())
        for number, supernet in enumerate(supernets):
            dots = mine.loc[mine["supernet"] == supernet, "value"]
            at = place + _shift(number, len(supernets))
            ax.plot(dots, [at] * len(dots), "o", ms=4, alpha=0.5, mew=0, color=look.colour)
            ax.plot([dots.mean()] * 2, [at - 0.08, at + 0.08], color=look.colour, lw=2)
        ax.plot([row.low, row.high], [place] * 2, color="#222222", lw=1.6, zorder=4)
        ax.plot(row.value, place, "D", ms=6, mfc="white", mec="#222222", mew=1.6, zorder=5)
        if row.paper > 0:
            ax.plot(row.paper, place, "x", ms=9, mew=2.2, color="black", zorder=6)
    points = here[(here["part"] == "point") & here["signal"].isin([signal, ""])]
    for point, dashes in LINES.items():
        for value in points.loc[points["method"] == point, "value"]:
            ax.axvline(value, color="#555555", lw=1.2, ls=dashes, zorder=1)
    # A wide interval of few supernets, or DARTS, would squeeze the dots.
    searched = here[here["signal"] == signal]
    drawn = searched.loc[searched["part"] == "search", "value"]
    seen = [*drawn, *points["value"], *searched["paper"].dropna()]
    margin = 0.06 * max(max(seen) - min(seen), 0.5)
    low = min(seen) - margin
    ax.set(xlim=(low, max(seen) + margin), ylim=(len(means) - 0.4, -0.9))
    for place, row in enumerate(rows_of(means)):
        left = [f"{name}{number:.1f}" for name, number in (("", row.value), ("paper ", row.paper))
                if number < low]  # fmt: skip
        if left:
            words = f"< {', '.join(left)}"
            ax.text(0.01, place, words, transform=ax.get_yaxis_transform(), va="center")
    style.name_rows(ax, [looks[str(method)] for method in means["method"]])
    style.stamp(ax, marks(here["emulated"]))


def _shift(number: int, of: int) -> float:
    return 0.6 * ((number + 0.5) / of - 0.5)


def caption(table: pd.DataFrame) -> str:
    """What is shown, the numbers beside the paper's, and what may be concluded."""
    from dagnas.papers.panels import (
        emulated_sentence,
        join_sentences,
        note_sentence,
        own_sentence,
    )

    sentences = [
        "Accuracy of real trainings (looked up) of the cell that each search found best with "
        "shared weights: a dot a search, a line of dots a supernet, with its mean as a tick. "
        "Diamonds: mean over supernets, with its interval of 95 % by Student's t, of which "
        "supernets are the unit, since searches on one supernet share its luck; an interval may "
        "leave the panel, and leaves out the luck of what all supernets share: one split of the "
        "images, and the validation images of the scores. "
        "Crosses: the paper's means. Lines: mean of all cells (a uniform pick), the cell of most "
        "parameters, and what the supernets score best.",
    ]
    means = table[table["part"] == "mean"]
    told = means["method"].isin([*METHODS, *DARTS])
    if not told.all():
        sentences.append("The table has the numbers of all methods; here are those of the paper's.")
        means = means[told]
    for (images, signal), here in means[means["signal"] != ""].groupby(
        ["images", "signal"], sort=False
    ):
        sentences.append(_numbers(f"On {images}, by {signal}", here))
        sentences.append(_leads(here))
        sentences.append(note_sentence(here, "these searches"))
        sentences.append(own_sentence(["digits201"] if images == "digits" else []))
    for images, here in means[means["signal"] == ""].groupby("images", sort=False):
        sentences.append(_numbers(f"Derived by DARTS on {images!s}", here))
    for images, here in table[table["part"] == "point"].groupby("images", sort=False):
        sentences.append(_numbers(f"To compare with on {images!s}", here))
    return join_sentences(*sentences, emulated_sentence(table["emulated"]))


def _numbers(what: str, here: pd.DataFrame) -> str:
    """Means and standard deviations, validation / test, with the paper's in brackets."""
    from dagnas.drawing.style import looks
    from dagnas.papers.panels import plural

    first = here.iloc[0]
    words = []
    for (method, signal), rows in here.groupby(["method", "signal"], sort=False):
        ours = " / ".join(_pair(row.value, row.sd) for row in rows_of(rows))
        theirs = " / ".join(
            _pair(row.paper, row.paper_sd) for row in rows_of(rows) if row.paper > 0
        )
        by = f" ({signal})" if method == FIRST else ""
        label = looks([str(method)])[str(method)].label
        words.append(f"{label}{by} {ours}" + (f" (paper {theirs})" if theirs else ""))
    part = first["part"]
    number = f" ({plural(first['n'], 'supernet')}, {plural(first['searches'], 'search', 'es')})"
    return f"{what}{number if part == 'mean' else ''}, validation / test in %: {'; '.join(words)}."


def _pair(value: float, sd: float) -> str:
    return f"{value:.2f}" + (f" ± {sd:.2f}" if sd >= 0 else "")


def _leads(here: pd.DataFrame) -> str:
    """What GOAL is ahead of each method on the same supernets, with intervals."""
    from dagnas.drawing.style import looks

    known = here[here["lead"].notna()]
    if known.empty:
        return ""
    words = []
    for method, rows in known.groupby("method", sort=False):
        leads = " / ".join(
            f"{row.lead:+.2f} [{row.lead_low:+.2f}, {row.lead_high:+.2f}]"
            if row.lead_low > -np.inf
            else f"{row.lead:+.2f}"
            for row in rows_of(rows)
        )
        words.append(f"{looks([str(method)])[str(method)].label} {leads}")
    best = here.groupby("method", sort=False)["reached"].first()
    reached = ", ".join(
        f"{100 * share:.0f} % of {looks([str(method)])[str(method)].label}"
        for method, share in best.items()
    )
    return (
        f"GOAL's mean less that of the same supernets' {'; '.join(words)}. Searches that end at a "
        f"cell of the supernet's best score: {reached}."
    )
