"""``asco verify``: whether a release folder, taken alone, is what its manifest says and keeps its secrets."""

from pathlib import Path
from typing import Annotated

import typer


def verify(
    release: Annotated[Path, typer.Argument(metavar="RELEASE_DIR", help="A release folder.")],
) -> None:
    """Check hashes, schema and disclosure of a release folder; exits 0 when it holds, 1 when it does not."""
    from asco_dagster.publication.verify import examine

    found = examine(release)
    for fault in found.faults:
        typer.echo(f"asco: {fault}", err=True)
    if found.faults:
        raise typer.Exit(1)
    figures = found.figures
    typer.echo(
        f"{release}: hashes, schema and disclosure hold "
        f"({figures['tables']} tables attacked, {figures['skipped']} skipped, "
        f"{figures['suppressed']} suppressed numbers, {figures['breaches']} inferred)"
    )
