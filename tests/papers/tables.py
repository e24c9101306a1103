"""Invented tables that tests of papers share."""

import numpy as np
import pyarrow as pa

from dagnas.benchmarks.built import open_built
from dagnas.files import write_parquet
from dagnas.pipeline.kinds import KINDS


def searches(scale, study=""):
    """Study, method, trials, benchmark and trace of each search job of a scale."""
    for name, job in scale.jobs("search").items():
        found, method, _ = name.split("/")
        if study in ("", found):
            yield found, method, job.trials, job.benchmark, KINDS.get("search").path(scale, name)


def built(path, valid, **columns):
    """Invented table as `dagnas build-table` makes them, with the cells of NAS-Bench-201.

    Parameters
    ----------
    path : Path
    valid : dict of int to array
        Validation accuracies after each epoch, shape (rows, 2); the test's are the same.
    **columns : array
        Columns other than the defaults.
    """
    rows = len(next(iter(valid.values())))
    table = {
        "code": np.arange(rows),
        "params": np.arange(rows) + 1.0,
        "madds": np.arange(rows) + 1.0,
        **columns,
    }
    for epoch, values in valid.items():
        for seed in range(2):
            table[f"digits/valid/{epoch}/s{seed}"] = values[:, seed]
            table[f"digits/test/{epoch}/s{seed}"] = values[:, seed]
        table[f"digits/seconds/{epoch}/mean"] = np.full(rows, 0.1 * epoch)
    notes = {"schema": "1", "space": "nasbench201", "emulated": "[]", "images": "digits"}
    notes["recipe"] = "{}"
    write_parquet(pa.table(table), path, {f"dagnas.{key}": notes[key] for key in notes})
    return open_built("digits201", path)
