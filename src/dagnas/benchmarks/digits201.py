"""digits201: every cell of NAS-Bench-201, trained on scikit-learn's digits; ships with dagnas."""

from importlib.resources import as_file, files
from pathlib import Path

from dagnas.benchmarks.benchmark import TabularBenchmark, benchmark
from dagnas.benchmarks.built import open_built
from dagnas.errors import DagnasError
from dagnas.files import sha256

#: SHA-256 of the shipped file. Being code, it makes results of another table stale.
DIGEST = "6106a71a42e02f0cedd699eabed9ea593eabd413cee46b930df03ef926ff62bc"


@benchmark()
def digits201(data: Path) -> TabularBenchmark:
    """Open the shipped table; ``data`` is not used."""
    with as_file(files("dagnas.tables") / "digits201.parquet") as path:
        if (found := sha256(path)) != DIGEST:
            raise DagnasError(f"{path} is damaged: its SHA-256 is {found}, expected {DIGEST}")
        return open_built("digits201", path)
