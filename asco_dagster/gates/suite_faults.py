"""What is wrong with a suite, so that none judges less than it says: its form, its arguments, its fit.

Great Expectations drops an expectation that it does not know with a line in a log, takes a missing pattern
for "anything", and finds nothing wrong in an empty set or a share of nought. Here each is a fault that names
the number of the expectation.
"""

import datetime as dt
import difflib
import functools
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEVERITIES = ("critical", "warning")
PARAMETER = "$PARAMETER"
MAY_MATCH_NO_ROW = "may_match_no_row"
"""Of an expectation whose condition names rows that a sound table may not have, the reason why."""

_SUITE = {"name": str, "meta": dict, "expectations": list}
_SUITE_META = {"key": list, "great_expectations_version": str}
_EXPECTATION = {"type": str, "kwargs": dict, "severity": str, "meta": dict}
_META = {"reason": str, MAY_MATCH_NO_ROW: str}
_WORDS = {"id": str, "notes": str, "description": str}  # of GX's own form; they change no judgement
_KINDS: dict[type, str] = {str: "a text", dict: "an object", list: "a list"}
_NUMBERS = ("min_value", "max_value", "value", "mostly")
_SWITCHES = ("strict_min", "strict_max", "or_equal")
_SETS = ("value_set", "value_pairs_set")
_NO_ARGUMENT = {"batch_id", "table", "condition_parser"}  # no suite gives them
_CORRECT = "Correct the suite"
_CONDITION = 'Great Expectations\' condition, such as {"type": "comparison", …}'


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: what, what was expected, what to do."""

    what: str
    expected: str | None = None
    remedy: str = _CORRECT


def form_faults(content: Any, asset: str) -> Iterator[Fault]:
    """Faults of a suite's form, for which Great Expectations need not be known.

    Args:
        content: what the file holds.
        asset: the asset whose suite it should be.
    """
    if not isinstance(content, dict):
        yield Fault("the suite is no object", "an object with name, meta and expectations")
        return
    found = list(_wrong_keys("the suite", content, _SUITE, _WORDS))
    yield from found
    if found:
        return
    if content["name"] != asset:
        yield Fault(f"the suite says that it is of “{content['name']}”", f"“{asset}”, as the file's name")
    yield from _wrong_keys("meta of the suite", content["meta"], {}, _SUITE_META)
    if not _are_names(content["meta"].get("key", [])):
        yield Fault("meta.key of the suite is no list of columns", "columns that identify a row, each once")
    if not content["expectations"]:
        yield Fault("the suite is empty", "at least one expectation", "Write an expectation")
    for number, expectation in enumerate(content["expectations"], start=1):
        yield from _form_of(number, expectation)
    yield from _repeated(content["expectations"])


def argument_faults(expectations: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Faults of types and arguments, as far as the file alone shows them; bounds are taken as given."""
    for number, expectation in enumerate(expectations, start=1):
        yield from _faults_of(_where(number, expectation), expectation["type"], expectation)


def unknown_columns(
    expectations: Sequence[Mapping[str, Any]], key: Sequence[str], columns: Sequence[str]
) -> Iterator[Fault]:
    """Columns that a suite names and its table does not have.

    Args:
        expectations: of the suite.
        key: columns that identify an offending row.
        columns: of the table.
    """
    for name in key:
        if name not in columns:
            yield _unknown_column("meta.key of the suite", name, columns)
    for number, expectation in enumerate(expectations, start=1):
        for name in _columns_of(expectation):
            if name not in columns:
                yield _unknown_column(_where(number, expectation), name, columns)


