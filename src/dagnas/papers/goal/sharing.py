"""Section 5.3's premise: how far scores with shared weights order the cells of NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.clusters import interval_of_clusters
from dagnas.analysis.ranks import Values, rounded, spearman
from dagnas.analysis.rows import rows_of
from dagnas.benchmarks.benchmark import TabularBenchmark
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.seeds import stream
from dagnas.spaces.paths import vertices_on_paths

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESULT = Result(
    place="Section 5.3, what shared weights tell",
    title="Rank correlation of scores with shared weights and real accuracies",
    reads={"supernets": ("goal_cifar10_*", "goal_digits_*")},
    benchmarks=("nasbench201", "digits201"),
    required=(),
)
#: What orders cells, by the quantity of a score, with its colour and marker.
SCORES = {
    "accuracy": ("accuracy", "#0072B2", "o"),
    "likelihood": ("negative loss", "#D55E00", "s"),
}
PARAMETERS, TRAINING = "parameters", "another training"
#: Parts of the space over which correlations are taken.
PARTS = ("all cells", "connected cells", "best tenth")
#: Cells of the scatter plots.
SHOWN = 3000


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Correlations with the final validation accuracy by supernet and over them; cells of one.

    Returns
    -------
    DataFrame
        Columns part, images, supernet, by, statistics, over, n, spearman, pearson, sd, low, high,
        score, truth, connected and emulated. Rows whose part is

        - supernet: correlations of ``by`` ("accuracy" or "negative loss" with shared weights and
          ``statistics`` in batch norms) with the real accuracy, over so many cells (n): all, those
          that are connected, or the best tenth by real accuracy;
        - mean: means over supernets (n), with the standard deviation of Spearman's and its interval
          of 95 % by Student's t;
        - baseline: the same for the number of parameters, and for another training of the
          cell where the table of real trainings tells them apart;
        - cell: a scored cell of the first supernet of the images: score and real accuracy (%).
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name in inputs.result.names("supernets"):
        scores: TabularBenchmark = inputs.read("supernets", name, "scores")
        policy = scores.policies["goal"]
        images = policy.signal.split("/")[0]
        truth = scores.values(policy.valid)
        parts = _parts(scores, truth)
        about = {"images": images, "supernet": name}
        about["emulated"] = "valid" if "valid" in scores.emulated(policy) else ""
        for by, statistics, values in signals(scores):
            found = _correlations(values, truth, parts)
            rows += [
                {"part": "supernet", "by": by, "statistics": statistics, **about, **row}
                for row in found
            ]
        if images in seen:
            continue
        seen.add(images)
        rows += [
            {"part": "baseline", "by": by, **about, "supernet": "", **row}
            for by, values, target in _baselines(inputs, scores, truth)
            for row in _correlations(values, target, _parts(scores, target))
        ]
        rows += [{"part": "cell", **about, **row} for row in _cells(scores, truth, parts)]
    table = pd.DataFrame(rows)
    columns = [
        *("part", "images", "supernet", "by", "statistics", "over", "n", "spearman", "pearson"),
        *("sd", "low", "high", "score", "truth", "connected", "emulated"),
    ]
    both = pd.concat([table, _means(table)], ignore_index=True).reindex(columns=columns)
    return both.fillna(dict.fromkeys(["supernet", "statistics", "over", "emulated"], ""))


def signals(scores: TabularBenchmark) -> Iterator[tuple[str, str, Values]]:
    """Name, statistics and values of each score, larger for better."""
    for policy in scores.policies.values():
        _, kind, statistics = policy.signal.split("/")[1].split("_")
        yield SCORES[kind][0], statistics, scores.values(policy.signal, policy.repeat)


def _parts(scores: TabularBenchmark, truth: Values) -> dict[str, NDArray[np.bool_]]:
    """Cells of each part of the space."""
    space = scores.space
    edges = np.triu(scores.cells.edges != space.edge_types.index("none"), 1)
    masks = (
        np.full(len(truth), True),
        vertices_on_paths(edges)[:, -1],
        truth >= np.quantile(truth, 0.9),
    )
    return dict(zip(PARTS, masks, strict=True))


def _correlations(
    values: Values, truth: Values, parts: dict[str, NDArray[np.bool_]]
) -> list[dict[str, Any]]:
    return [
        {
            "over": over,
            "n": int(part.sum()),
            "spearman": spearman(values[part], truth[part]),
            "pearson": float(np.corrcoef(rounded(values[part]), truth[part])[0, 1]),
        }
        for over, part in parts.items()
    ]


def _baselines(
    inputs: Inputs, scores: TabularBenchmark, truth: Values
) -> Iterable[tuple[str, Values, Values]]:
    """Name and values of what costs no supernet, and what they are compared with."""
    if "params" in scores.table.columns:
        yield PARAMETERS, scores.table["params"].astype(np.float64), truth
    quantity = scores.policies["goal"].valid
    for name in inputs.result.benchmarks:
        real = inputs.benchmark(name)
        if len(real.table.repeats(quantity)) < 2:
            continue
        rows = real.rows(scores.cells)
        one, other = (real.values(quantity, f"s{seed}")[rows] for seed in range(2))
        if not np.isnan([one, other]).any():
            yield TRAINING, other, one


def _cells(
    scores: TabularBenchmark, truth: Values, parts: dict[str, NDArray[np.bool_]]
) -> Iterator[dict[str, Any]]:
    """Some cells with each score of the first statistics."""
    count = min(SHOWN, len(truth))
    chosen = np.sort(stream("sharing", scores.name).choice(len(truth), count, replace=False))
    connected = parts[PARTS[1]]
    first = ""
    for by, statistics, values in signals(scores):
        first = first or statistics
        for row in chosen if statistics == first else ():
            about = {"by": by, "statistics": statistics, "connected": bool(connected[row])}
            yield {**about, "score": values[row], "truth": truth[row]}


def _means(table: pd.DataFrame) -> pd.DataFrame:
    """Means over supernets, which are the unit."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    keys = ["images", "by", "statistics", "over"]
    for key, here in table[table["part"] == "supernet"].groupby(keys, sort=False):
        values = here["spearman"].to_numpy()
        low, high = interval_of_clusters(values)
        row = {"spearman": values.mean(), "pearson": here["pearson"].mean(), "n": len(values)}
        row |= {"sd": here["spearman"].std(), "low": low, "high": high}
        about = dict(zip(keys, key, strict=True))
        rows.append({"part": "mean", **about, **row, "emulated": here["emulated"].iloc[0]})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """A row an image set: scores against real accuracies, then correlations by part."""
    from matplotlib.figure import Figure

    from dagnas.drawing import style

    images = list(table["images"].unique())
    figure = Figure(figsize=(14.5, 4.9 * len(images)), layout="constrained")
    rows = figure.subplots(len(images), 3, squeeze=False, width_ratios=[1, 1, 1.35])
    for axes, name in zip(rows, images, strict=True):
        here = table[table["images"] == name]
        for ax, (by, colour, _) in zip(axes, SCORES.values(), strict=False):
            _scatter(ax, here[(here["part"] == "cell") & (here["by"] == by)], colour)
            ax.set(title=f"{name}: {by}", ylabel="real validation accuracy (%)")
            ax.set(xlabel="100 exp(-loss)" if by != "accuracy" else "accuracy, shared weights (%)")
        _bars(axes[2], here)
        axes[2].set(
            title=f"{name}: rank correlation", ylabel="Spearman's \N{GREEK SMALL LETTER RHO}"
        )
    style.headline(figure, "Scores with shared weights and real accuracies")
    return figure


