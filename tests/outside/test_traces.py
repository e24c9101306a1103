"""Traces from outside: columns and what they say of themselves are of the right types."""

import numpy as np
import pyarrow as pa
import pytest

from dagnas.analysis import traces
from dagnas.errors import DagnasError
from dagnas.files import write_parquet
from dagnas.search.runner import TRACE

ABOUT = {
    "dagnas.method": "m",
    "dagnas.benchmark": "b",
    "dagnas.budget_seconds": "10.5",
    "dagnas.settings": '{"a": 1}',
    "dagnas.until_best": "false",
}


def written(path, about=ABOUT, **columns):
    rows = {
        name: ["x"] * 3 if TRACE.field(name).type == pa.string() else [1, 2, 3]
        for name in TRACE.names
    }
    table = pa.table(rows, schema=TRACE)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    write_parquet(table, path, about)
    return path


def test_a_trace_says_what_it_holds(tmp_path):
    frame = traces.read(written(tmp_path / "x.parquet"))
    assert frame["budget_seconds"].tolist() == [10.5] * 3
    assert np.isnan(frame["budget_evaluations"]).all()
    assert frame["cell"].tolist() == ["x"] * 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("budget_seconds", "soon", "'soon' as its budget_seconds, which is no JSON"),
        ("budget_seconds", "[" * 100_000, "as its budget_seconds, which is no JSON"),
        ("budget_seconds", "[1]", "'\\[1\\]' as its budget_seconds, which is no number"),
        ("budget_evaluations", "true", "which is no number"),
        ("budget_evaluations", "9" * 400, "which is no number"),
        ("settings", "3", "'3' as its settings"),
        ("settings", "{", "which is no JSON"),
        ("method", "", "does not tell dagnas.method"),
    ],
)
def test_notes_of_other_types(name, text, message, tmp_path):
    path = written(tmp_path / "x.parquet", {**ABOUT, f"dagnas.{name}": text})
    with pytest.raises(DagnasError, match=rf"x\.parquet.*{message}"):
        traces.read(path)


def test_columns_of_other_types(tmp_path):
    for name, values, kind in [
        ("signal", pa.array(["x"] * 3), "string"),
        ("trial", pa.array([1, 2, 3]), "int64"),
        ("cell", pa.array([b"x"] * 3), "binary"),
    ]:
        path = written(tmp_path / "x.parquet", **{name: values})
        with pytest.raises(DagnasError, match=f"no trace: its column {name} is of type {kind}"):
            traces.read(path)
