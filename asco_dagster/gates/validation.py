"""Running a suite on its table, in DuckDB, by Great Expectations' SQL engine (``duckdb_engine``).

The table is read where it is, on the wave's open connection. Great Expectations costs seconds to import, so
that happens here, inside, once a run.
"""

import functools
import logging
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.gates.explanation import expected_text, limits, names_of_bounds
from asco_dagster.gates.results import GateResult, Verdict
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.suite_faults import MAY_MATCH_NO_ROW
from asco_dagster.layers import layer_of, table_of
from asco_dagster.storage.warehouse import count_rows
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

SAMPLE = 10  # offending keys shown: enough to find the fault, too few to be a list of units
COUNTS_ROWS = ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")  # 0 is an answer
NUMBER = "number"  # key of meta: the number of an expectation, through Great Expectations and back
_FRACTIONS = ("DOUBLE", "FLOAT")


def run_suite(suite: Suite, connection: "duckdb.DuckDBPyConnection", wave: Wave) -> tuple[Any, GateResult]:
    """Run a suite on the table of its asset, with the wave's bounds as suite parameters.

    Args:
        suite: the suite.
        connection: the wave's database, which has the table.
        wave: the wave, for its bounds.

    Returns:
        Great Expectations' result, and what the gate makes of it: a verdict an expectation, in the order in
        which they were evaluated; of one that Great Expectations leaves out, last, a verdict that closes the
        gate.

    Raises:
        ConfigurationError: the suite takes a bound that the wave file does not give.
    """
    missing = sorted(suite.parameters() - set(wave.bounds))
    if missing:
        raise ConfigurationError(
            f"suite {suite.asset} takes the bound {', '.join(missing)}, which the wave does not give",
            file=f"{wave.wave}.yaml",
            remedy="Add it under bounds",
        )
    # Counts suffice for what holds. Only what failed is evaluated again, for some rows.
    counts = {"result_format": "BASIC", "partial_unexpected_count": 0}
    rows = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLE, "include_unexpected_rows": True}
    asked = _numbered(suite)
    outcome = evaluate(suite, connection, wave, asked, **counts)
    failed = {number for number, result in _results(outcome) if not result.success}
    if failed:
        again = [one for one in asked if one["meta"][NUMBER] in failed]
        found = dict(_results(evaluate(suite, connection, wave, again, **rows)))
        outcome.results = [found.get(number, result) for number, result in _results(outcome)]
    return outcome, judge(suite, outcome, wave, count_rows(connection, suite.asset))


def evaluate(
    suite: Suite,
    connection: "duckdb.DuckDBPyConnection",
    wave: Wave,
    expectations: Sequence[Any],
    **form: Any,
) -> Any:
    """Great Expectations' result of some of a suite's expectations, in a ``form`` of its result formats."""
    gx, context = great_expectations()
    from great_expectations.core.batch import Batch
    from great_expectations.validator.validator import Validator

    from asco_dagster.gates.duckdb_engine import DuckDBEngine

    result_format: Any = {**form, "return_unexpected_index_query": False}
    engine = DuckDBEngine.on(connection)
    table = connection.table(table_of(suite.asset))
    columns = dict(zip(table.columns, map(str, table.types), strict=True))
    batch = Batch(data=_rows(engine, suite.asset, columns))
    validator = Validator(execution_engine=engine, data_context=context, batches=[batch])
    content = {"name": suite.asset, "meta": dict(suite.content.get("meta", {}))}
    return validator.validate(
        gx.ExpectationSuite(**content, expectations=list(expectations)),
        suite_parameters=dict(wave.bounds),
        result_format=result_format,
    )


def _rows(engine: Any, asset: str, columns: Mapping[str, str]) -> Any:
    """The table as Great Expectations queries it: what is no number is missing, as to pandas."""
    import sqlalchemy as sa
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData

    no_number = sa.cast(sa.literal("nan"), sa.Double)
    selected = [
        sa.func.nullif(sa.column(name), no_number).label(name) if kind in _FRACTIONS else sa.column(name)
        for name, kind in columns.items()
    ]
    return SqlAlchemyBatchData(
        execution_engine=engine,
        selectable=sa.select(*selected).select_from(sa.table(asset, schema=layer_of(asset))),
        create_temp_table=False,
        source_table_name=sa.quoted_name(asset, quote=True),
        source_schema_name=layer_of(asset),
    )


def judge(suite: Suite, outcome: Any, wave: Wave, rows: int) -> GateResult:
    """What the gate makes of Great Expectations' result.

    Args:
        suite: the suite.
        outcome: Great Expectations' result.
        wave: the wave.
        rows: rows of the table.
    """
    asked = dict(enumerate(suite.expectations, start=1))
    found = _results(outcome)
    verdicts = [_judged(number, asked[number], result, suite.key, rows, wave) for number, result in found]
    for number in sorted(asked.keys() - {number for number, _ in found}):
        fault = f"Great Expectations gave no result of expectation {number}"
        verdicts.append(_verdict(asked[number], False, fault, wave))
    return GateResult(suite.asset, wave.wave, rows, verdicts, len(asked))


