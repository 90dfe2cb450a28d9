"""What other users of the machine may read of a home: its releases, nothing else."""

import stat
from pathlib import Path


def require_closed(home: Path) -> None:
    """Databases, quarantine, downloads, records and keys are 0600/0700; the rest lies in closed folders."""
    private = {"waves", "quarantine", "downloads", "records", "keys"}
    open_to_all = {"inbox", "releases", "home.json"}
    for path in (home, *home.rglob("*")):
        assert path.is_symlink() or not path.stat().st_mode & 0o022, path
    for top in home.iterdir():
        if top.name in open_to_all:
            continue
        assert stat.S_IMODE(top.stat().st_mode) == 0o700, top
        for path in top.rglob("*") if top.name in private else []:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
