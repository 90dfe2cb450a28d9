"""The table of broken and hostile release folders: how each is broken, and what its sentence must say.

A case changes a release folder. What does not belong here: trying them (``test_broken_inputs``).
"""
# ruff: noqa: E501 (a case a line)

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asco_testing.security.broken_input import Broken

FILES = {
    "tables/asco_cells.parquet": "no Parquet",
    "tables/asco_cells.csv": "x\r\n1\r\n",
    "tables/departement_profiles.parquet": "no Parquet",
}
"""The files that a release cannot be without, which a sound manifest names."""

_SOURCE = "from its source."


def _manifest(name: str, change: Callable[[dict[str, Any]], object], *told: str) -> Broken:
    def make(release: Path) -> None:
        manifest = json.loads((release / "manifest.json").read_text())
        change(manifest)
        _write(release, json.dumps(manifest))

    return Broken(f"manifest: {name}", make, (*told, _SOURCE))


def _text(name: str, change: Callable[[str], str | bytes], *told: str) -> Broken:
    def make(release: Path) -> None:
        _write(release, change((release / "manifest.json").read_text()))

    return Broken(f"manifest: {name}", make, (*told, _SOURCE))


def _folder(name: str, change: Callable[[Path], object], *told: str) -> Broken:
    return Broken(f"release folder: {name}", change, (*told, _SOURCE))


def _write(release: Path, text: str | bytes) -> None:
    path = release / "manifest.json"
    path.chmod(0o600)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def _names(path: str) -> Callable[[dict[str, Any]], object]:
    """The manifest that also names a path, with the checksum of what is there."""
    return lambda manifest: manifest["files"].update({path: {"sha256": "0" * 64, "bytes": 1, "rows": None}})


def _rules(**rules: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["rules"].update(rules)


def _altered(release: Path) -> None:
    file = release / "tables" / "asco_cells.csv"
    file.chmod(0o600)
    file.write_text("y")


def _entry(**keys: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["files"]["tables/asco_cells.csv"].update(keys)


# fmt: off
RELEASE_FOLDERS = [
    _text("empty", lambda _: "", "file manifest.json: the manifest is not JSON"),
    _text("null bytes", lambda text: b"\0" * len(text), "file manifest.json: the manifest is not JSON"),
    _text("half", lambda text: text[:300], "file manifest.json: the manifest is not JSON"),
    _text("a list", lambda text: f"[{text}]", "file manifest.json: the manifest is not JSON"),
    _text("nested without end", lambda _: "[" * 100_000, "file manifest.json: the manifest is not JSON"),
    _text("files twice", lambda text: text.replace('"files": {', '"files": {}, "files": {', 1), "file manifest.json: the manifest is not JSON"),
    _manifest("no files", lambda manifest: manifest.pop("files"), "file manifest.json: the manifest says nothing of files; expected an object"),
    _manifest("files as a list", lambda manifest: manifest.update(files=["tables/asco_cells.csv"]), "file manifest.json: the manifest says nothing of files; expected an object"),
    _manifest("no rules", lambda manifest: manifest.pop("rules"), "file manifest.json: the manifest says nothing of rules; expected an object"),
    _manifest("weaker rules", _rules(minimum_respondents=1), "the manifest declares minimum_respondents 1, weaker than any release may", "greater than or equal to 3"),
    _manifest("a rule of everything", _rules(dominance_share=1.0), "the manifest declares dominance_share 1.0, weaker than any release may"),
    _manifest("a rule that is a text", _rules(group_threshold="none"), "the manifest declares group_threshold 'none'", "a valid integer"),
    _manifest("a rounding of nought", lambda manifest: manifest["rounding"].update(share=0), "the manifest declares the rounding step 0 for share"),
    _manifest("a path up and away", _names("../../etc/hostname"), "the manifest names “../../etc/hostname”, which is no file of the release"),
    _manifest("a path from the root", _names("/etc/hostname"), "the manifest names “/etc/hostname”, which is no file of the release"),
    _manifest("a path that comes back", _names("tables/../tables/asco_cells.csv"), "the manifest names “tables/../tables/asco_cells.csv”, which is no file of the release"),
    _manifest("a path of another system", _names("..\\..\\secrets"), "which is no file of the release"),
    _manifest("a path with a null byte", _names("tables/a\0b"), "the manifest names “tables/a\\u0000b”, which is no file of the release"),
    _manifest("a path that is itself", _names("manifest.json"), "the manifest names “manifest.json”, which is no file of the release"),
    _manifest("a checksum that is a text", _entry(sha256="whatever"), "tables/asco_cells.csv was altered: its sha256 is not the manifest's"),
    _manifest("an entry that is a text", lambda manifest: manifest["files"].update({"tables/asco_cells.csv": "ok"}), "the manifest says no sha256 and size of tables/asco_cells.csv"),
    _manifest("no cells", lambda manifest: manifest["files"].pop("tables/asco_cells.parquet"), "tables/asco_cells.parquet is in the folder but not in the manifest"),
    _folder("a link out of it", lambda release: (release / "hosts").symlink_to("/etc/hosts"), "hosts is a symbolic link; a release holds files only"),
    _folder("a folder that is a link", lambda release: (release / "more").symlink_to("/etc"), "more is a symbolic link; a release holds files only"),
    _folder("a pipe", lambda release: os.mkfifo(release / "pipe"), "pipe is neither a file nor a folder"),
    _folder("a file more", lambda release: (release / "more.csv").write_text("x"), "more.csv is in the folder but not in the manifest"),
    _folder("a file less", lambda release: (release / "tables" / "asco_cells.csv").unlink(), "tables/asco_cells.csv is in the manifest but not in the folder"),
    _folder("a file altered", _altered, "tables/asco_cells.csv was altered: its sha256 is not the manifest's"),
    _folder("cells that are no Parquet", lambda _: None, "tables/asco_cells.parquet is no Parquet file"),
]
# fmt: on
