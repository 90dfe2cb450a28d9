"""``asco releases``: what was released. The folders are read in ``operations/releases.py``."""

import json
from typing import Annotated

import typer


def releases(
    wave: Annotated[str | None, typer.Argument(help="One wave; all of them without it.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
) -> None:
    """List the releases with version, date and hash; an asterisk marks the one that latest points to."""
    from asco_dagster.operations.releases import list_releases, released_waves
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    places = Places.of(Settings.from_environment())
    waves = released_waves(places) if wave is None else [wave]
    if wave is not None and wave not in released_waves(places):
        load_wave(wave)  # a wave that does not exist is an error, one without a release is not
    found = list_releases(places, waves)
    if json_:
        typer.echo(json.dumps([release.told() for release in found], indent=2))
    elif not found:
        typer.echo(
            f"No release{f' of wave {wave}' if wave else ''} yet: asco run {wave or 'WAVE'} makes one."
        )
    for release in [] if json_ else found:
        mark = "*" if release.latest else " "
        state = "" if release.state == "public" else f"  {release.state}"
        told = f"{release.wave}  {release.version}  {release.released_at}  {release.content_sha256}{state}"
        typer.echo(f"{mark} {told}")
    raise typer.Exit(0)