def _scatter(ax: Axes, cells: pd.DataFrame, colour: str) -> None:
    """A dot a cell; those that are not connected are grey."""
    from dagnas.drawing import style
    from dagnas.papers.panels import marks

    for connected, ink in ((False, "#999999"), (True, colour)):
        part = cells[cells["connected"].astype(str) == str(connected)]
        dots: dict[str, Any] = {"s": 6, "alpha": 0.35, "linewidths": 0, "rasterized": True}
        label = "connected" if connected else "input does not reach the output"
        ax.scatter(part["score"], part["truth"], color=ink, label=label, **dots)
    best = float(cells["truth"].quantile(0.9))
    ax.axhline(best, color="#555555", lw=1, ls="--")
    ax.text(0.01, best, "best tenth above", transform=ax.get_yaxis_transform(), va="bottom",
            fontsize=8, color="#555555")  # fmt: skip
    ax.legend(loc="lower right", fontsize=8, markerscale=2)
    style.stamp(ax, marks(cells["emulated"]))


def _bars(ax: Axes, here: pd.DataFrame) -> None:
    """Groups of scores for each part of the space: a dot a supernet, intervals, baselines."""
    supernets, means = (here[here["part"] == part] for part in ("supernet", "mean"))
    pairs = means[["by", "statistics"]].drop_duplicates()
    kinds = list(zip(pairs["by"], pairs["statistics"], strict=True))
    looks = {by: (colour, marker) for by, colour, marker in SCORES.values()}
    width = 0.8 / len(kinds)
    fills = dict(zip(dict.fromkeys(means["statistics"]), ("full", "none", "left"), strict=False))
    for number, (by, statistics) in enumerate(kinds):
        colour, marker = looks[by]
        for place, over in enumerate(PARTS):
            at = place - 0.4 + width * (number + 0.5)
            dots, mean = (
                rows[
                    (rows["by"] == by) & (rows["statistics"] == statistics) & (rows["over"] == over)
                ]
                for rows in (supernets, means)
            )
            ax.plot([at] * len(dots), dots["spearman"], "_", color=colour, ms=9, mew=1.2, alpha=0.7)
            ax.vlines(at, mean["low"], mean["high"], color=colour, lw=1.2)
            label = f"{by}, {statistics} statistics" if not place else None
            line: dict[str, Any] = {"ls": "none", "fillstyle": fills[statistics], "label": label}
            ax.plot(at, mean["spearman"], marker=marker, color=colour, ms=7, zorder=4, **line)
    baselines = here[here["part"] == "baseline"]
    for name, dashes in ((PARAMETERS, "-"), (TRAINING, ":")):
        for place, over in enumerate(PARTS):
            found = baselines[(baselines["by"] == name) & (baselines["over"] == over)]
            label = name if not place and len(found) else ""
            ax.hlines(found["spearman"], place - 0.45, place + 0.45, color="black", lw=1.6,
                      ls=dashes, label=label)  # fmt: skip
    ax.axhline(0, color="#aaaaaa", lw=0.8)
    ax.set_xticks(range(len(PARTS)), PARTS)
    low = min(0.0, here["spearman"].min())
    ax.set_ylim(low - 0.05, 1.0)
    ax.grid(visible=False, axis="x")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)


