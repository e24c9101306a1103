"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
