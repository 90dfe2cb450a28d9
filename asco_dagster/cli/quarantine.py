"""``asco quarantine``: the refused returns of a wave, and another try."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from asco_dagster.sources.returns.quarantine import Entry, Quarantine

quarantine = typer.Typer(
    name="quarantine",
    help="The refused returns of a wave: list them, or have them read again.",
    no_args_is_help=True,
)


@quarantine.command("list")
def list_(
    wave: Annotated[str, typer.Argument(help="The wave.")],
    json_: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
) -> None:
    """List what was refused, with reason, place and remedy."""
    entries = _of(wave).entries()
    if json_:
        typer.echo(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2))
    elif not entries:
        typer.echo(f"Nothing of wave {wave} is in quarantine.")
    else:
        _show(entries)
    raise typer.Exit(0)


@quarantine.command()
def retry(
    wave: Annotated[str, typer.Argument(help="The wave.")],
    ids: Annotated[list[str] | None, typer.Argument(help="Some entries; all of them without it.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
) -> None:
    """Put the refused returns through the reader again, where they lie in their delivery.

    Those that can be read by now (since codebook or sample were mended, or the file in the inbox was) are
    marked, and the next run of the wave counts them; the others stay, with their reason of today.
    """
    from asco_dagster.settings import Settings
    from asco_dagster.sources.returns.assets import try_again
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.shared_store.held import hold
    from asco_dagster.waves import load_wave

    settings = Settings.from_environment()
    places = Places.of(settings)
    with hold(settings, places, wave, "asco quarantine retry") as held:
        tried = try_again(load_wave(wave), places, settings, ids or None)
        if held is not None:
            held.keep()
    if json_:
        typer.echo(json.dumps([asdict(entry) for entry in tried], ensure_ascii=False, indent=2))
        raise typer.Exit(0)
    readable = sum(entry.state == "retry" for entry in tried)
    if tried:
        _show(tried)
    typer.echo(
        f"{readable} of {len(tried)} can be read now"
        + (f": asco run {wave} counts them." if readable else ".")
    )
    raise typer.Exit(0)


def _of(wave: str) -> "Quarantine":
    from asco_dagster.settings import Settings
    from asco_dagster.sources.returns.quarantine import Quarantine
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    load_wave(wave)  # a wave that does not exist is an error, one without refusals is not
    return Quarantine(Places.of(Settings.from_environment()).quarantine(wave))


def _show(entries: "list[Entry]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from asco_dagster.escaping import on_one_line

    table = Table("entry", "state", "file", "reason", "what is wrong, and the remedy", "since (UTC)")
    for entry in entries:
        file = entry.file if entry.row is None else f"{entry.file}, row {entry.row}"
        shown = escape(on_one_line(file)), entry.reason, escape(on_one_line(entry.en))
        table.add_row(entry.id, entry.state, *shown, entry.when)
    console = Console()
    if not console.is_terminal:
        console.width = 240  # a pipe has no width; nothing is cut
    console.print(table)
