"""A suite file: GX's own JSON, one file an asset, and what this project asks of it.

Every expectation carries GX's ``severity`` and a ``meta.reason`` in plain words; the suite's ``meta.key``
names the columns that identify an offending row (never contact data). Reading needs no import of GX.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.layers import layer_of
from asco_dagster.places import EXPECTATIONS

SEVERITIES = ("critical", "warning")


@dataclass(frozen=True)
class Suite:
    """A suite as read.

    Attributes:
        asset: the asset that it gates.
        content: GX's JSON.
    """

    asset: str
    content: Mapping[str, Any]

    @property
    def expectations(self) -> list[dict[str, Any]]:
        """The expectations, in the order of the file."""
        return list(self.content["expectations"])

    @property
    def key(self) -> list[str]:
        """Columns that identify an offending row."""
        return list(self.content.get("meta", {}).get("key", []))

    def columns(self) -> list[str]:
        """Every column that an expectation or the key names: nothing else is read from the table."""
        named = dict.fromkeys(self.key)
        for expectation in self.expectations:
            kwargs = expectation["kwargs"]
            for argument in ("column", "column_A", "column_B"):
                if argument in kwargs:
                    named[kwargs[argument]] = None
            named.update(dict.fromkeys(kwargs.get("column_list", [])))
            named.update(dict.fromkeys(_condition_columns(expectation)))
        return list(named)

    def parameters(self) -> set[str]:
        """Names of the wave's bounds that the suite takes."""
        return set(_parameters(self.content["expectations"]))


def suite_path(asset: str, folder: Path = EXPECTATIONS) -> Path:
    """Where the suite of an asset lies."""
    return folder / layer_of(asset) / f"{asset}.json"


def load_suite(asset: str, folder: Path = EXPECTATIONS) -> Suite:
    """Read an asset's suite.

    Raises:
        ConfigurationError: no file, not JSON, no expectation, or one without severity or reason.
    """
    path = suite_path(asset, folder)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"asset {asset} has no suite",
            expected=f"expectations/{layer_of(asset)}/{asset}.json",
            remedy="Write the suite: an asset without a gate is never published",
        ) from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"not valid JSON: {error.msg}", file=path, row=error.lineno, remedy="Correct the suite"
        ) from error
    if not content.get("expectations"):
        raise ConfigurationError("the suite is empty", file=path, remedy="Give it at least one expectation")
    for number, expectation in enumerate(content["expectations"], start=1):
        _demand_form(path, number, expectation)
    return Suite(asset, content)


def _demand_form(path: Path, number: int, expectation: Mapping[str, Any]) -> None:
    where = f"expectation {number} ({expectation.get('type', 'without type')})"
    if expectation.get("severity") not in SEVERITIES:
        raise ConfigurationError(
            f"{where} has no severity", file=path, expected=f"one of {', '.join(SEVERITIES)}", remedy="Add it"
        )
    if not expectation.get("meta", {}).get("reason"):
        raise ConfigurationError(
            f"{where} has no meta.reason", file=path, remedy="Say in plain words why it is asked"
        )


def _condition_columns(expectation: Mapping[str, Any]) -> list[str]:
    return list(expectation.get("meta", {}).get("condition_columns", []))


def _parameters(content: Any) -> Iterator[str]:
    if isinstance(content, Mapping):
        if "$PARAMETER" in content:
            yield content["$PARAMETER"]
        for value in content.values():
            yield from _parameters(value)
    elif isinstance(content, list):
        for value in content:
            yield from _parameters(value)
