"""A release of two small files, to be pushed somewhere."""

from pathlib import Path

from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import ReleaseStore


def released(folder: Path, text: str = "b", second: str = "tables/b.csv") -> Path:
    """The folder of a version whose first file never changes and whose second one holds a text.

    Another text in the same folder makes the next version.
    """

    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "tables").mkdir()
        (draft / "tables" / "a.csv").write_text("x\r\n1\r\n")
        (draft / second).write_text(f"{text}\r\n2\r\n")
        return [ReleasedFile("tables/a.csv", 1), ReleasedFile(second, 1)]

    store = ReleaseStore(folder / "releases", folder / "sealed", folder / "withdrawn")
    return publish("2014", store, write, Provenance("code", [], {}, {}, {})).folder
