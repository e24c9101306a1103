"""Rank: regret of every method on every benchmark, and what follows over several benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from dagnas.analysis.aggregates import (
    Counts,
    improvement,
    interquartile_mean,
    limits,
    means,
    over_benchmarks,
    resample,
    with_interval,
)
from dagnas.analysis.paired import reports
from dagnas.analysis.ranks import Values, rounded
from dagnas.errors import DagnasError
from dagnas.papers.inputs import Inputs
from dagnas.papers.result import Result
from dagnas.search.initial import initial_phase
from dagnas.seeds import stream

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from dagnas.pipeline.kinds.search import SearchJob

RESULT = Result(
    place="Leaderboard",
    title="Rank over benchmarks, and regret on each",
    # GOAL's own searches, and those of the methods that its studies lack, under the same protocol.
    reads={"studies": ("goal_{benchmark}", "leaderboard_seconds_*")},
    benchmarks=("{benchmark}",),
    required=(),
)
#: Shares of the budget at which methods are compared.
SHARES = (0.1, 0.25, 0.5, 1.0)
#: In place of a benchmark: the mean over those with no emulated data.
REAL = "real"
#: In place of a benchmark: the mean over all.
OVERALL = "all"
#: What regrets are measured in where benchmarks are put together.
REFERENCE = "random_search"
#: Method of this project, which the others' mean ranks are compared with.
OURS = "path_gp"


class Field(NamedTuple):
    """All methods on one benchmark.

    Attributes
    ----------
    space : str
        Name of the space of its cells.
    seconds : ndarray, shape (shares,)
        Simulated seconds, or numbers of evaluations, at which methods are compared.
    emulated : str
        Quantities behind the regrets that a model gave.
    regrets : dict of str to ndarray, shape (trials, shares)
        By method.
    counts : dict of str to ndarray, shape (1 + RESAMPLES, trials)
        Resamples of the trials of each method.
    means : dict of str to ndarray, shape (1 + RESAMPLES, shares)
        Regret in each resample.
    evaluations : int, optional
        Budget of a trial, where it is in evaluations alone.
    begins : dict of str to ndarray of bool, shape (shares,)
        Whether a method still evaluates the random cells that it begins with, in the median trial.
    """

    space: str
    seconds: Values
    emulated: str
    regrets: dict[str, Values]
    counts: dict[str, Counts]
    means: dict[str, Values]
    evaluations: int | None
    begins: dict[str, NDArray[np.bool_]]


def tabulate(inputs: Inputs) -> pd.DataFrame:
    """Regret and rank of every method at several shares of the budget.

    The regret of a trial is the final test error of the cell that it reports less that of the
    best cell of the table. Methods are ranked by their mean regrets, 1 the best; equal ones share
    the mean of their ranks. Intervals of 95 % are percentiles over resamples of the trials of
    every method; a second one of mean ranks is over resamples of the benchmarks and of the trials
    on each.

    Returns
    -------
    DataFrame
        Columns benchmark, share (of the budget), seconds, method, regret (mean over trials, in
        points), regret_low, regret_high, least (regret of any trial), rank, rank_low, rank_high,
        rank_benchmarks_low and rank_benchmarks_high (over benchmarks too), behind (mean rank less
        that of path_gp, NaN if that is not among the methods), iqm (interquartile mean of the
        regret as a fraction of random search's mean regret on the same benchmark at the same time),
        over_random (probability of improvement over random search) and best_over (that of the
        method with the least mean rank over this one), these four with _low and _high, begins
        (fraction of benchmarks on which the method still evaluates the random cells that it begins
        with), space (of the cells), n (trials) and emulated; where a budget is in evaluations
        alone, also evaluations.

        Rows of the benchmark "all" are over all benchmarks and methods that all of them have, with
        the least number of trials; those of "real" are over the benchmarks with no emulated data,
        and there only if others have some.
    """
    import pandas as pd

    fields = {name: _field(inputs, name, own) for name, own in by_benchmark(inputs).items()}
    alone = [_alone(benchmark, field) for benchmark, field in fields.items()]
    return pd.concat([*alone, *over_all(fields)], ignore_index=True)


def over_all(fields: dict[str, Field]) -> list[pd.DataFrame]:
    """Rows of the means over all fields, and over those with no emulated data where some have."""
    shared = [
        method
        for method in next(iter(fields.values())).means
        if all(method in field.means for field in fields.values())
    ]
    if not shared:
        return []
    real = {name: field for name, field in fields.items() if not field.emulated}
    groups = {REAL: real} if 0 < len(real) < len(fields) else {}
    groups[OVERALL] = fields
    return [_together(name, list(group.values()), shared) for name, group in groups.items()]


def by_benchmark(inputs: Inputs) -> dict[str, list[str]]:
    """Studies of a result by their benchmarks: GOAL's first, then ours."""
    found: dict[str, list[str]] = {}
    for study in inputs.result.names("studies"):
        found.setdefault(inputs.config.section("studies")[study].benchmark, []).append(study)
    return found


def check_terms(inputs: Inputs, studies: list[str]) -> None:
    """Check that studies of one benchmark can be ranked together.

    Raises
    ------
    DagnasError
        Policies or budgets differ, or a method is in two of them.
    """
    first, methods = studies[0], set[str]()
    for study in studies:
        one, other = (_terms(inputs, name) for name in (first, study))
        if one != other:
            raise DagnasError(
                f"{first} and {study} are ranked together but differ: {one}; {other}. "
                "Give both the same policy and budget"
            )
        listed = inputs.config.section("studies")[study].methods
        if twice := sorted(methods.intersection(listed)):
            raise DagnasError(
                f"{study} has {', '.join(twice)}, which another study has that is "
                f"ranked with it ({first}): name a method in one of them"
            )
        methods.update(listed)


def _terms(inputs: Inputs, study: str) -> str:
    """Policy and budget of a study in words."""
    policy, evaluations = inputs.config.section("studies")[study].policy, inputs.evaluations(study)
    budget = f"{evaluations} evaluations" if evaluations else f"{inputs.budget(study):g} seconds"
    return f"policy {policy}, {budget}"


def _field(inputs: Inputs, name: str, studies: list[str]) -> Field:
    """Regrets of the trials of a benchmark's studies, and resamples of them."""
    import pandas as pd

    check_terms(inputs, studies)
    benchmark = inputs.benchmark(name)
    traces = pd.concat([inputs.traces(study) for study in studies], ignore_index=True)
    least = 100 - np.nanmax(benchmark.values(inputs.policy(studies[0]).test))
    times = max(inputs.budget(study) for study in studies) * np.array(SHARES)
    found = reports(traces, times)
    found = found[found["metric"] == "test error"]
    regrets = {
        str(method): rows["error"].to_numpy().reshape(-1, len(SHARES)) - least
        for method, rows in found.groupby("method", sort=False)
    }
    ended = {
        str(method): np.array(
            [
                np.searchsorted(trial["seconds"].to_numpy(), times, side="right")
                for _, trial in steps.groupby("trial")
            ]
        )
        for method, steps in traces.groupby("method", sort=False)
    }
    return resampled(
        (name,),
        regrets,
        space=benchmark.space.name,
        seconds=times,
        emulated=str(found["emulated"].iloc[0]),
        evaluations=inputs.evaluations(studies[0]),
        begins=begins(inputs, studies, ended),
    )


def resampled(names: tuple[str, ...], regrets: dict[str, Values], **about: Any) -> Field:
    """Regrets of all methods with resamples of their trials.

    Parameters
    ----------
    names : tuple of str
        Names of the random streams, with the method.
    regrets : dict of str to ndarray, shape (trials, shares)
    **about
        The other attributes of `Field`.
    """
    counts = {
        method: resample(len(values), stream("leaderboard", *names, method))
        for method, values in regrets.items()
    }
    found = {method: means(values, counts[method]) for method, values in regrets.items()}
    return Field(regrets=regrets, counts=counts, means=found, **about)


def begins(
    inputs: Inputs, studies: list[str], ended: dict[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.bool_]]:
    """Whether the median trial of each method has evaluated no more than its first cells.

    Parameters
    ----------
    inputs : Inputs
    studies : list of str
        Together they have the methods, each in one of them.
    ended : dict of str to ndarray, shape (trials, shares)
        Evaluations that have ended, by method.
    """
    lengths = {
        method: _first(inputs, study, method)
        for study in studies
        for method in inputs.config.section("studies")[study].methods
        if method in ended
    }
    return {
        method: np.asarray((np.median(counts, axis=0) <= lengths[method]) & (lengths[method] > 0))
        for method, counts in ended.items()
    }


def _first(inputs: Inputs, study: str, name: str) -> int:
    """Number of random cells that a method of a study evaluates first, 0 if it does not say."""
    jobs = inputs.config.jobs("search")
    job = jobs[next(key for key in jobs if key.startswith(f"{study}/{name}/"))]
    return initial_phase(cast("SearchJob", job).method, inputs.settings(study, name))


def _alone(benchmark: str, field: Field) -> pd.DataFrame:
    """Rows of one benchmark."""
    import pandas as pd

    ranked = dict(zip(field.means, ranks(list(field.means.values())), strict=True))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "benchmark": benchmark,
                    "share": SHARES,
                    "seconds": field.seconds,
                    "method": method,
                    **with_interval("regret", regret),
                    "least": field.regrets[method].min(axis=0),
                    **with_interval("rank", ranked[method]),
                    "begins": field.begins[method].astype(float),
                    "space": field.space,
                    "n": len(field.regrets[method]),
                    "emulated": field.emulated,
                    **({"evaluations": field.evaluations} if field.evaluations else {}),
                }
            )
            for method, regret in field.means.items()
        ]
    )


