"""What a home holds of a wave, for comparing two homes or one home at two moments.

What does not belong here: making a home, or disturbing it.
"""

import hashlib
import json
from pathlib import Path

import duckdb


def release_of(home: Path, wave: str) -> dict[str, str]:
    """Hash of each released file by its path below the wave's releases; of the manifest all but its times."""
    root, found = home / "releases" / wave, {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file() and path.name != "manifest.json":
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.is_file():
            found[name] = str(json.loads(path.read_text(encoding="utf-8"))["content_sha256"])
    return found


def rows_of(home: Path, wave: str, *, read_only: bool = True) -> dict[str, int]:
    """Rows of each table of a wave; opened for writing, a lock that somebody left would refuse it."""
    path = home / "waves" / wave / "asco.duckdb"
    with duckdb.connect(str(path), read_only=read_only) as database:
        names = database.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema not in ('main') order by 1"
        ).fetchall()
        return {name: len(database.table(name)) for (name,) in names}
