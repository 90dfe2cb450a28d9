"""What a verdict says to a person: what was expected, in numbers, and what to do when it failed."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asco_dagster.gates.results import GateResult, Verdict
from asco_dagster.gates.suite_faults import PARAMETER, parameters_of
from asco_dagster.layers import layer_of

_LISTED = 8  # values of a set that are written out
_PAIR = {
    "expect_column_pair_values_to_be_equal": "=",
    "expect_column_pair_values_a_to_be_greater_than_b": ">",
}
_FIXED = {
    "expect_column_values_to_not_be_null": "no missing value",
    "expect_column_values_to_be_null": "no value",
    "expect_column_values_to_be_unique": "each value once",
    "expect_compound_columns_to_be_unique": "each combination once",
}
_SETS = {
    "expect_column_values_to_be_in_set": "one of ",
    "expect_column_values_to_not_be_in_set": "none of ",
    "expect_column_distinct_values_to_contain_set": "at least each of ",
    "expect_column_distinct_values_to_equal_set": "exactly ",
    "expect_column_pair_values_to_be_in_set": "one of the pairs ",
}
_REGEXES = {
    "expect_column_values_to_match_regex": "matches ",
    "expect_column_values_to_not_match_regex": "does not match ",
}
RELAUNCH = (
    "launch the wave again with “Materialize” or “Re-execute all”; "
    "“Re-execute from failure” does not read the inbox again"
)
"""How a run is started that reads a corrected delivery."""


def limits(kwargs: Mapping[str, Any], bounds: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Lowest and highest number that an expectation allows; None where it has no such limit."""
    exact = _number(kwargs.get("value"), bounds)
    low, high = (_number(kwargs.get(name), bounds) for name in ("min_value", "max_value"))
    return (exact, exact) if exact is not None else (low, high)


def expected_text(kind: str, kwargs: Mapping[str, Any], bounds: Mapping[str, float]) -> str:
    """What an expectation allows, such as “at least 0.5 (response_rate_min)”.

    Args:
        kind: GX's type.
        kwargs: its arguments, with bounds of the wave as parameters.
        bounds: the wave's.
    """
    text = _allowed(kind, kwargs, bounds)
    if kwargs.get("mostly") is not None:
        share, name = _resolved(kwargs["mostly"], bounds)
        text += f" in at least {100 * float(share):.6g} % of rows{name}"
    return text


def remedy(result: GateResult, verdict: Verdict) -> str:
    """What to do about a failed expectation, as a sentence."""
    asset, layer = result.asset, layer_of(result.asset)
    if verdict.fault:
        return f"Correct expectation in expectations/{layer}/{asset}.json, then {RELAUNCH}."
    if layer == "sources":
        first = f"Correct the delivered file in the inbox of {result.wave}, or ask its publisher"
    else:
        rows = f"asco query {result.wave} 'from {layer}.{asset}'"
        first = f"Look at the rows ({rows}) and correct what they come from"
    if verdict.bound:
        second = f"if the data are right, change {verdict.bound} under bounds of {result.wave}.yaml"
    else:
        second = f"if the data are right, change expectations/{layer}/{asset}.json"
    return f"{first}; {second}. Then {RELAUNCH}."


def sentence(verdict: Verdict, shown: Callable[[str], str] = str) -> str:
    """A failed verdict: where, why it matters, what was expected, what was seen.

    Args:
        verdict: the verdict.
        shown: writes what may quote the data, for the place where the sentence is read.
    """
    where = f"{verdict.column}: " if verdict.column else ""
    if verdict.fault:
        return f"{where}{verdict.reason} (could not be evaluated: {shown(verdict.fault)})"
    observed = shown(verdict.observed or "otherwise")
    return f"{where}{verdict.reason} (expected {shown(verdict.expected)}; observed {observed})"


def failing_first(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts in the order in which they are read: what blocks, then warnings, then the rest."""
    return sorted(verdicts, key=lambda one: 0 if one.closes else 1 if not one.passed else 2)


def state(verdict: Verdict) -> str:
    """``blocked``, ``warning`` or ``passed``."""
    return "passed" if verdict.passed else "blocked" if verdict.closes else "warning"


def names_of_bounds(kwargs: Mapping[str, Any]) -> str:
    """Names of the wave's bounds that an expectation takes, separated by commas."""
    return ", ".join(dict.fromkeys(parameters_of(dict(kwargs))))


def _allowed(kind: str, kwargs: Mapping[str, Any], bounds: Mapping[str, float]) -> str:
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _PAIR:
        sign = "≥" if kwargs.get("or_equal") else _PAIR[kind]
        return f"{kwargs['column_A']} {sign} {kwargs['column_B']}"
    if kind in _REGEXES:
        return f"{_REGEXES[kind]}{kwargs['regex']}"
    if kind in _SETS:
        return _SETS[kind] + _listed(kwargs.get("value_set", kwargs.get("value_pairs_set")), bounds)
    return _range(kwargs, bounds)


def _listed(values: Any, bounds: Mapping[str, float]) -> str:
    if isinstance(values, Mapping):
        return _written(values, bounds)
    shown = [" ~ ".join(map(str, one)) if isinstance(one, list) else str(one) for one in values]
    more = f", … ({len(shown)} values)" if len(shown) > _LISTED else ""
    return ", ".join(shown[:_LISTED]) + more


def _range(kwargs: Mapping[str, Any], bounds: Mapping[str, float]) -> str:
    if kwargs.get("value") is not None:
        return f"exactly {_written(kwargs['value'], bounds)}"
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = "above" if kwargs.get("strict_min") else "at least"
    below = "below" if kwargs.get("strict_max") else "at most"
    if low is not None and low == high:
        return f"exactly {_written(low, bounds)}"
    parts = [
        f"{word} {_written(value, bounds)}"
        for word, value in ((above, low), (below, high))
        if value is not None
    ]
    return " and ".join(parts)


def _written(value: Any, bounds: Mapping[str, float]) -> str:
    number, name = _resolved(value, bounds)
    shown = f"{number:,.10g}" if isinstance(number, int | float) else str(number)
    return f"{shown}{name}"


def _resolved(value: Any, bounds: Mapping[str, float]) -> tuple[Any, str]:
    """A value, and in brackets the name of the wave's bound that gives it."""
    if isinstance(value, Mapping):
        return bounds[value[PARAMETER]], f" ({value[PARAMETER]})"
    return value, ""


def _number(value: Any, bounds: Mapping[str, float]) -> float | None:
    if value is None:
        return None
    found = _resolved(value, bounds)[0]
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    return float(found) if is_number else None
