"""The page of a candidate among the quality pages, in French and English, styled as the quality report."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.publication.candidate.differences import Differences, differences
from asco_dagster.publication.quality_report import page as report
from asco_dagster.releases.candidate import PAGE, Candidate, candidate_of
from asco_dagster.releases.store import ReleaseStore, read_manifest
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave

_FOLDER = Path(__file__).parent


def update_candidate_page(places: Places, wave: Wave) -> Candidate | None:
    """Write the page of a wave's candidate, or remove the page where no version waits for an approval.

    Returns:
        The candidate, None where there is none.
    """
    candidate = candidate_of(places, wave.wave)
    target = places.quality(wave.wave) / PAGE
    if candidate is None:
        target.unlink(missing_ok=True)
        return None
    store = ReleaseStore.of(places, wave.wave)
    found = differences(store.content(candidate.former), candidate.folder)
    make_folder(target.parent)
    write_whole(target, render(wave, candidate, found))
    return candidate


def render(wave: Wave, candidate: Candidate, found: Differences) -> str:
    """Write the page; before the day of the release it has counts and no result.

    Args:
        wave: the wave.
        candidate: the candidate.
        found: what it changes.

    Returns:
        The HTML.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": report.percent, "number": report.number, "both": report.both}
    styles = Path(report.__file__).parent
    return environment.get_template("page.html.j2").render(
        wave=wave,
        candidate=candidate,
        found=found,
        names=report.names(),
        results=candidate.public_from is None,
        reason=wave.release.reasons.get(candidate.version),
        hash=read_manifest(candidate.folder)["content_sha256"],
        style=_file(styles / "page.css"),
        script=_file(styles / "page.js"),
    )


def _file(path: Path) -> Any:
    return Markup(path.read_text(encoding="utf-8"))  # noqa: S704 (a file of this package)
