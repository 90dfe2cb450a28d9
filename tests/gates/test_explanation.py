"""What a verdict says: the bound in numbers, what was seen, what to do; the worst first."""

import pytest

from asco_dagster.gates.explanation import expected_text, failing_first, limits, remedy, sentence, state
from asco_dagster.gates.results import GateResult, Verdict
from asco_dagster.gates.suite import read_suite, suite_assets
from asco_dagster.waves import load_wave, wave_names

BOUNDS = {"rate_min": 0.5, "units_max": 37500.0}
SIX = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]


@pytest.mark.parametrize(
    ("kind", "kwargs", "text"),
    [
        ("expect_table_row_count_to_be_between", {"min_value": 3, "max_value": 3}, "exactly 3"),
        ("expect_table_row_count_to_equal", {"value": 505}, "exactly 505"),
        (
            "expect_column_sum_to_be_between",
            {"column": "n", "min_value": 34000, "max_value": {"$PARAMETER": "units_max"}},
            "at least 34,000 and at most 37,500 (units_max)",
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "n", "min_value": 0, "strict_min": True},
            "above 0",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "s", "value_set": ["yes"], "mostly": {"$PARAMETER": "rate_min"}},
            "one of yes in at least 50 % of rows (rate_min)",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "s", "value_set": SIX},
            "one of a, b, c, d, e, f, g, h, … (9 values)",
        ),
        (
            "expect_column_pair_values_a_to_be_greater_than_b",
            {"column_A": "high", "column_B": "low", "or_equal": True},
            "high ≥ low",
        ),
        ("expect_column_values_to_be_unique", {"column": "s"}, "each value once"),
    ],
)
def test_what_is_expected_is_written_with_its_bound(kind: str, kwargs: dict, text: str) -> None:
    assert expected_text(kind, kwargs, BOUNDS) == text


@pytest.mark.parametrize("wave", wave_names())
def test_every_expectation_of_every_suite_says_what_it_expects(wave: str) -> None:
    bounds, count = load_wave(wave).bounds, 0
    for asset in suite_assets():
        for expectation in read_suite(asset).expectations:
            assert expected_text(expectation["type"], expectation["kwargs"], bounds).strip(), expectation
            count += 1
    assert count > 500


def test_limits_are_numbers_of_the_wave() -> None:
    assert limits({"min_value": 1, "max_value": {"$PARAMETER": "units_max"}}, BOUNDS) == (1.0, 37500.0)
    assert limits({"value": 5}, BOUNDS) == (5.0, 5.0)
    assert limits({"min_value": "2014-01-01"}, BOUNDS) == (None, None)


def _verdict(severity: str, passed: bool, **found: object) -> Verdict:
    return Verdict("expect_x", "n", severity, passed, "289.9", None, "It is plausible", [], **found)  # type: ignore[arg-type]


def test_what_blocks_comes_first_then_what_warns() -> None:
    verdicts = [_verdict("warning", True), _verdict("warning", False), _verdict("critical", False)]
    assert [state(one) for one in failing_first(verdicts)] == ["blocked", "warning", "passed"]


def test_the_sentence_and_the_remedy_name_bound_place_and_button() -> None:
    closed = _verdict("critical", False, expected="at most 285 (deff_max)", bound="deff_max")
    assert sentence(closed) == "n: It is plausible (expected at most 285 (deff_max); observed 289.9)"
    told = remedy(GateResult("est_asco__estimates", "2014", 1, [closed]), closed)
    assert "asco query 2014 'from estimation.est_asco__estimates'" in told
    assert "change deff_max under bounds of 2014.yaml" in told
    assert "“Re-execute from failure” does not read the inbox again" in told
    source = remedy(GateResult("raw_insee__legal_populations", "2014", 1, [closed]), closed)
    assert "Correct the delivered file in the inbox of 2014" in source
