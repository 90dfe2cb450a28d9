"""Lets the tests of this folder share ``small_wave`` and ``mutations``; one small wave for a session."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def small_wave(tmp_path_factory: pytest.TempPathFactory) -> Iterator["object"]:
    """A small wave that ran to a release, a former wave's release beside it."""
    from small_wave import made_small_wave

    home = tmp_path_factory.mktemp("small")
    with made_small_wave(home) as made:
        yield made
    shutil.rmtree(home, ignore_errors=True)
