"""The table of broken suites: how each is broken, and what its sentence must say.

A case changes the sound suite, or its text. What does not belong here: trying them (``test_broken_inputs``).
"""
# ruff: noqa: E501 (a case a line)

import json
from collections.abc import Callable
from typing import Any

from asco_testing.security.broken_input import Broken

ASSET = "stg_x__y"
FILE = f"file {ASSET}.json"


def sound() -> dict[str, Any]:
    """A suite of four expectations that the table of ``test_broken_inputs`` fulfils."""
    return {
        "name": ASSET,
        "meta": {"key": ["code"]},
        "expectations": [
            _asked("expect_column_values_to_not_be_null", column="code"),
            _asked("expect_column_values_to_be_between", column="n", min_value=0, max_value=9, mostly=0.5),
            _asked("expect_column_values_to_be_in_set", column="kind", value_set=["a", "b"]),
            _asked("expect_table_row_count_to_be_between", min_value={"$PARAMETER": "rows_min"}),
        ],
    }


def _asked(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": {"reason": "because"}}


Change = Callable[[dict[str, Any]], object]


def _changed(name: str, change: Change, *told: str) -> Broken:
    """A suite of which something is changed before it is written."""

    def text() -> str:
        suite = sound()
        change(suite)
        return json.dumps(suite, indent=1, allow_nan=True)

    return Broken(name, text, (FILE, *told))


def _written(name: str, write: Callable[[str], str | bytes], *told: str) -> Broken:
    """A suite of which the text is changed after it is written."""
    return Broken(name, lambda: write(json.dumps(sound(), indent=1)), (FILE, *told))


def _first(**keys: Any) -> Change:
    """The first expectation with other keys."""
    return lambda suite: suite["expectations"][0].update(keys)


def _kwargs(number: int, **kwargs: Any) -> Change:
    return lambda suite: suite["expectations"][number - 1]["kwargs"].update(kwargs)


def _without(number: int, argument: str) -> Change:
    return lambda suite: suite["expectations"][number - 1]["kwargs"].pop(argument)


def _also(kind: str, **kwargs: Any) -> Change:
    return lambda suite: suite["expectations"].append(_asked(kind, **kwargs))


def _conditioned(condition: Any) -> Change:
    return _kwargs(1, row_condition=condition)


def _kind_is(value: Any, column: str = "kind", operator: str = "==", **more: Any) -> dict[str, Any]:
    compared = {"column": {"name": column}, "operator": operator, "parameter": value}
    return {"type": "comparison", **compared, **more}


_LOST = "Correct the suite"
_ONE = "expectation 1 (expect_column_values_to_not_be_null)"
_TWO = "expectation 2 (expect_column_values_to_be_between)"
_THREE = "expectation 3 (expect_column_values_to_be_in_set)"
_FOUR = "expectation 4 (expect_table_row_count_to_be_between)"

# fmt: off
SUITES = [
    # the file
    _written("empty file", lambda _: "", "the file is empty", _LOST),
    _written("null bytes after a power cut", lambda text: b"\0" * len(text), "it holds null bytes", _LOST),
    _written("half a file", lambda text: text[:200], "row ", "not valid JSON", _LOST),
    _written("not UTF-8", lambda text: text.replace("because", "\xe9t\xe9").encode("latin-1"), "not valid UTF-8 at byte", _LOST),
    _written("nested without end", lambda _: "[" * 100_000, "nested too deeply", _LOST),
    _written("a number of 5,000 digits", lambda text: text.replace("0.5", "9" * 5000), "a number is too long", _LOST),
    _written("half a character", lambda text: text.replace("because", "\\ud800"), "half of a character", _LOST),
    _written("a key twice", lambda text: text.replace('"severity"', '"severity": "warning", "severity"', 1), "the key “severity” occurs twice", _LOST),
    _written("arguments twice", lambda text: text.replace('"max_value": 9', '"max_value": 9, "max_value": 9e9'), "the key “max_value” occurs twice", _LOST),
    _written("NaN as a bound", lambda text: text.replace('"max_value": 9', '"max_value": NaN'), "NaN is not a JSON number", _LOST),
    _written("infinity as a bound", lambda text: text.replace('"max_value": 9', '"max_value": Infinity'), "Infinity is not a JSON number", _LOST),
    _written("a number beyond all numbers", lambda text: text.replace('"max_value": 9', '"max_value": 1e999'), "1e999 is too large a number", _LOST),
    # its form
    _written("a list", lambda text: f"[{text}]", "the suite is no object", "expected an object with name, meta and expectations"),
    _changed("of another asset", lambda suite: suite.update(name="stg_x__z"), "says that it is of “stg_x__z”", "expected “stg_x__y”"),
    _changed("no expectation", lambda suite: suite.update(expectations=[]), "the suite is empty", "Write an expectation"),
    _changed("expectations as an object", lambda suite: suite.update(expectations={"a": 1}), "expectations is {'a': 1}", "expected a list"),
    _changed("no expectations at all", lambda suite: suite.pop("expectations"), "the suite has no expectations"),
    _changed("a misspelt key of the suite", lambda suite: suite.update(expectation=[]), "unknown key “expectation”", "expected expectations"),
    _changed("the key as a text", lambda suite: suite.update(meta={"key": "code"}), "key is 'code'", "expected a list"),
    _changed("an expectation that is a text", lambda suite: suite["expectations"].append("unique"), "expectation 5 (without type) is no object"),
    _changed("an expectation without type", lambda suite: suite["expectations"][0].pop("type"), "expectation 1 (without type) has no type"),
    _changed("a misspelt key of an expectation", lambda suite: suite["expectations"][1].update(mostly=0.9), f"{_TWO} has the unknown key “mostly”"),
    _changed("arguments as a list", _first(kwargs=["code"]), f"{_ONE}: kwargs is ['code']", "expected an object"),
    _changed("no severity", lambda suite: suite["expectations"][2].pop("severity"), f"{_THREE} has no severity", "expected one of critical, warning"),
    _changed("a severity in capitals", _first(severity="Critical"), f"{_ONE} has the severity “Critical”", "expected one of critical, warning"),
    _changed("a severity as a list", _first(severity=["critical"]), f"{_ONE}: severity is ['critical']", "expected a text"),
    _changed("no reason", _first(meta={}), f"{_ONE} has no meta.reason", "Say in plain words why it is expected"),
    _changed("a blank reason", _first(meta={"reason": " \n"}), f"{_ONE} has no meta.reason", "Say in plain words why it is expected"),
    _changed("a reason that is a number", _first(meta={"reason": 7}), f"{_ONE}: reason is 7", "expected a text"),
    _changed("meta as a text", _first(meta="because"), f"{_ONE}: meta is 'because'", "expected an object"),
    _changed("given twice", _also("expect_column_values_to_not_be_null", column="code"), "expectation 5 (expect_column_values_to_not_be_null) repeats expectation 1", "Remove one"),
    # its expectations
    _changed("a misspelt type", _first(type="expect_column_values_to_not_be_nul"), "expectation 1 (expect_column_values_to_not_be_nul) is of a type that Great Expectations does not know", "expected expect_column_values_to_not_be_null", "Correct the type"),
    _changed("a type from nowhere", _first(type="import os"), "is of a type that Great Expectations does not know", "Correct the type"),
    _changed("a misspelt argument", _kwargs(2, min_valeu=0), f"{_TWO} has the unknown argument “min_valeu”", "expected one of", "min_value"),
    _changed("an argument that hides the rows", _kwargs(1, result_format="BOOLEAN_ONLY"), f"{_ONE} has the unknown argument “result_format”"),
    _changed("another batch", _kwargs(2, batch_id="other"), f"{_TWO} has the unknown argument “batch_id”"),
    _changed("no column", _without(1, "column"), f"{_ONE} has no column", "expected the argument column"),
    _changed("a column that is a number", _kwargs(1, column=5), f"{_ONE}: column is 5", "expected a text"),
    _changed("a share above 1", _kwargs(2, mostly=50), f"{_TWO}: mostly is 50", "expected a share above 0 and at most 1"),
    _changed("a share of nought", _kwargs(2, mostly=0), f"{_TWO}: mostly is 0", "expected a share above 0 and at most 1"),
    _changed("a share as a text", _kwargs(2, mostly="0.9"), f"{_TWO}: mostly is '0.9'", "expected a share above 0 and at most 1"),
    _changed("a bound as a text", _kwargs(2, min_value="0"), f"{_TWO}: min_value is '0'", "expected a number, a date or a bound"),
    _changed("a bound that is true", _kwargs(2, max_value=True), f"{_TWO}: max_value is True", "expected a number, a date or a bound"),
    _changed("half a row", _kwargs(4, min_value=2.5), f"{_FOUR}: min_value is 2.5, which Great Expectations reads as 2", "expected a whole number"),
    _changed("no bound", lambda suite: suite["expectations"][3].update(kwargs={}), f"{_FOUR} has no bound and holds whatever it judges"),
    _changed("a bound of null", _kwargs(4, min_value=None), f"{_FOUR}: min_value is null"),
    _changed("bounds the wrong way round", _kwargs(2, min_value=9, max_value=0), f"{_TWO}: min_value 9 is above max_value 0"),
    _changed("an empty set", _kwargs(3, value_set=[]), f"{_THREE}: value_set is []", "expected a list of at least one value"),
    _changed("a set that is a text", _kwargs(3, value_set="ab"), f"{_THREE}: value_set is 'ab'", "expected a list of at least one value"),
    _changed("no pattern", _also("expect_column_values_to_match_regex", column="code"), "expectation 5 (expect_column_values_to_match_regex) has no regex and holds whatever it judges"),
    _changed("a pattern that is none", _also("expect_column_values_to_match_regex", column="code", regex="("), "expectation 5", "regex is '('", "expected a regular expression"),
    _changed("one column for a compound key", _also("expect_compound_columns_to_be_unique", column_list=["code"]), "column_list is ['code']", "expected at least two columns"),
    _changed("a column beside itself", _also("expect_column_pair_values_to_be_equal", column_A="n", column_B="n"), "compares n with itself", "expected two columns"),
    _changed("a condition of nothing", _conditioned({}), f"{_ONE}: row_condition is {{}}", "expected Great Expectations' condition"),
    _changed("a condition without column", _conditioned({"type": "and", "conditions": []}), f"{_ONE}: row_condition names no column"),
    _changed("a condition without operator", _conditioned({"type": "comparison", "column": {"name": "kind"}}), f"{_ONE}: row_condition cannot be read"),
    _changed("a condition of a type unknown", _conditioned(_kind_is("a") | {"type": "comparisn"}), f"{_ONE}: row_condition cannot be read"),
    _changed("a condition with a misspelt column", _conditioned({"type": "nullity", "colum": {"name": "kind"}, "is_null": True}), f"{_ONE}: row_condition cannot be read"),
    _changed("a condition with an operator unknown", _conditioned(_kind_is("a", operator="=")), f"{_ONE}: row_condition cannot be read"),
    _changed("a condition with a key that is passed over", _conditioned(_kind_is("a", mostly=0.5)), f"{_ONE}: row_condition is not what Great Expectations reads"),
    _changed("a condition that compares with null", _conditioned(_kind_is(None)), f"{_ONE}: row_condition cannot be read"),
    _changed("a condition in pandas' language", _conditioned("kind == 'a'"), f"{_ONE}: row_condition is \"kind == 'a'\"", "expected Great Expectations' condition"),
    _changed("a condition's language", _kwargs(1, row_condition=_kind_is("a"), condition_parser="pandas"), f"{_ONE} has the unknown argument “condition_parser”"),
    _changed("a condition's columns beside it", _first(meta={"reason": "b", "condition_columns": ["kind"]}), f"meta of {_ONE} has the unknown key “condition_columns”"),
    _changed("a pattern that DuckDB cannot match", _also("expect_column_values_to_match_regex", column="code", regex="^(?!x)"), "expectation 5", "regex is '^(?!x)'", "expected a regular expression"),
    # what it judges
    _changed("an unknown column", _kwargs(1, column="cod"), f"{_ONE} names the column “cod”, which the table does not have", "expected code"),
    _changed("an unknown column in a condition", _conditioned(_kind_is("a", column="kin")), f"{_ONE} names the column “kin”, which the table does not have", "expected kind"),
    _changed("an unknown column in the key", lambda suite: suite.update(meta={"key": ["cod"]}), "meta.key of the suite names the column “cod”, which the table does not have"),
    _changed("an unknown bound", _kwargs(4, min_value={"$PARAMETER": "row_min"}), f"{_FOUR} takes the bound “row_min”, which 2014.yaml does not give", "expected “rows_min”", "Add row_min under bounds of 2014.yaml"),
    _changed("a misspelt parameter", _kwargs(4, min_value={"$PARAMETR": "rows_min"}), f"{_FOUR}: min_value is", '{"$PARAMETER": "name of a bound"}'),
    _changed("a column from a bound", _kwargs(1, column={"$PARAMETER": "rows_min"}), f"{_ONE}: column is"),
    _changed("bounds of the wave the wrong way round", _kwargs(4, max_value={"$PARAMETER": "rows_max"}), f"{_FOUR}: min_value 2.0 is above max_value 1.0"),
    _changed("a share from a bound that is none", _kwargs(2, mostly={"$PARAMETER": "rows_min"}), f"{_TWO}: mostly is 2.0", "expected a share above 0 and at most 1"),
]
# fmt: on
