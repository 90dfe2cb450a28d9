"""Which code a fault tries, as a fingerprint: a try counts for as long as what it ran is what stands.

The command line never loads the modules of ``asco up``, which each try that uses it proves; so a change of
those leaves its tries standing. What does not belong here: the tries.
"""

import hashlib
import sys
from pathlib import Path

from asco_testing import CHECKOUT

_ONLY_UP = ("asco_dagster.operations.services.servers", "asco_dagster.operations.services.retries")


def fingerprint(*, served: bool, checkout: Path = CHECKOUT) -> str:
    """Of the package, its models and its suites.

    Args:
        served: whether ``asco up`` is part of the try.
        checkout: where they lie.
    """
    unloaded = set() if served else {f"{name.replace('.', '/')}.py" for name in _ONLY_UP}
    digest = hashlib.sha256()
    for folder in ("asco_dagster", "dbt_project", "expectations"):
        for path in sorted((checkout / folder).rglob("*")):
            name = path.relative_to(checkout).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and name not in unloaded:
                digest.update(name.encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def require_unloaded(command: str) -> None:
    """Have a command line, other than ``asco up``, load no module that only ``asco up`` has.

    Raises:
        AssertionError: it did, so its fingerprint leaves out what it ran.
    """
    loaded = [name for name in _ONLY_UP if name in sys.modules]
    if loaded and command != "up":
        raise AssertionError(f"asco {command} loads {', '.join(loaded)}, which its fingerprint leaves out")
