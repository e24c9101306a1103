"""Warning of searches that are random search: the budget ends with the method's initial phase."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagnas.pipeline.job import Job


def warn_if_random(job: Job, out: Path) -> None:
    """Say on the standard error, in one line, that a search has learned nothing.

    Its trace is read, since a budget in seconds does not tell how many cells it pays for.
    """
    from dagnas.pipeline.kinds.search import SearchJob

    # Rankings after a search are made by jobs of this kind too.
    if isinstance(job, SearchJob) and job.COMMAND == "search" and (words := random_words(out)):
        print(f"dagnas: {words}", file=sys.stderr)


def random_words(trace: Path) -> str:
    """Sentence that the trials of a trace are random search, "" if they are not.

    That is so if the median trial evaluated no more than the cells of its initial phase.
    """
    import numpy as np

    from dagnas.files import read_parquet
    from dagnas.search.initial import initial_phase, initial_setting

    stored = read_parquet(trace, ["trial"])
    about = {k.decode(): v.decode() for k, v in (stored.schema.metadata or {}).items()}
    method, until_best = about["dagnas.method"], json.loads(about["dagnas.until_best"])
    first = initial_phase(method, json.loads(about["dagnas.settings"]))
    # A trace until the best cell holds only improvements.
    evaluated = json.loads(about["dagnas.budget_evaluations"]) if until_best else None
    if evaluated is None:
        _, counts = np.unique(stored["trial"].to_numpy(), return_counts=True)
        evaluated = np.inf if until_best else np.median(counts)
    if not 0 < evaluated <= first:
        return ""
    setting = initial_setting(method)
    return (
        f"{method} evaluates {first} random cells before it learns ({setting}={first}) and the "
        f"budget ends after {evaluated:g}, so this is random search; set a smaller {setting}"
    )
