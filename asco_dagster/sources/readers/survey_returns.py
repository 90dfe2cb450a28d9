"""What the web questionnaire exports, and the list of sampled units, both as semicolon-separated text.

Contact columns are dropped before anything is kept, and no cell of theirs is ever shown in an error.
What does not belong here: judging answers, and replacing codes by pseudonyms.
"""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import DelimitedTable, check_header, read_delimited
from asco_dagster.sources.readers.provenance import text_column, text_or_missing, with_source

UnitType = Literal["commune", "epci"]

UNIT_TYPES = ("commune", "epci")

_KEYS = ("unit_code", "submitted_at", "version")
_SAMPLE_COLUMNS = ("unit_type", "unit_code", "stratum")
_UNIT_CODE = r"[0-9A-Z]+"
_EXPECTED_CODE = "a commune code or a SIREN: digits and capitals only"


def read_survey_export(
    path: Path, *, questions: AbstractSet[str], contact: AbstractSet[str], unit_type: UnitType
) -> pd.DataFrame:
    """Read the export of the web questionnaire into one row an answer.

    Args:
        path: CSV, ``;``, UTF-8 with or without byte-order mark: ``unit_code;submitted_at;version``, then
            one column a question and the contact columns, in any order.
        questions: codes of all questions of this questionnaire; each must have its column.
        contact: names of the contact columns, which may be there and are dropped.
        unit_type: who answers.

    Returns:
        One row a unit and question with an answer, in the order of the file: ``unit_type``, ``unit_code``,
        ``question``, ``value`` (text as delivered, trimmed), ``submitted_at`` (text), and
        ``questionnaire_version``, ``source_file``, ``source_sheet`` (null), ``source_row``, ``source_column``
        (name in the header).

    Raises:
        SourceError: unknown or missing column, a unit missing or given twice, ragged or undecodable file.
    """
    if unit_type not in UNIT_TYPES:
        raise ValueError(f"unit_type {unit_type!r} is none of {', '.join(UNIT_TYPES)}")
    table = _without(read_delimited(path), contact)
    check_header(table.header, required=[*_KEYS, *sorted(questions)], known=lambda name: False, path=path)
    units = table.codes("unit_code", _UNIT_CODE, expected=_EXPECTED_CODE)
    _check_unique(units, table, "unit_code")
    rows, names, values = _answers(table, [name for name in table.header if name in questions])
    frame = pd.DataFrame(
        {
            "unit_type": text_column([unit_type] * len(rows)),
            "unit_code": units.take(rows).reset_index(drop=True),
            "question": names,
            "value": values,
            "submitted_at": text_or_missing(table.cells("submitted_at")).take(rows).reset_index(drop=True),
            "questionnaire_version": text_or_missing(table.cells("version"))
            .take(rows)
            .reset_index(drop=True),
        }
    )
    with_source(frame, path, sheet=None, rows=np.asarray(table.rows, dtype="int64")[rows].tolist())
    frame["source_column"] = names
    return frame


def _without(table: DelimitedTable, names: AbstractSet[str]) -> DelimitedTable:
    """The table without these columns."""
    kept = [index for index, name in enumerate(table.header) if name not in names]
    return DelimitedTable(
        table.path,
        table.sheet,
        [table.header[index] for index in kept],
        [table.columns[index] for index in kept],
        table.rows,
    )


def _answers(table: DelimitedTable, questions: list[str]) -> tuple[np.ndarray, pd.Series, pd.Series]:
    """Cells with an answer, unit by unit: index of the row, question, value."""
    rows: list[np.ndarray] = []
    values: list[str] = []
    counts: list[int] = []
    for name in questions:
        cells = [cell.strip() for cell in table.cells(name)]
        answered = [index for index, cell in enumerate(cells) if cell]
        rows.append(np.asarray(answered, dtype="int64"))
        values += [cells[index] for index in answered]
        counts.append(len(answered))
    index = np.concatenate(rows) if rows else np.empty(0, dtype="int64")
    order = np.argsort(index, kind="stable")
    names = text_column(questions).repeat(counts)
    return (
        index[order],
        names.take(order).reset_index(drop=True),
        text_column(values).take(order).reset_index(drop=True),
    )


def read_sample(path: Path) -> pd.DataFrame:
    """Read the delivered list of sampled units.

    Args:
        path: CSV, ``;``, UTF-8, with the columns ``unit_type;unit_code;stratum``.

    Returns:
        One row a sampled unit: ``unit_type`` (``commune``, ``epci``), ``unit_code``, ``stratum``,
        ``source_file``, ``source_sheet`` (null), ``source_row``.

    Raises:
        SourceError: another header, an unknown unit type, a code or stratum missing, a unit given twice.
    """
    table = read_delimited(path)
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
    """A list of sampled units, in the columns of ``read_sample``, without any."""
    frame = pd.DataFrame({name: text_column([]) for name in _SAMPLE_COLUMNS})
    return with_source(frame, Path(), sheet=None, rows=[])


def _check_unique(units: pd.Series, table: DelimitedTable, column: str) -> None:
    twice = units.index[units.duplicated()]
    if len(twice):
        first = int(units.index[units == units[twice[0]]][0])
        raise SourceError(
            f"unit “{units[twice[0]]}” stands on row {table.rows[first]} already",
            file=table.path,
            row=table.rows[int(twice[0])],
            column=column,
            expected="one row a unit",
            remedy="keep the row that holds and deliver the file again",
        )
