"""Networks of random generators, and searches among them: what results of NAGO share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dagnas.drawing.style import Look
    from dagnas.papers.inputs import Inputs
    from dagnas.spaces.generators import GeneratorSpace

#: Studies of random generators, some networks of each; of searches, and of fronts. What follows
#: names the images.
RANDOM, SEARCHES, FRONTS = "nago_random_", "nago_search_", "nago_pareto_"
#: Cost on the fronts, and its column.
COST = "cost_memory"
#: The first networks of random generators are a search by chance.
CHANCE = "random_search"
IMAGES = {
    "nago_digits": "digits",
    "nago_digits_code": "digits",
    "nago_digits_least": "digits, hardly trained",
    "nago_cifar10": "CIFAR-10 in small",
    "nago_cifar10_full": "CIFAR-10",
    "nago_flowers17": "Flowers17 in small",
}
#: Benchmark of the paper's networks and trainings.
FULL = "nago_cifar10_full"


def benchmark_of(inputs: Inputs, study: str) -> str:
    """Benchmark of a study."""
    found: str = inputs.config.section("studies")[study].benchmark
    return found


def space_of(benchmark: str) -> GeneratorSpace:
    """Space of a benchmark, which is not opened."""
    from dagnas.benchmarks.nago import SPACES
    from dagnas.spaces import nago

    found: GeneratorSpace = getattr(nago, SPACES[benchmark])
    return found


def studies(inputs: Inputs, beginning: str) -> list[str]:
    """Names of the studies that begin so."""
    return [name for name in inputs.result.names("studies") if name.startswith(beginning)]


def networks(inputs: Inputs, study: str) -> pd.DataFrame:
    """Networks of random generators in the order of their training.

    Returns
    -------
    DataFrame
        Columns of traces; generator (its number in the study), network (its number among those of
        the generator), own (simulated seconds of its training) and drawn (whether there is such a
        network).
    """
    from dagnas.benchmarks.absent import present

    traces = inputs.traces(study)
    found = traces.assign(
        generator=traces.groupby(["trial", "cell"], sort=False).ngroup(),
        network=traces.groupby(["trial", "cell"]).cumcount(),
        own=traces.groupby("trial")["seconds"].diff().fillna(traces["seconds"]),
        drawn=present(traces[COST].to_numpy()),
    )
    return found


def by_chance(inputs: Inputs, study: str) -> pd.DataFrame:
    """Random search: the first network of each random generator, with a clock of its own.

    Returns
    -------
    DataFrame
        Columns of traces, of the method "random_search".
    """
    found = networks(inputs, study)
    found = found[found["network"] == 0]
    return found.assign(
        method=CHANCE,
        seconds=found.groupby("trial")["own"].cumsum(),
        step=found.groupby("trial").cumcount(),
    ).reset_index(drop=True)


def searched(inputs: Inputs, beginning: str) -> dict[str, pd.DataFrame]:
    """Traces of random search and of the methods of a study, by benchmark, where there are both."""
    import pandas as pd

    chance = {benchmark_of(inputs, name): name for name in studies(inputs, RANDOM)}
    found = {}
    for study in studies(inputs, beginning):
        benchmark = benchmark_of(inputs, study)
        if benchmark in chance:
            drawn = by_chance(inputs, chance[benchmark])
            found[benchmark] = pd.concat([drawn, inputs.traces(study)], ignore_index=True)
    return found


def looks() -> dict[str, Look]:
    """Looks of all methods."""
    from dagnas.drawing.style import METHODS, Look

    return {
        CHANCE: METHODS[CHANCE],
        "bohb": METHODS["bohb"],
        "gp_ei": Look("GP-EI, brackets", "#D55E00", 2.4),
        "gp_ei_full": Look("GP-EI, full trainings", "#0072B2"),
        "mobo": Look("MOBO", "#AA4499", 3.0),
        "nsga2_ten": Look("NSGA-II", "#117733"),
    }


def curves_panel(ax: Axes, table: pd.DataFrame, x: str) -> None:
    """Mean of each method with a band of one standard error.

    Parameters
    ----------
    ax : Axes
    table : DataFrame
        Columns method, mean, se and the one named ``x``.
    x : str
    """
    from dagnas.drawing import style

    shown = style.looks(list(table["method"].unique()), looks())
    ends = []
    for method, look in shown.items():
        curve = table[table["method"] == method]
        se = curve["se"].fillna(0)
        ax.fill_between(
            curve[x], curve["mean"] - se, curve["mean"] + se, color=look.colour, alpha=0.15, lw=0
        )
        ax.plot(curve[x], curve["mean"], color=look.colour, lw=look.width, ls=look.dashes)
        ends.append((curve["mean"].iloc[-1], look))
    ax.set(xlim=(0, table[x].max()), xlabel=x)
    style.label_ends(ax, ends)


def protocol_sentence(benchmarks: list[str]) -> str:
    """Sentence on what was trained, in words that keep it apart from the paper's."""
    told = {
        "nago_digits": "on digits for 16 epochs",
        "nago_digits_code": "on digits for 16 epochs",
        "nago_digits_least": "on digits for 4 epochs of a few steps, which teach little",
        "nago_cifar10": "on 2,560 images of CIFAR-10 of 16 x 16 pixels for 12 epochs",
        "nago_flowers17": "on 671 images of Flowers17 of 16 x 16 pixels for 16 epochs",
    }
    small = [told[name] for name in benchmarks if name in told]
    if not small:
        return ""
    words = "; ".join(dict.fromkeys(small))
    return f"**In small, not the paper's protocol**: networks are trained {words}."