def _together(name: str, fields: list[Field], methods: list[str]) -> pd.DataFrame:
    """Rows of the means over several benchmarks."""
    import pandas as pd

    from dagnas.papers.panels import marks

    # Shape (benchmarks, methods, resamples, shares).
    each = np.array([ranks([field.means[method] for method in methods]) for field in fields])
    mean = each.mean(axis=0)
    wide = over_benchmarks(each.swapaxes(1, 2), stream("leaderboard", name, "benchmarks"))
    # In the same resamples: ranks compete, so that intervals of two of them do not tell of this.
    behind = mean - (mean[methods.index(OURS)] if OURS in methods else np.nan)
    best = mean[:, 0].argmin(axis=0)
    frames = []
    for place, method in enumerate(methods):
        over = {other: _improvement(fields, methods[other], method) for other in set(best)}
        best_over = np.stack([over[other][:, at] for at, other in enumerate(best)], axis=1)
        columns = {
            **with_interval("rank", mean[place]),
            **limits("rank_benchmarks", wide[:, place]),
            **with_interval("behind", behind[place]),
        }
        if REFERENCE in methods:
            columns |= with_interval("iqm", _normalized(fields, method))
            columns |= with_interval("over_random", _improvement(fields, method, REFERENCE))
        columns |= with_interval("best_over", best_over)
        frames.append(
            pd.DataFrame(
                {
                    "benchmark": name,
                    "share": SHARES,
                    "method": method,
                    **columns,
                    "begins": np.mean([field.begins[method] for field in fields], axis=0),
                    "space": "",
                    "n": min(len(field.regrets[method]) for field in fields),
                    "emulated": marks(field.emulated for field in fields),
                }
            )
        )
    return pd.concat(frames)


