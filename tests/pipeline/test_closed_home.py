"""A home in which a wave ran to a release: what is confidential is closed, what is released is not."""

import stat
from pathlib import Path

PRIVATE = ("waves", "quarantine", "downloads", "keys")


def test_a_released_home_is_closed_but_for_its_releases(released: tuple[Path, str]) -> None:
    home = released[0]
    for top in home.iterdir():
        if top.name in {"inbox", "releases", "home.json"}:
            continue
        assert stat.S_IMODE(top.stat().st_mode) == 0o700, top
        for path in top.rglob("*") if top.name in PRIVATE else []:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    for path in (home / "releases").rglob("*"):
        wanted = 0o755 if path.is_dir() else 0o444
        assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) == wanted, path
