"""The quality report of a release: one page, written by ``publication.quality_report``."""

from collections.abc import Iterator

from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.releases.format import Format, ReleaseFolder

PATH = "report/index.html"


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it gives the share of cells that are released."""
    page = (release.path / file).read_text(encoding="utf-8")
    share = round(float((release.rows(contract_of(CELLS))["status"] == "V").mean()), 6)
    if f"{100 * share:.1f}%" not in page:
        yield f"{file} does not give the share of cells that the release has."


FORMAT = Format({PATH: None}, faults)
