"""A place for what may not stay: deliveries from an address that hold contact details.

They are needed as files, since all cores read them, and are gone when the step is done; what a killed process
has left is removed by the next. What does not belong here: fetching them (``fetch``).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from asco_dagster.connectors.fetch import is_alive

_NAME = ".passing-"


@contextlib.contextmanager
def passing_folder(downloads: Path) -> Iterator[Path]:
    """A folder that only its owner may enter, for as long as it is used.

    Args:
        downloads: the wave's folder of downloads, which exists.
    """
    for left in downloads.glob(f"{_NAME}*"):
        owner = left.name.removeprefix(_NAME).partition("-")[0]
        if owner.isdigit() and not is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=downloads))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
