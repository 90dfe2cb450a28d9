"""``asco verify``: checks a release folder on its own."""

from pathlib import Path
from typing import Annotated

import typer

from asco_dagster.releases.verify import examine


def verify(
    release: Annotated[Path, typer.Argument(metavar="RELEASE_DIR", help="A release folder.")],
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Public key (PEM) with which the manifest must be signed."),
    ] = None,
) -> None:
    """Check signature, hashes, schema and disclosure of a release folder.

    Exit code: 0 valid, 1 not valid.
    """
    found = examine(release, public_key)
    for fault in found.faults:
        typer.echo(f"asco: {fault}", err=True)
    if found.faults:
        typer.echo("asco: the release is not valid. Download it again from its source.", err=True)
        raise typer.Exit(1)
    figures = found.figures
    typer.echo(
        f"{release}: {'signature, ' if public_key else ''}hashes, schema and disclosure hold "
        f"({figures['systems']} systems of tables attacked, {figures['suppressed']} suppressed numbers, "
        f"{figures['exact']} recomputed, {figures['answers']} answers certain)"
    )
