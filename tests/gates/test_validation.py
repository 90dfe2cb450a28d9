"""The engine of the gates: verdicts, offending keys, bounds of the wave, faults."""

import json
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.gates import suite as suites
from asco_dagster.gates import validation
from asco_dagster.gates.suite import Suite, load_suite, require_suite_files
from asco_dagster.orchestration.wave_step import wave_asset
from asco_dagster.settings import Settings
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate
from asco_testing.home_instances import home_instance

WAVE = load_wave("2014")


def _suite(*expectations: dict, key: list[str] | None = None) -> Suite:
    return Suite(
        "stg_x__y", {"name": "stg_x__y", "meta": {"key": key or []}, "expectations": list(expectations)}
    )


def _expectation(kind: str, severity: str = "critical", **kwargs) -> dict:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"reason": "because"}}


UNIQUE = _expectation("expect_column_values_to_be_unique", column="code")
SOUND = {"name": "stg_x__y", "meta": {"key": ["code"]}, "expectations": [UNIQUE]}


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


def test_an_expectation_that_gx_does_not_know_closes_the_gate(caplog: pytest.LogCaptureFixture) -> None:
    """GX drops it with a line in a log; of a suite that was never loaded, and so never checked, too."""
    misspelt = _expectation("expect_column_values_to_not_be_nul", "warning", column="code")
    for suite in (_suite(misspelt), _suite(UNIQUE, misspelt)):
        result = validate(suite, pd.DataFrame({"code": ["a"]}), WAVE)
        assert len(result.verdicts) == len(suite.expectations)
        assert result.closed
        assert result.verdicts[-1].fault == (
            f"Great Expectations gave no result of expectation {len(suite.expectations)}"
        )


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_gate_with_fewer_verdicts_than_expectations_is_closed(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = _suite(*(_expectation("expect_column_values_to_not_be_null", column=name) for name in "abc"))
    evaluated = validation.evaluate

    def some(*arguments, **form):
        outcome = evaluated(*arguments, **form)
        outcome.results = outcome.results[:kept]
        return outcome

    monkeypatch.setattr(validation, "evaluate", some)
    result = validate(suite, pd.DataFrame({name: ["1"] for name in "abc"}), WAVE)
    assert [verdict.column for verdict in result.verdicts] == ["a", "b", "c"]
    assert [verdict.closes for verdict in result.verdicts] == [number >= kept for number in range(3)]
    assert result.closed


def test_two_results_of_one_expectation_do_not_stand_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = _suite(*(_expectation("expect_column_values_to_not_be_null", column=name) for name in "ab"))
    evaluated = validation.evaluate

    def the_first_twice(*arguments, **form):
        outcome = evaluated(*arguments, **form)
        outcome.results = [outcome.results[0]] * 2
        return outcome

    monkeypatch.setattr(validation, "evaluate", the_first_twice)
    assert validate(suite, pd.DataFrame({"a": ["1"], "b": [None]}), WAVE).closed


CONDITIONED = {
    "row_condition": {
        "type": "comparison",
        "column": {"name": "kind"},
        "operator": "==",
        "parameter": "frnace",
    }
}


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("expect_column_values_to_not_be_null", {"column": "n"}),
        ("expect_column_values_to_be_between", {"column": "n", "min_value": 9}),
        ("expect_column_distinct_values_to_be_in_set", {"column": "n", "value_set": [9]}),
        ("expect_column_unique_value_count_to_be_between", {"column": "n", "max_value": 9}),
        ("expect_column_max_to_be_between", {"column": "n", "max_value": 9}),
        ("expect_column_mean_to_be_between", {"column": "n", "max_value": 9}),
    ],
)
def test_a_condition_that_no_row_fulfils_closes_unless_the_suite_says_why(kind: str, arguments: dict) -> None:
    asked = _expectation(kind, "warning", **arguments, **CONDITIONED)
    frame = pd.DataFrame({"n": [1, 2], "kind": ["france", "region"]})
    (verdict,) = validate(_suite(asked), frame, WAVE).verdicts
    assert verdict.closes
    assert verdict.fault == "expectation 1 judges nothing: no row fulfils its row_condition"
    assert validate(_suite(asked), frame.iloc[:0], WAVE).verdicts[0].fault is None
    asked["meta"]["may_match_no_row"] = "a sound table has none"
    assert validate(_suite(asked), frame, WAVE).verdicts[0].fault is None


