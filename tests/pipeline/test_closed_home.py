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
            # notes on the publication layer's own gates tell of what is public
            if not (path.parent.name == "gates" and path.name.startswith("pub_")):
                assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    for path in (home / "releases").rglob("*"):
        assert path.is_symlink() or path.stat().st_mode & stat.S_IROTH, path
