"""Checkpoints: those of another job are never read."""

import pyarrow as pa
import pytest

from dagnas.errors import DagnasError
from dagnas.parts import Parts


@pytest.fixture
def jobs(tmp_path):
    """Parts of two jobs on one file, as two commands have them that were started at once."""
    return [Parts(tmp_path / "out.parquet", {"method": name}) for name in ("a", "b")]


def test_a_part_of_another_job_is_not_read(jobs, tmp_path):
    one, other = jobs
    one.write("0", pa.table({"x": [1]}))
    assert one.read("0")["x"].to_pylist() == [1]
    other.write("0", pa.table({"x": [2]}))
    with pytest.raises(DagnasError, match=r"another command wrote .*out\.parquet at the same time"):
        one.read("0")
    assert not one.has("0")
    assert other.read("0")["x"].to_pylist() == [2]


def test_a_part_that_another_job_removed_is_told(jobs):
    one, other = jobs
    one.write("0", pa.table({"x": [1]}))
    other.remove()
    with pytest.raises(DagnasError, match=r"took the checkpoint 0\.parquet"):
        one.read("0")
    one.remove()
