"""The changelog of a release: one section per version, newest first, in French and English.

It carries no date: the time of release is in the manifest only. Each changed number is in the revision table.
"""

from collections.abc import Iterator
from pathlib import Path

from asco_dagster.releases.changes import Changes
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.format import ReleaseFolder, VersionFormat
from asco_dagster.releases.release import Description
from asco_dagster.waves import Wave

PATH = "CHANGELOG.md"
HEADING = "# Versions\n"
_LEVELS = {
    "major": ("nombres révisés", "numbers revised"),
    "minor": ("ajouts", "additions"),
    "patch": ("correction sans nombre changé", "correction without a changed number"),
}
_KINDS = {
    "changed": ("nombres changés", "numbers changed"),
    "suppressed": ("désormais couverts par le secret", "suppressed"),
    "disclosed": ("ne sont plus couverts par le secret", "no longer suppressed"),
    "removed": ("retirés", "removed"),
}


def write(_: Wave, folder: Path, version: Description) -> list[ReleasedFile]:
    """Write the changelog of a new version: its section above those of the former version."""
    former = ""
    if version.former is not None and (version.former / PATH).is_file():
        former = (version.former / PATH).read_text(encoding="utf-8").removeprefix(HEADING)
    section = f"\n## {version.version}\n\n" + "".join(f"- {line}\n" for line in _lines(version.changes))
    (folder / PATH).write_text(HEADING + section + former, encoding="utf-8")
    return [ReleasedFile(PATH)]


def _lines(changes: Changes | None) -> list[str]:
    if changes is None:
        return ["Première version. / First version."]
    fr, en = _LEVELS[changes.level]
    lines = [f"{fr.capitalize()}. / {en.capitalize()}."]
    for stem, rows in changes.revised.items():
        counts = rows["change"].value_counts()
        lines += [
            f"{stem} : {counts[kind]} {fr} / {en}." for kind, (fr, en) in _KINDS.items() if kind in counts
        ]
    lines += [
        f"{stem} : {count} lignes nouvelles / new rows." for stem, count in changes.added.items() if count
    ]
    for stem, columns in changes.added_columns.items():
        if columns:
            lines.append(f"{stem} : colonnes nouvelles / new columns: {', '.join(columns)}.")
    for fr, en, stems in (
        ("tableaux nouveaux", "new tables", changes.added_tables),
        ("tableaux retirés", "removed tables", changes.removed_tables),
    ):
        if stems:
            lines.append(f"{fr} / {en}: {', '.join(stems)}.")
    return lines


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether its newest section is that of the version."""
    newest = (release.path / file).read_text(encoding="utf-8").partition("## ")[2].partition("\n")[0]
    if newest != release.manifest.get("version"):
        yield f"{file} describes version {newest} first."


FORMAT = VersionFormat({PATH: None}, faults, write)
