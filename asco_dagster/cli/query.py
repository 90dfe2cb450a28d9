"""``asco query``: reads a wave's tables as its last run left them; see ``storage/readable.py``."""

import csv
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer


def query(
    wave: Annotated[str, typer.Argument(help="The wave.")],
    sql: Annotated[str, typer.Argument(help="For example: select * from estimation.est_asco__estimates")],
    csv_: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
) -> None:
    """Query a wave's tables as its last finished run left them; a run in progress is not disturbed."""
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.readable import query as ask
    from asco_dagster.waves import load_wave

    load_wave(wave)
    columns, rows = ask(Places.of(Settings.from_environment()), wave, sql)
    if csv_:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        _show(columns, rows)
    raise typer.Exit(0)


def _show(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    console = Console()
    console.print(table)
    console.print(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}", highlight=False)
