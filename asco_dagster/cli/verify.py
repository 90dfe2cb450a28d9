"""``asco verify``: whether a release folder, taken alone, is what its manifest says and keeps its secrets."""

from pathlib import Path
from typing import Annotated

import typer


def verify(
    release: Annotated[Path, typer.Argument(metavar="RELEASE_DIR", help="A release folder.")],
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Public key (PEM) with which the manifest must be signed."),
    ] = None,
) -> None:
    """Check signature, hashes, schema and disclosure of a release folder; exits 1 when one does not hold."""
    from asco_dagster.releases.verify import examine

    found = examine(release, public_key)
    for fault in found.faults:
        typer.echo(f"asco: {fault}", err=True)
    if found.faults:
        typer.echo("asco: the release does not hold. Take it again from its source.", err=True)
        raise typer.Exit(1)
    figures = found.figures
    typer.echo(
        f"{release}: {'signature, ' if public_key else ''}hashes, schema and disclosure hold "
        f"({figures['systems']} systems of tables attacked, {figures['suppressed']} suppressed numbers, "
        f"{figures['exact']} recomputed, {figures['answers']} answers certain)"
    )