def caption(table: pd.DataFrame) -> str:
    """What is compared, the numbers, and what weight sharing can and cannot do here."""
    from dagnas.papers.panels import emulated_sentence, join_sentences, own_sentence

    sentences = [
        "Scores of cells with the weights of a supernet against the final validation accuracies of "
        "real trainings. Left: cells drawn at random, of one supernet. Right: Spearman's rank "
        "correlation over all cells, over those whose input reaches their output, and within the "
        "best tenth by real accuracy: marks are means over supernets (a dash each), lines their "
        "intervals of 95 % by Student's t. Black: what the number of parameters gives without any "
        "training, and, where single trainings are known, what a second training of a cell says of "
        "its first.",
    ]
    for images, here in table.groupby("images", sort=False):
        sentences += _words(str(images), here)
        sentences.append(own_sentence(["digits201"] if images == "digits" else []))
    return join_sentences(*sentences, emulated_sentence(table["emulated"]))


def _words(images: str, here: pd.DataFrame) -> list[str]:
    """Numbers of one image set, and what follows from them."""
    from dagnas.papers.panels import plural

    means = here[here["part"] == "mean"]
    numbers = []
    for (by, statistics), rows in means.groupby(["by", "statistics"], sort=False):
        rho = {row.over: row for row in rows_of(rows)}
        texts = " / ".join(_with_sd(rho[over].spearman, rho[over].sd) for over in PARTS)
        numbers.append(f"{by} ({statistics} statistics) {texts}")
    baselines = here[here["part"] == "baseline"]
    for name, rows in baselines.groupby("by", sort=False):
        texts = " / ".join(f"{row.spearman:.2f}" for row in rows_of(rows))
        numbers.append(f"{name!s} {texts}")
    supernets = means["n"].iloc[0]
    found = [
        f"{images}, {plural(supernets, 'supernet')}, all / connected / best tenth: "
        f"{'; '.join(numbers)}."
    ]
    top = means[means["over"] == PARTS[2]]
    whole = means[means["over"] == PARTS[0]].sort_values("spearman").iloc[-1]
    size = baselines[baselines["by"] == PARAMETERS].set_index("over")["spearman"]
    verdict = (
        f"Shared weights tell good cells from bad ones here ({whole['spearman']:.2f} at best"
        if whole["spearman"] > 0.5
        else f"Shared weights hardly tell good cells from bad ones here ({whole['spearman']:.2f}"
    )
    if PARTS[0] in size:
        word = "above" if whole["spearman"] > size[PARTS[0]] else "not above"
        verdict += f", {word} the {size[PARTS[0]]:.2f} of counting parameters"
    low, high = top["spearman"].min(), top["spearman"].max()
    found.append(
        f"{verdict}); within the best tenth their correlation is {low:.2f} to {high:.2f}, so "
        + (
            "they do not choose among good cells, and what a search finds there is luck."
            if high < 0.4
            else "they order good cells in part."
        )
    )
    return found


def _with_sd(value: float, sd: float) -> str:
    return f"{value:.2f}" + (f" ± {sd:.2f}" if sd >= 0 else "")
