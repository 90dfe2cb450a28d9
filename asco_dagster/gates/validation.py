"""Running a suite on the table as it stands in DuckDB.

Great Expectations reads a data frame with only the columns that the suite names (through SQLAlchemy it fails
on DuckDB: great_expectations issue 10738). GX costs seconds to import, so that happens here, inside, once a
run. What does not belong here: Dagster.
"""

import functools
import logging
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.gates.results import GateResult, Verdict
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.suite_faults import MAY_MATCH_NO_ROW
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = 10  # offending keys shown: enough to find the fault, too few to be a list of units
COUNTS_ROWS = ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")
"""Expectations of which no row is an answer like any other."""
NUMBER = "number"
"""Key of an expectation's meta that carries its number in the suite through Great Expectations and back."""


def validate(suite: Suite, frame: "pd.DataFrame", wave: Wave) -> GateResult:
    """Run a suite on a data frame, with the wave's bounds as suite parameters.

    Args:
        suite: the suite.
        frame: the columns that the suite names, all rows.
        wave: the wave, for its bounds.

    Returns:
        A verdict an expectation, in the order in which GX evaluates them; of one that GX leaves out, last, a
        verdict that closes the gate.

    Raises:
        ConfigurationError: the suite takes a bound that the wave file does not give.
    """
    return judge(suite, evaluate(suite, frame, wave), frame, wave)


def evaluate(suite: Suite, frame: "pd.DataFrame", wave: Wave) -> Any:
    """GX's own result of a suite on a data frame; arguments and errors as those of :func:`validate`."""
    # Counts suffice while everything holds. Only a suite of which something failed is asked again for rows,
    # and then for a few positions, whose keys judge looks up: GX would name every row, tolerated ones too.
    outcome = ask(suite, frame, wave, "BASIC")
    return outcome if outcome.success else ask(suite, frame, wave, "SUMMARY")


def ask(suite: Suite, frame: "pd.DataFrame", wave: Wave, words: str) -> Any:
    """Have GX evaluate a suite on a data frame once.

    Args:
        suite: the suite.
        frame: the columns that the suite names.
        wave: the wave, for its bounds.
        words: how much GX tells, ``BASIC`` or ``SUMMARY``.

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
    gx, batches = engine()
    own = gx.ExpectationSuite(
        name=suite.asset,
        expectations=numbered(suite),
        meta=dict(suite.content.get("meta", {})),
    )
    from asco_dagster.gates.engine import settled_expectations

    batch = batches.get_batch({"dataframe": frame})
    with settled_expectations():
        return batch.validate(own, result_format=form(words), expectation_parameters=dict(wave.bounds))


def form(words: str) -> dict[str, Any]:
    """How much GX tells of an expectation."""
    return {
        "result_format": words,
        "partial_unexpected_count": SAMPLE,
        "return_unexpected_index_query": False,
    }


def judge(
    suite: Suite, outcome: Any, frame: "pd.DataFrame", wave: Wave, rows: int | None = None
) -> GateResult:
    """What the gate makes of GX's result.

    Args:
        suite: the suite.
        outcome: GX's result.
        frame: the table; of one judged in slices, the key columns of the rows that the result names.
        wave: the wave.
        rows: rows of the table where ``frame`` does not hold them all.
    """
    own_rows = len(frame) if rows is None else rows
    verdicts = [_verdict(result, suite.key, frame, own_rows) for result in outcome.results]
    judged = {result.expectation_config.meta.get(NUMBER) for result in outcome.results}
    missing = [
        _left_out(number, expectation)
        for number, expectation in enumerate(suite.expectations, start=1)
        if number not in judged
    ]
    return GateResult(suite.asset, wave.wave, own_rows, [*verdicts, *missing], len(suite.expectations))


@functools.cache
def engine() -> tuple[Any, Any]:
    """Great Expectations and where it takes data frames; imported, slowly, when first asked for."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.datasource.fluent import PandasDatasource

    from asco_dagster.gates.engine import OneTableEngine

    for name in ("great_expectations", "great_expectations.data_context.types.base"):  # its own level is INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    PandasDatasource.execution_engine_override = OneTableEngine  # type: ignore[misc] # GX's own way in
    source = context.data_sources.add_pandas("wave")
    return gx, source.add_dataframe_asset("table").add_batch_definition_whole_dataframe("whole")


