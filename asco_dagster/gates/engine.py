"""Great Expectations' pandas engine, set up to judge one table at a time without doing the same work twice.

GX selects the rows and columns of an expectation anew for each of its four to six metrics, and always with
every column of the table; it also hashes the whole table twice, for a fingerprint that nothing here reads.
On a wave at true size that was most of what the gates cost. What an expectation means stays GX's: the tests
compare every result with that of GX's own engine. What does not belong here: suites and verdicts.
"""

import datetime as dt
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from great_expectations.core.batch import BatchMarkers
from great_expectations.core.batch_spec import RuntimeDataBatchSpec
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.execution_engine.pandas_batch_data import PandasBatchData
from great_expectations.expectations.expectation import Expectation

_DOMAIN = ("column", "column_A", "column_B")


class OneTableEngine(PandasExecutionEngine):
    """Keeps the rows and columns that were selected from the table at hand until the next one comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kept: dict[Hashable, Any] = {}
        super().__init__(*args, **kwargs)

    def load_batch_data(self, batch_id: str, batch_data: Any) -> None:
        """Take another table; what was kept of the former one goes."""
        self._kept.clear()
        super().load_batch_data(batch_id=batch_id, batch_data=batch_data)

    def get_batch_data_and_markers(self, batch_spec: Any) -> tuple[PandasBatchData, BatchMarkers]:
        """A data frame as a batch, without the fingerprint of its content."""
        if not isinstance(batch_spec, RuntimeDataBatchSpec):
            raise TypeError("a gate judges a data frame that was read already")
        frame, batch_spec.batch_data = batch_spec.batch_data, "PandasDataFrame"
        loaded = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return PandasBatchData(self, frame), BatchMarkers({"ge_load_time": loaded})

    def get_domain_records(self, domain_kwargs: dict) -> Any:
        """The rows that an expectation is about, with its own columns only; the caller changes nothing."""
        named = [domain_kwargs[name] for name in _DOMAIN if name in domain_kwargs]
        named += domain_kwargs.get("column_list") or []
        conditions = ("batch_id", "row_condition", "condition_parser", "ignore_row_if")
        key = (*named, *(str(domain_kwargs.get(name)) for name in conditions))
        if key not in self._kept:
            rows = super().get_domain_records(domain_kwargs)
            self._kept[key] = rows[[name for name in rows.columns if name in named]] if named else rows
        return self._kept[key]

    def _apply_row_condition_filter(self, data: Any, row_condition: Any, domain_kwargs: dict) -> Any:
        """The rows of a condition, found once for all columns that are asked about under it."""
        key = ("condition", str(row_condition), str(domain_kwargs.get("condition_parser")))
        if key not in self._kept:
            self._kept[key] = super()._apply_row_condition_filter(data, row_condition, domain_kwargs)
        return self._kept[key]


def _read(expectation: Expectation, keys: tuple[str, ...]) -> dict[str, Any]:
    known = expectation.configuration.kwargs
    return {key: known.get(key, expectation._get_default_value(key)) for key in keys}


_READINGS = {
    "_get_domain_kwargs": lambda own: _read(own, own.domain_keys),
    "_get_success_kwargs": lambda own: _read(own, (*own.success_keys, *own.domain_keys)),
}


@contextmanager
def settled_expectations() -> Iterator[None]:
    """While it lasts, an expectation tells its arguments from one reading, not from one for each argument.

    GX 1.24 builds an expectation's whole configuration anew for each of its keys, some sixty times in an
    evaluation. Nothing changes an expectation meanwhile.
    """
    former = {name: getattr(Expectation, name) for name in _READINGS}
    for name, reading in _READINGS.items():
        setattr(Expectation, name, reading)
    try:
        yield
    finally:
        for name, reading in former.items():
            setattr(Expectation, name, reading)
