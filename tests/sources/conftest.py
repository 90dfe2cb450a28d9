"""The publishers' real files, for the tests marked ``real``."""

from pathlib import Path

import pytest

from asco_testing import REAL


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real files, or a skip that says so."""
    if not REAL.is_dir():
        pytest.skip("the publishers' real files are not beside this checkout (../shared/data/real)")
    return REAL