def ranks(regrets: list[Values]) -> Values:
    """Ranks of methods in each resample and at each share: shape (methods, resamples, shares)."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(rounded(np.stack(regrets)), axis=0))


def _normalized(fields: list[Field], method: str) -> Values:
    """Interquartile mean of regrets, shape (1 + RESAMPLES, shares).

    Each is a fraction of the mean regret of random search on its benchmark at that time, NaN if
    that is zero: 0 is the best cell of the table, 1 is as good as random search.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = [field.regrets[method] / field.means[REFERENCE][0] for field in fields]
    counts = [field.counts[method] for field in fields]
    by_share = [
        interquartile_mean([each[:, at] for each in scores], counts) for at in range(len(SHARES))
    ]
    return np.stack(by_share, axis=1)


def _improvement(fields: list[Field], one: str, other: str) -> Values:
    """Mean over benchmarks of the probability of improvement, shape (1 + RESAMPLES, shares)."""
    by_benchmark = [
        improvement(
            field.regrets[one], field.regrets[other], field.counts[one], field.counts[other]
        )
        for field in fields
    ]
    return np.asarray(np.mean(by_benchmark, axis=0))


def draw(table: pd.DataFrame) -> Figure:
    """Mean ranks, what is emulated apart; interquartile means; improvements; regrets; growth."""
    from dagnas.papers.leaderboard import panels

    return panels.draw(table)


def caption(table: pd.DataFrame) -> str:
    """What each panel shows, over how many trials, and what is emulated."""
    from dagnas.papers.leaderboard import panels

    return panels.caption(table)