def test_no_row_is_an_answer_of_a_number_of_rows() -> None:
    asked = _expectation("expect_table_row_count_to_be_between", min_value=0, max_value=0, **CONDITIONED)
    assert not validate(_suite(asked), pd.DataFrame({"kind": ["france"]}), WAVE).closed


def _written(tmp_path: Path, content: str) -> Path:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "stg_x__y.json").write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not valid JSON"),
        (json.dumps({**SOUND, "expectations": []}), "the suite is empty"),
        (json.dumps({**SOUND, "expectations": [{**UNIQUE, "severity": "mild"}]}), "the severity “mild”"),
        (json.dumps({**SOUND, "expectations": [{**UNIQUE, "meta": {}}]}), "no meta.reason"),
    ],
)
def test_a_suite_that_is_not_in_order_is_refused(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load_suite("stg_x__y", _written(tmp_path, content))


def test_a_missing_suite_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"expectations/staging/stg_x__y\.json"):
        load_suite("stg_x__y", tmp_path)


def test_before_a_run_each_asset_has_a_sound_suite_and_each_suite_an_asset(tmp_path: Path) -> None:
    folder = _written(tmp_path, json.dumps(SOUND))
    require_suite_files(["stg_x__y"], [WAVE], folder)
    with pytest.raises(ConfigurationError, match=r"asset stg_x__z has no suite"):
        require_suite_files(["stg_x__y", "stg_x__z"], [WAVE], folder)
    bound = _expectation("expect_table_row_count_to_be_between", min_value={"$PARAMETER": "moon_phase"})
    (folder / "staging" / "stg_x__y.json").write_text(json.dumps({**SOUND, "expectations": [bound]}))
    with pytest.raises(ConfigurationError, match="takes the bound “moon_phase”, which 2014"):
        require_suite_files(["stg_x__y"], [WAVE], folder)
    (folder / "staging" / "stg_x__y.json").write_text(json.dumps(SOUND))
    (folder / "staging" / "stg_x__w.json").write_text(json.dumps({**SOUND, "name": "stg_x__w"}))
    with pytest.raises(
        ConfigurationError, match=r"stg_x__w\.json: there is no asset stg_x__w .* expected stg"
    ):
        require_suite_files(["stg_x__y"], [WAVE], folder)


def test_a_broken_suite_of_any_asset_stops_a_run_before_it_makes_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under Dagster too: not when its own gate comes, hours later."""
    made = []

    @wave_asset()
    def raw_x__first(step):
        made.append(step)
        return pd.DataFrame({"code": ["a"]})

    @wave_asset(deps=["raw_x__first"])
    def pub_x__last(step):
        return pd.DataFrame({"code": ["a"]})

    for asset, kind in (("raw_x__first", "unique"), ("pub_x__last", "uniqu")):
        asked = _expectation(f"expect_column_values_to_be_{kind}", column="code")
        suite = {"name": asset, "meta": {"key": ["code"]}, "expectations": [asked]}
        (tmp_path / f"{asset}.json").write_text(json.dumps(suite))
    monkeypatch.setattr(suites, "suite_path", lambda asset, folder=None: tmp_path / f"{asset}.json")
    with home_instance(tmp_path / "home") as instance:
        run = dg.materialize(
            [raw_x__first, pub_x__last],
            partition_key="2014",
            instance=instance,
            resources={"settings": Settings(home=tmp_path / "home")},
            raise_on_error=False,
        )
    assert not run.success and made == []
    told = run.failure_data_for_node("raw_x__first").error.cause.message
    assert "file pub_x__last.json: expectation 1 (expect_column_values_to_be_uniqu)" in told
    assert "Great Expectations does not know; expected expect_column_values_to_be_unique" in told
