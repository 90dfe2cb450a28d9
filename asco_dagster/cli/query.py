"""``asco query``: reads the tables of a wave as its last run left them."""

import csv
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from asco_dagster.cli.arguments import WaveName, console, home
from asco_dagster.storage.readable import query as read_query
from asco_dagster.waves import load_wave


def query(
    wave: WaveName,
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="For example: select * from estimation.est_asco__estimates")
    ],
    csv_: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
) -> None:
    """Query a wave's tables as its last finished run left them, without disturbing a run in progress.

    Example: asco query 2014 "select * from estimation.est_asco__estimates limit 5"
    """
    load_wave(wave)
    _, places = home()
    columns, rows = read_query(places, wave, sql)
    if csv_:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        _show(columns, rows)


def _show(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    shown = console()
    shown.print(table)
    shown.print(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}", highlight=False)