def numbered(suite: Suite) -> list[dict[str, Any]]:
    """The suite's expectations as GX takes them, each with its number, by which its result is known."""
    return [
        {
            **{key: expectation[key] for key in ("type", "kwargs", "severity")},
            "meta": {NUMBER: number, **expectation["meta"]},  # of a part of a suite, the number in the whole
        }
        for number, expectation in enumerate(suite.expectations, start=1)
    ]


def _left_out(number: int, expectation: Mapping[str, Any]) -> Verdict:
    """The verdict on an expectation of which GX gave no result: it closes the gate."""
    return Verdict(
        expectation=expectation["type"],
        column=_column(expectation["kwargs"]),
        severity=expectation["severity"],
        passed=False,
        observed="",
        unexpected_share=None,
        reason=expectation["meta"]["reason"],
        offending=[],
        fault=f"Great Expectations gave no result of expectation {number}",
    )


def _column(kwargs: Mapping[str, Any]) -> str:
    """The column or columns of an expectation as text; empty for the whole table."""
    pair = [kwargs[name] for name in ("column_A", "column_B") if name in kwargs]
    return str(kwargs.get("column") or " ~ ".join(kwargs.get("column_list") or pair))


def _verdict(result: Any, key: Sequence[str], frame: "pd.DataFrame", rows: int) -> Verdict:
    config, found = result.expectation_config, result.result or {}
    share = found.get("unexpected_percent")
    if share is not None and not math.isfinite(share):
        share = None
    fault = _fault(result) or (_no_row(config, found) if rows else None)
    return Verdict(
        expectation=config.type,
        column=_column(config.kwargs),
        severity=str(getattr(config.severity, "value", config.severity)),
        passed=bool(result.success) and fault is None,
        observed=_observed(found),
        unexpected_share=None if share is None else share / 100,
        reason=config.meta["reason"],
        offending=[] if result.success else _offending(found, key, frame),
        fault=fault,
    )


def _no_row(config: Any, found: Mapping[str, Any]) -> str | None:
    """The fault of a condition that no row fulfils, under which whatever is asked holds."""
    kwargs, meta = config.kwargs, config.meta
    if not kwargs.get("row_condition") or MAY_MATCH_NO_ROW in meta or config.type in COUNTS_ROWS:
        return None
    seen: Any = found.get("observed_value")
    if "element_count" in found:
        judged = found["element_count"] > 0
    elif config.type == "expect_column_unique_value_count_to_be_between":
        judged = seen != 0
    else:  # a list of values, or a number that nothing does not have
        judged = len(seen) > 0 if hasattr(seen, "__len__") else seen is not None and seen == seen
    if judged:
        return None
    return f"expectation {meta.get(NUMBER)} judges nothing: no row fulfils its row_condition"


def _observed(found: Mapping[str, Any]) -> str:
    if found.get("observed_value") is not None:
        return str(found["observed_value"])
    if "unexpected_count" in found:
        return f"{found['unexpected_count']} unexpected of {found.get('element_count', '?')}"
    return ""


def _offending(found: Mapping[str, Any], key: Sequence[str], frame: "pd.DataFrame") -> list[str]:
    """Some rows that failed, each by its key and nothing else; by its number where the suite names no key."""
    rows = list(found.get("partial_unexpected_index_list") or [])[:SAMPLE]
    known = [name for name in key if name in frame]
    if not known:
        return [f"row {row}" for row in rows]
    return [" ".join(f"{name}={frame.at[row, name]!s}" for name in known) for row in rows]


def _fault(result: Any) -> str | None:
    info = result.exception_info or {}
    faults = [info] if "raised_exception" in info else list(info.values())
    messages = [str(fault["exception_message"]) for fault in faults if fault.get("raised_exception")]
    return messages[0] if messages else None
