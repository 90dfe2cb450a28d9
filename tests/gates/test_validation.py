"""The engine of the gates: verdicts, offending keys, bounds of the wave, faults."""

import json
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.gates.suite import Suite, load_suite
from asco_dagster.gates.validation import validate
from asco_dagster.waves import load_wave

WAVE = load_wave("2014")


def _suite(*expectations: dict, key: list[str] | None = None) -> Suite:
    return Suite(
        "stg_x__y", {"name": "stg_x__y", "meta": {"key": key or []}, "expectations": list(expectations)}
    )


def _expectation(kind: str, severity: str = "critical", **kwargs) -> dict:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"reason": "because"}}


UNIQUE = _expectation("expect_column_values_to_be_unique", column="code")


def test_a_critical_failure_closes_and_names_the_rows() -> None:
    frame = pd.DataFrame({"code": ["a", "b", "b"]})
    result = validate(_suite(UNIQUE, key=["code"]), frame, WAVE)
    (verdict,) = result.verdicts
    assert result.closed
    assert verdict.offending == ["code=b", "code=b"]
    assert verdict.unexpected_share == pytest.approx(2 / 3)
    assert verdict.reason == "because"


def test_a_warning_does_not_close() -> None:
    warning = _expectation("expect_column_values_to_be_unique", "warning", column="code")
    result = validate(_suite(warning), pd.DataFrame({"code": ["b", "b"]}), WAVE)
    assert result.warned
    assert not result.closed


def test_bounds_come_from_the_wave() -> None:
    rows = _expectation("expect_table_row_count_to_be_between", min_value={"$PARAMETER": "communes_min"})
    assert validate(_suite(rows), pd.DataFrame({"code": range(34_000)}), WAVE).closed is False
    assert validate(_suite(rows), pd.DataFrame({"code": range(33_999)}), WAVE).closed is True


def test_a_bound_that_the_wave_lacks_is_named() -> None:
    rows = _expectation("expect_table_row_count_to_be_between", min_value={"$PARAMETER": "moon_phase"})
    with pytest.raises(ConfigurationError, match="moon_phase"):
        validate(_suite(rows), pd.DataFrame({"code": [1]}), WAVE)


def test_an_expectation_that_cannot_be_evaluated_closes_even_as_a_warning() -> None:
    absent = _expectation("expect_column_values_to_be_unique", "warning", column="not_there")
    result = validate(_suite(absent), pd.DataFrame({"code": [1]}), WAVE)
    assert result.closed
    assert result.verdicts[0].fault


def _written(tmp_path: Path, content: str) -> Path:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "stg_x__y.json").write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not valid JSON"),
        (json.dumps({"name": "x", "expectations": []}), "the suite is empty"),
        (json.dumps({"expectations": [{**UNIQUE, "severity": "mild"}]}), "no severity"),
        (json.dumps({"expectations": [{**UNIQUE, "meta": {}}]}), "no meta.reason"),
    ],
)
def test_a_suite_that_is_not_in_order_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load_suite("stg_x__y", _written(tmp_path, content))


def test_a_missing_suite_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"expectations/staging/stg_x__y\.json"):
        load_suite("stg_x__y", tmp_path)
