"""``asco releases``: lists the versions of one wave or all."""

from dataclasses import asdict
from typing import Annotated

import typer

from asco_dagster.cli.arguments import AsJson, home, print_json
from asco_dagster.operations.monitoring.releases import list_releases, released_waves
from asco_dagster.waves import load_wave


def releases(
    wave: Annotated[str | None, typer.Argument(metavar="WAVE", help="The wave; all by default.")] = None,
    json_: AsJson = False,
) -> None:
    """List releases with version, date and hash; an asterisk marks the latest.

    Example: asco releases 2014
    """
    _, places = home()
    if wave is not None and wave not in released_waves(places):
        load_wave(wave)  # an unknown wave is an error, a wave without a release is not
    found = list_releases(places, released_waves(places) if wave is None else [wave])
    if json_:
        print_json([asdict(release) for release in found])
        return
    if not found:
        typer.echo(f"No release{f' of wave {wave}' if wave else ''} yet. Run: asco run {wave or 'WAVE'}")
    for release in found:
        mark = "*" if release.latest else " "
        state = "" if release.state == "public" else f"  {release.state}"
        columns = (release.wave, release.version, release.released_at, release.content_sha256)
        approved = f"  approved by {release.approved_by}" if release.approved_by else ""
        typer.echo(f"{mark} {'  '.join(columns)}{state}{approved}")
