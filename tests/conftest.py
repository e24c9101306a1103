"""Fixtures that all tests share."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from dagnas.files import write_parquet
from dagnas.seeds import stream
from dagnas.spaces import SPACES

# The same examples on every run, and no verdict that depends on how busy a machine is.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Folder of real tables (DAGNAS_MIRROR); tests that need it are skipped without one."""
    place = os.environ.get("DAGNAS_MIRROR")
    if not place or not Path(place).is_dir():
        pytest.skip("needs real tables: set DAGNAS_MIRROR to a folder that holds them")
    return Path(place).resolve()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with an invented table of NAS-Bench-201, for tests that need no real numbers.

    Accuracy grows with the number of 3x3 convolutions and skip connections; two repeats differ
    by a fixed noise.
    """
    folder = tmp_path_factory.mktemp("data")
    space = SPACES.get("nasbench201")
    cells = space.enumerate()
    worth = np.array([0.0, 2.0, 3.0, 4.0, 1.0])[space.to_values(cells)].sum(axis=1)
    noise = stream("invented").normal(0, 0.5, size=(2, len(cells)))
    columns = {"code": space.pack(cells), "params": 1e5 * (1 + worth)}
    for epochs, base in ((12, 50), (200, 65)):
        for repeat in range(2):
            columns[f"cifar10/valid/{epochs}/s{repeat}"] = base + worth + noise[repeat]
        columns[f"cifar10/valid/{epochs}/mean"] = base + worth + noise.mean(axis=0)
        columns[f"cifar10/test/{epochs}/mean"] = base + worth
        columns[f"cifar10/seconds/{epochs}/mean"] = epochs * (5 + worth / 4)
    notes = {"schema": "1", "space": "nasbench201", "source": "invented", "sha256": "0" * 64}
    notes["emulated"] = '["cifar10/valid/200/s0", "cifar10/seconds/12/mean"]'
    metadata = {f"dagnas.{key}": value for key, value in notes.items()}
    write_parquet(pa.table(columns), folder / "nasbench201.parquet", metadata)
    return folder
