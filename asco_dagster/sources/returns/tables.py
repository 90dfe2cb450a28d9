"""The two tables that the returns become: one row per answer, one row per return.

Answers are Arrow, with every repeated text stored once: a million and a half of them fit in a tenth of what
data-frame strings take. They are made some returns at a time, on their way into DuckDB, since a wave may have
a hundred million.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from asco_dagster.sources.readers.provenance import TEXT
from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.refusals import Refusal
from asco_dagster.sources.returns.settling import Record
from asco_dagster.sources.returns.workbook_cells import cell_name

if TYPE_CHECKING:
    import pyarrow as pa

GROUP = 5_000
"""Returns whose answers are made into Arrow at once: 460,000 rows of the demonstration."""


class Answers:
    """Answers of the accepted returns, as a stream of Arrow that is made again whenever it is read.

    DuckDB and ``pyarrow.table`` take the object itself. One row per answer: ``unit_type``, ``unit_code``,
    ``question``, ``value``, ``submitted_at``, ``questionnaire_version``, ``source_file``, ``source_sheet``
    (tab), ``source_row``, ``source_column`` (letter of a workbook's column, name of an export's) and
    ``source_cell`` (``C12``; null in an export).

    Args:
        records: settled, in the order of delivery.
        expected: what returns look like, by type of unit.
    """

    def __init__(self, records: Sequence[Record], expected: Mapping[str, Expected]) -> None:
        self._accepted = [record for record in records if record.status == "accepted"]
        self._expected = expected

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        import pyarrow as pa

        schema = _piece([], self._expected).schema
        pieces = (_piece(group, self._expected) for group in _groups(self._accepted))
        reader = pa.RecordBatchReader.from_batches(schema, pieces)
        return reader.__arrow_c_stream__(requested_schema)

    def table(self) -> "pa.Table":
        """All of them at once."""
        import pyarrow as pa

        return pa.table(self)


def returns_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row per return, whatever became of it.

    Returns:
        ``file``, ``unit_type``, ``unit_code``, ``status`` (``accepted``, ``superseded``, ``refused``),
        ``is_refused`` (0 or 1), ``reason``, ``tab``, ``cell``, ``answers`` (number of them),
        ``completeness`` (share of the questions put), ``submitted_at`` (the moment that is believed, null
        when none is), ``claimed_at`` (what the return or its archive says), ``moment_flag`` (see
        ``settling``), ``decided_by`` and ``superseded_by`` (see ``settling``),
        ``questionnaire_version``, ``sha256``, ``source_row`` (in an export) and ``way`` (``workbook``,
        ``web``).
    """
    names = list(_row(Record("", None, Refusal("empty_file"))))
    frame = pd.DataFrame([_row(record) for record in records], columns=names, dtype=object)
    numbers = {"is_refused": "int64", "answers": "int64", "completeness": "float64", "source_row": "Int64"}
    return frame.astype({name: numbers.get(name, TEXT) for name in names})


def _row(record: Record) -> dict[str, Any]:
    outcome = record.outcome
    returned = outcome if isinstance(outcome, Return) else None
    refusal = outcome if isinstance(outcome, Refusal) else None
    return {
        "file": record.file,
        "unit_type": returned.unit_type if returned else record.unit_type,
        "unit_code": outcome.unit_code,
        "status": record.status,
        "is_refused": int(refusal is not None),
        "reason": refusal.reason if refusal else None,
        "tab": refusal.tab if refusal else None,
        "cell": refusal.cell if refusal else None,
        "answers": returned.answers if returned else 0,
        "completeness": returned.completeness if returned else 0.0,
        "submitted_at": record.submitted_at,
        "claimed_at": record.claimed_at,
        "moment_flag": record.moment_flag,
        "decided_by": record.decided_by,
        "superseded_by": record.superseded_by,
        "questionnaire_version": returned.version if returned else None,
        "sha256": record.sha256,
        "source_row": record.row,
        "way": "workbook" if record.row is None else "web",
    }


def _groups(accepted: Sequence[Record]) -> Iterator[list[Record]]:
    """Neighbours that share questionnaire and columns, not more than ``GROUP`` of them."""

    def shared(record: Record) -> tuple[str, int]:
        return _returned(record).unit_type, id(record.headers)

    for _, same in groupby(accepted, shared):
        while group := list(islice(same, GROUP)):
            yield group


def _returned(record: Record) -> Return:
    if isinstance(record.outcome, Refusal):
        raise TypeError("a refused return has no answers")
    return record.outcome


def _piece(group: Sequence[Record], expected: Mapping[str, Expected]) -> "pa.RecordBatch":
    """The answers of some returns of one questionnaire."""
    import pyarrow as pa

    returns = [_returned(record) for record in group]
    form = expected[returns[0].unit_type] if returns else next(iter(expected.values()))
    headers = group[0].headers if group else None
    of_return = np.repeat(np.arange(len(returns), dtype="int32"), [r.answers for r in returns])
    of_place = np.fromiter(chain.from_iterable(r.places for r in returns), "int32", len(of_return))
    rows = np.asarray([place.row for place in form.places], dtype="int64")
    nothing: list[str | None] = [None] * len(form.places)
    columns: list[str]
    cells: Sequence[str | None]
    tabs: Sequence[str | None]
    if headers is not None:
        source_rows = np.asarray([record.row for record in group], dtype="int64")[of_return]
        columns, cells, tabs = list(headers), nothing, nothing
    else:
        source_rows = rows[of_place]
        columns = [cell_name(1, place.column).rstrip("1") for place in form.places]
        cells = [cell_name(place.row, place.column) for place in form.places]
        tabs = [place.tab for place in form.places]
    return pa.record_batch(
        {
            "unit_type": _shared([form.unit_type], np.zeros(len(of_return), dtype="int32")),
            "unit_code": _shared([r.unit_code for r in returns], of_return),
            "question": _shared([place.question for place in form.places], of_place),
            "value": pa.array(list(chain.from_iterable(r.values for r in returns)), pa.string()),
            "submitted_at": _shared([record.submitted_at for record in group], of_return),
            "questionnaire_version": _shared([r.version for r in returns], of_return),
            "source_file": _shared([record.file for record in group], of_return),
            "source_sheet": _shared(tabs, of_place),
            "source_row": pa.array(source_rows),
            "source_column": _shared(columns, of_place),
            "source_cell": _shared(cells, of_place),
        }
    )


def _shared(texts: Sequence[str | None], index: np.ndarray) -> "pa.DictionaryArray":
    """A column of texts, each different text stored once; a missing one is null."""
    import pyarrow as pa

    distinct = {text: number for number, text in enumerate(dict.fromkeys(t for t in texts if t is not None))}
    codes = np.asarray([-1 if text is None else distinct[text] for text in texts], dtype="int32")
    places = codes[index] if len(codes) else np.empty(0, dtype="int32")
    return pa.DictionaryArray.from_arrays(
        pa.array(places, mask=places < 0), pa.array(list(distinct), pa.string())
    )