@functools.cache
def great_expectations() -> tuple[Any, Any]:
    """Great Expectations and a context that keeps nothing; imported, slowly, at the first call."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    import asco_dagster.gates.duckdb_engine  # noqa: F401 # the dialect

    for name in ("great_expectations", "great_expectations.data_context.types.base"):  # its own level is INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return gx, context


def _numbered(suite: Suite) -> list[dict[str, Any]]:
    """The suite's expectations; as meta, which Great Expectations copies some eighty times, only a number."""
    return [
        {**{key: expectation[key] for key in ("type", "kwargs", "severity")}, "meta": {NUMBER: number}}
        for number, expectation in enumerate(suite.expectations, start=1)
    ]


def _results(outcome: Any) -> list[tuple[int, Any]]:
    return [(result.expectation_config.meta[NUMBER], result) for result in outcome.results]


def _column(kwargs: Mapping[str, Any]) -> str:
    """The column or columns of an expectation as text; empty for the whole table."""
    pair = [kwargs[name] for name in ("column_A", "column_B") if name in kwargs]
    return str(kwargs.get("column") or " ~ ".join(kwargs.get("column_list") or pair))


def _verdict(
    expectation: Mapping[str, Any], passed: bool, fault: str | None, wave: Wave, **found: Any
) -> Verdict:
    """What was found of an expectation; a fault closes the gate."""
    nothing: dict[str, Any] = {"observed": "", "unexpected_share": None, "offending": []}
    kwargs, bounds = expectation["kwargs"], wave.bounds
    low, high = limits(kwargs, bounds)
    return Verdict(
        expectation=expectation["type"],
        column=_column(kwargs),
        severity=expectation["severity"],
        reason=expectation["meta"]["reason"],
        passed=passed and fault is None,
        fault=fault,
        expected=expected_text(expectation["type"], kwargs, bounds),
        bound=names_of_bounds(kwargs),
        low=low,
        high=high,
        **{**nothing, **found},
    )


def _judged(
    number: int, expectation: Mapping[str, Any], result: Any, key: Sequence[str], rows: int, wave: Wave
) -> Verdict:
    found = result.result or {}
    share = found.get("unexpected_percent")
    return _verdict(
        expectation,
        bool(result.success),
        _fault(result) or (_no_row(number, expectation, found) if rows else None),
        wave,
        value=_value(found),
        observed=_observed(found),
        unexpected_share=share / 100 if share is not None and math.isfinite(share) else None,
        offending=[] if result.success else _offending(found, key),
    )


def _no_row(number: int, expectation: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """The fault of a condition that no row fulfils, under which whatever is expected holds."""
    kind, allowed = expectation["type"], MAY_MATCH_NO_ROW in expectation["meta"]
    if "row_condition" not in expectation["kwargs"] or allowed or kind in COUNTS_ROWS:
        return None
    seen: Any = found.get("observed_value")
    if "element_count" in found:
        judged = found["element_count"] > 0
    elif kind == "expect_column_unique_value_count_to_be_between":
        judged = seen != 0
    else:  # a list of values, or a number that no row has
        judged = len(seen) > 0 if isinstance(seen, list) else seen is not None
    return None if judged else f"expectation {number} judges nothing: no row fulfils its row_condition"


def _observed(found: Mapping[str, Any]) -> str:
    number = _value(found)
    if number is not None:
        return f"{number:,.10g}"
    if found.get("observed_value") is not None:
        return str(found["observed_value"])
    if "unexpected_count" in found:
        return f"{found['unexpected_count']:,} of {found.get('element_count', 0):,} rows fail"
    return ""


def _value(found: Mapping[str, Any]) -> float | None:
    """The number observed of the table as a whole; None where there is none."""
    seen: Any = found.get("observed_value")
    seen = seen.item() if hasattr(seen, "item") else seen
    is_number = isinstance(seen, int | float) and not isinstance(seen, bool) and math.isfinite(seen)
    return float(seen) if is_number else None


def _offending(found: Mapping[str, Any], key: Sequence[str]) -> list[str]:
    """Some rows that failed, each by its key and nothing else."""
    rows = found.get("unexpected_rows") or []
    return [" ".join(f"{name}={row[name]!s}" for name in key) for row in rows]


def _fault(result: Any) -> str | None:
    info = result.exception_info or {}
    faults = [info] if "raised_exception" in info else list(info.values())
    messages = [str(fault["exception_message"]) for fault in faults if fault.get("raised_exception")]
    return messages[0] if messages else None
