"""Lets the tests here share ``made_up_sample``, ``true_values``, ``judged_cells``; the real files."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real files, or a skip that says so."""
    if not REAL.is_dir():
        pytest.skip("the publishers' real files are not beside this checkout (../shared/data/real)")
    return REAL