def unknown_types(expectations: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    """Types that Great Expectations does not have, as the names of its files show without importing it."""
    known = _types()
    for number, expectation in enumerate(expectations, start=1):
        kind = expectation["type"]
        if kind not in known:
            yield Fault(f"{_where(number, expectation)} is of an unknown type", nearest(kind, known))


@functools.cache
def _types() -> frozenset[str]:
    package = importlib.util.find_spec("great_expectations")
    folders = package.submodule_search_locations if package else None
    core = Path(folders[0]) / "expectations" / "core" if folders else Path()
    return frozenset(path.stem for path in core.glob("expect_*.py"))


def unknown_bounds(
    expectations: Sequence[Mapping[str, Any]], bounds: Mapping[str, float], wave_file: str
) -> Iterator[Fault]:
    """Bounds that a suite takes and the wave does not give.

    Args:
        expectations: of the suite.
        bounds: the wave's.
        wave_file: name of the file that gives them.
    """
    for number, expectation in enumerate(expectations, start=1):
        for name in parameters_of(expectation["kwargs"]):
            if name not in bounds:
                where, near = _where(number, expectation), nearest(name, bounds)
                yield Fault(
                    f"{where} takes the bound “{name}”, which {wave_file} does not give",
                    near and f"“{near}”, or a bound of that name",
                    f"Add {name} under bounds of {wave_file}, or correct the suite",
                )


def bound_faults(
    expectations: Sequence[Mapping[str, Any]], bounds: Mapping[str, float], wave_file: str
) -> Iterator[Fault]:
    """Faults of a sound suite with the bounds of a wave in their places; arguments as above."""
    unknown = list(unknown_bounds(expectations, bounds, wave_file))
    yield from unknown
    for number, expectation in enumerate(expectations if not unknown else (), start=1):
        kwargs = expectation["kwargs"]
        if any(parameters_of(kwargs)):
            resolved = {name: _resolved(value, bounds) for name, value in kwargs.items()}
            own = {**expectation, "kwargs": resolved}
            yield from _faults_of(_where(number, expectation), expectation["type"], own)


def _form_of(number: int, expectation: Any) -> Iterator[Fault]:
    where = _where(number, expectation)
    if not isinstance(expectation, dict):
        yield Fault(f"{where} is no object", f"an object with {', '.join(_EXPECTATION)}")
        return
    if "severity" not in expectation:
        yield Fault(f"{where} has no severity", f"one of {', '.join(SEVERITIES)}", "Add it")
        return
    found = list(_wrong_keys(where, expectation, _EXPECTATION, _WORDS))
    yield from found
    if found:
        return
    if expectation["severity"] not in SEVERITIES:
        yield Fault(
            f"{where} has the severity “{expectation['severity']}”", f"one of {', '.join(SEVERITIES)}"
        )
    meta = expectation["meta"]
    if not str(meta.get("reason") or "").strip():
        yield Fault(f"{where} has no meta.reason", "a sentence", "Say in plain words why it is expected")
        return
    yield from _wrong_keys(f"meta of {where}", meta, {}, _META)
    if MAY_MATCH_NO_ROW in meta and "row_condition" not in expectation["kwargs"]:
        yield Fault(f"{where} has meta.{MAY_MATCH_NO_ROW} and no row_condition", "one with the other")


def _wrong_keys(
    where: str, content: Mapping[str, Any], required: Mapping[str, type], optional: Mapping[str, type]
) -> Iterator[Fault]:
    """Unknown keys, values of the wrong type, and keys that are missing."""
    known = {**required, **optional}
    for name, value in content.items():
        if name not in known:
            near = nearest(name, known)
            yield Fault(f"{where} has the unknown key “{name}”", near or f"one of {', '.join(known)}")
        elif not isinstance(value, known[name]):
            yield Fault(f"{where}: {name} is {_shown(value)}", _KINDS[known[name]])
    for name, kind in required.items():
        if name not in content:
            yield Fault(f"{where} has no {name}", _KINDS[kind], "Add it")


def _repeated(expectations: Sequence[Any]) -> Iterator[Fault]:
    """Expectations given twice: Great Expectations' suites are sets."""
    seen: list[Any] = []
    for number, expectation in enumerate(expectations, start=1):
        known = isinstance(expectation, dict) and (expectation.get("type"), expectation.get("kwargs"))
        if known and known in seen:
            where = _where(number, expectation)
            yield Fault(f"{where} repeats expectation {seen.index(known) + 1}", "each once", "Remove one")
        seen.append(known)


def _faults_of(where: str, kind: str, expectation: Mapping[str, Any]) -> Iterator[Fault]:
    """Faults of one expectation: its type, the names of its arguments, their values."""
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    try:
        form = get_expectation_impl(kind)
    except ExpectationNotFoundError:
        near = nearest(kind, list_registered_expectation_implementations())
        yield Fault(f"{where} is of a type that Great Expectations does not know", near, "Correct the type")
        return
    kwargs = expectation["kwargs"]
    known = dict.fromkeys([*form.domain_keys, *form.success_keys])
    strange = [name for name in kwargs if name not in known or name in _NO_ARGUMENT]
    for name in strange:
        allowed = [other for other in known if other not in _NO_ARGUMENT]
        yield Fault(f"{where} has the unknown argument “{name}”", f"one of {', '.join(allowed)}")
    found = list(_value_faults(where, kwargs, set(known)))
    yield from found
    if not found and not strange:
        yield from _refused_by_gx(where, form, expectation)


def _value_faults(where: str, kwargs: Mapping[str, Any], known: set[str]) -> Iterator[Fault]:
    """Values that Great Expectations takes, and with which an expectation judges less than it says."""
    for name, value in kwargs.items():
        wrong = _wrong_value(name, value)
        if wrong:
            yield Fault(f"{where}: {name} is {_shown(value)}", wrong)
    given = {name for name, value in kwargs.items() if value is not None}
    if {"min_value", "max_value"} <= known and not {"min_value", "max_value"} & given:
        yield Fault(f"{where} has no bound and holds whatever it judges", "min_value, max_value or both")
    if "regex" in known and "regex" not in kwargs:
        yield Fault(f"{where} has no regex and holds whatever it judges", "the argument regex")
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None and _is_number(low) and _is_number(high) and low > high:
        yield Fault(f"{where}: min_value {low} is above max_value {high}", "min_value at most max_value")
    if "column_A" in kwargs and kwargs["column_A"] == kwargs.get("column_B"):
        yield Fault(f"{where} compares {kwargs['column_A']} with itself", "two columns")


def _wrong_value(name: str, value: Any) -> str | None:
    """What was expected of an argument's value; nothing where it can be right."""
    if value is None:
        return "a value, or no such argument"
    if name == "row_condition":
        return None if isinstance(value, Mapping) and value else _CONDITION
    if isinstance(value, Mapping):
        right = set(value) == {PARAMETER} and isinstance(value[PARAMETER], str)
        takes = name in (*_NUMBERS, *_SETS)
        return (
            None if right and takes else "a value" if not takes else f'{{"{PARAMETER}": "name of a bound"}}'
        )
    if name == "mostly":
        return None if _is_number(value) and 0 < value <= 1 else "a share above 0 and at most 1"
    if name in _NUMBERS:
        return None if _is_number(value) or _is_date(value) else "a number, a date or a bound"
    if name in _SWITCHES:
        return None if isinstance(value, bool) else "true or false"
    if name in _SETS:
        return None if isinstance(value, list) and value else "a list of at least one value"
    if name == "regex":
        return None if isinstance(value, str) and value and _compiles(value) else "a regular expression"
    if name == "column_list":
        return None if _are_names(value) and len(value) > 1 else "at least two columns, each once"
    return None if isinstance(value, str) and value else "a text"


def _refused_by_gx(where: str, form: Any, expectation: Mapping[str, Any]) -> Iterator[Fault]:
    """What Great Expectations itself refuses of arguments, and what it reads otherwise than is written."""
    from great_expectations.compatibility.pydantic import ValidationError

    kwargs = expectation["kwargs"]
    try:
        made = form(**kwargs)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"] if part != "__root__")
        missing = first["type"] == "value_error.missing"
        if name.startswith("row_condition"):
            yield Fault(f"{where}: row_condition cannot be read", _CONDITION)
        elif missing:
            yield Fault(f"{where} has no {name}", f"the argument {name}")
        else:
            yield Fault(f"{where}: {name or 'its arguments'}: {first['msg']}")
        return
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # of a condition
        yield Fault(f"{where}: row_condition cannot be read ({error})", _CONDITION)
        return
    for name in _NUMBERS:
        value = kwargs.get(name)
        if _is_number(value) and _is_number(read := getattr(made, name)) and read != value:
            yield Fault(
                f"{where}: {name} is {value}, which Great Expectations reads as {read}", "a whole number"
            )
    condition = kwargs.get("row_condition")
    if condition and (read := made.row_condition.dict()) != condition:
        yield Fault(f"{where}: row_condition is not what Great Expectations reads", json.dumps(read))
    elif condition and not any(_columns_in(condition)):
        yield Fault(f"{where}: row_condition names no column", _CONDITION)


def _columns_in(condition: Mapping[str, Any]) -> Iterator[str]:
    """Columns that a row condition names."""
    if "column" in condition:
        yield condition["column"]["name"]
    for part in condition.get("conditions", []):
        yield from _columns_in(part)


def _columns_of(expectation: Mapping[str, Any]) -> Iterator[str]:
    """Columns that an expectation names."""
    kwargs = expectation["kwargs"]
    named = [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]
    named += [*kwargs.get("column_list", []), *_columns_in(kwargs.get("row_condition", {}))]
    yield from dict.fromkeys(named)


def _unknown_column(where: str, name: str, columns: Sequence[str]) -> Fault:
    near = nearest(name, columns)
    return Fault(
        f"{where} names the column “{name}”, which the table does not have",
        near or f"one of {', '.join(columns)}",
    )


def parameters_of(content: Any) -> Iterator[str]:
    """Names of the bounds that a suite, or a part of one, takes."""
    if isinstance(content, Mapping):
        if PARAMETER in content:
            yield content[PARAMETER]
        content = list(content.values())
    for value in content if isinstance(content, list) else ():
        yield from parameters_of(value)


def _resolved(value: Any, bounds: Mapping[str, float]) -> Any:
    return bounds[value[PARAMETER]] if isinstance(value, Mapping) and PARAMETER in value else value


def _where(number: int, expectation: Any) -> str:
    kind = expectation.get("type") if isinstance(expectation, dict) else None
    return f"expectation {number} ({kind if isinstance(kind, str) else 'without type'})"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    return next(iter(difflib.get_close_matches(name, list(known), 1)), None)


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _are_names(value: Any) -> bool:
    """Whether something is a list of different names."""
    return (
        isinstance(value, list)
        and all(isinstance(one, str) and one for one in value)
        and len(set(value)) == len(value)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _compiles(pattern: str) -> bool:
    """Whether DuckDB, which matches it, can read a pattern."""
    import duckdb

    try:
        duckdb.execute("select regexp_matches('', ?)", [pattern])
    except duckdb.Error:
        return False
    return True
