"""The changelog of a release: one section a version, newest first, in French and English.

It carries no date: the time of release stands in the manifest only. What does not belong here: each changed
number, which is in the revision table.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.releases.changes import Changes
from asco_dagster.releases.contract import ReleasedFile

if TYPE_CHECKING:
    from asco_dagster.releases.release import Description

PATH = "CHANGELOG.md"
HEADING = "# Versions\n"
_LEVELS = {
    "major": ("nombres révisés", "numbers revised"),
    "minor": ("ajouts", "additions"),
    "patch": ("correction sans nombre changé", "correction without a changed number"),
}
_KINDS = {
    "changed": ("nombres changés", "numbers changed"),
    "suppressed": ("passés au secret", "suppressed"),
    "told": ("sortis du secret", "no longer suppressed"),
    "removed": ("retirés", "removed"),
}


def write_changelog(folder: Path, told: "Description") -> list[ReleasedFile]:
    """Write the changelog of a new version: its section above those of the former version."""
    former = ""
    if told.former is not None and (told.former / PATH).is_file():
        former = (told.former / PATH).read_text(encoding="utf-8").removeprefix(HEADING)
    section = f"\n## {told.version}\n\n" + "".join(f"- {line}\n" for line in _lines(told.changes))
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
