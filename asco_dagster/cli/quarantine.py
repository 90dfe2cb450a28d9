"""``asco quarantine``: lists the refused returns of a wave, or reads them again."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from asco_dagster.cli.arguments import AsJson, WaveName, console, home, print_json
from asco_dagster.escaping import on_one_line
from asco_dagster.sources.returns.quarantine import Entry, Quarantine
from asco_dagster.storage.shared_store.held import hold
from asco_dagster.waves import load_wave

quarantine = typer.Typer(
    name="quarantine", help="List the refused returns of a wave, or read them again.", no_args_is_help=True
)


@quarantine.command("list")
def list_(wave: WaveName, json_: AsJson = False) -> None:
    """List refused returns with reason, place and remedy.

    Example: asco quarantine list 2014
    """
    load_wave(wave)  # an unknown wave is an error, a wave without refusals is not
    _, places = home()
    entries = Quarantine(places.quarantine(wave)).entries()
    if json_:
        print_json([asdict(entry) for entry in entries])
    elif not entries:
        typer.echo(f"The quarantine of wave {wave} is empty.")
    else:
        _show(entries)


@quarantine.command()
def retry(
    wave: WaveName,
    ids: Annotated[list[str] | None, typer.Argument(help="Entries to read again; all by default.")] = None,
    json_: AsJson = False,
) -> None:
    """Read refused returns again, from their place in the inbox.

    Returns that can be read now, because codebook, sample or file was corrected, are marked, and the next run
    of the wave counts them. The others remain, with their current reason.

    Example: asco quarantine retry 2014
    """
    from asco_dagster.sources.returns.assets import try_again  # dagster, pandas

    settings, places = home()
    with hold(settings, places, wave, "asco quarantine retry") as held:
        tried = try_again(load_wave(wave), places, settings, ids or None)
        if held is not None:
            held.upload()
    if json_:
        print_json([asdict(entry) for entry in tried])
        return
    readable = sum(entry.state == "retry" for entry in tried)
    if tried:
        _show(tried)
    typer.echo(
        f"{readable} of {len(tried)} can be read now"
        + (f"; to count them: asco run {wave}" if readable else "")
    )


def _show(entries: list[Entry]) -> None:
    table = Table("entry", "state", "file", "reason", "fault and remedy", "since (UTC)")
    for entry in entries:
        file = entry.file if entry.row is None else f"{entry.file}, row {entry.row}"
        shown = escape(on_one_line(file)), entry.reason, escape(on_one_line(entry.en))
        table.add_row(entry.id, entry.state, *shown, entry.when)
    console().print(table)
