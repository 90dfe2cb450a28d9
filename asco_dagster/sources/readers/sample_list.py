"""The list of sampled units, as semicolon-separated text."""

from pathlib import Path

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import check_header, read_rows
from asco_dagster.sources.readers.delimited_table import DelimitedTable
from asco_dagster.sources.readers.provenance import no_rows, with_source

UNIT_TYPES = ("commune", "epci")

_SAMPLE_COLUMNS = ("unit_type", "unit_code", "stratum")
_UNIT_CODE = r"[0-9A-Z]+"
_EXPECTED_CODE = "a commune code or a SIREN: digits and capitals only"


def read_sample(path: Path) -> pd.DataFrame:
    """Read the delivered list of sampled units.

    Args:
        path: CSV, ``;``, UTF-8, with the columns ``unit_type;unit_code;stratum``.

    Returns:
        One row per sampled unit: ``unit_type`` (``commune``, ``epci``), ``unit_code``, ``stratum``,
        ``source_file``, ``source_sheet`` (null), ``source_row``.

    Raises:
        SourceError: another header, an unknown unit type, a code or stratum missing, a unit given twice.
    """
    found = read_rows(path)
    table = DelimitedTable.of(path, None, found.header, found.rows)
    check_header(table.header, required=_SAMPLE_COLUMNS, known=lambda name: False, path=path)
    frame = pd.DataFrame(
        {
            "unit_type": table.codes("unit_type", "|".join(UNIT_TYPES), expected=" or ".join(UNIT_TYPES)),
            "unit_code": table.codes("unit_code", _UNIT_CODE, expected=_EXPECTED_CODE),
            "stratum": table.codes("stratum", r".*\S.*", expected="the name of a stratum"),
        }
    )
    _check_unique(frame["unit_type"] + " " + frame["unit_code"], table, "unit_code")
    return with_source(frame, path, sheet=None, rows=table.rows)


def empty_sample() -> pd.DataFrame:
    """A list of sampled units without any."""
    return no_rows(*_SAMPLE_COLUMNS)


def _check_unique(units: pd.Series, table: DelimitedTable, column: str) -> None:
    twice = units.index[units.duplicated()]
    if len(twice):
        first = int(units.index[units == units[twice[0]]][0])
        raise SourceError(
            f"unit “{units[twice[0]]}” is already on row {table.rows[first]}",
            file=table.path,
            row=int(table.rows[twice[0]]),
            column=column,
            expected="one row per unit",
            remedy="keep the right row and deliver the file again",
        )
