"""The table of damaged results of gates: how each is damaged, and what its sentence must say.

A case changes the file of a result. What does not belong here: trying them (``test_broken_inputs``,
``tests/gates/test_results``).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asco_testing.security.broken_input import Broken


def _case(name: str, spoil: Callable[[Path], object], told: str) -> Broken:
    return Broken(f"gate file: {name}", spoil, (told,))


def _with(**keys: Any) -> Callable[[Path], object]:
    """The result with other keys."""
    return lambda file: file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))


def _verdict(**keys: Any) -> Callable[[Path], object]:
    """The result whose first verdict has other keys."""

    def spoil(file: Path) -> None:
        result = json.loads(file.read_text())
        result["verdicts"][0] |= keys
        file.write_text(json.dumps(result))

    return spoil


# fmt: off
GATE_FILES = [
    _case("empty", lambda file: file.write_bytes(b""), "the file is empty"),
    _case("null bytes", lambda file: file.write_bytes(b"\0" * 400), "not valid JSON: it holds null bytes"),
    _case("half", lambda file: file.write_bytes(file.read_bytes()[:100]), "not valid JSON"),
    _case(
        "not UTF-8", lambda file: file.write_bytes(b"\xff" + file.read_bytes()), "not valid UTF-8 at byte 0"
    ),
    _case("gone", Path.unlink, "there is no result"),
    _case("a list", lambda file: file.write_text("[]"), "the file: "),
    _case("open without a verdict", _with(verdicts=[]), "it holds 0 verdicts of 1 expectations"),
    _case("open without an expectation", _with(verdicts=[], expectations=0), "it holds 0 verdicts of 0"),
    _case("verdicts that are a text", _with(verdicts="all passed"), "verdicts: "),
    _case("a verdict that is a number", _verdict(passed=1), "verdicts.0.passed: "),
    _case(
        "closed, and said to be open", _verdict(passed=False), "it says closed: False, its verdicts say True"
    ),
    _case("of another wave", _with(wave="2025"), "it is the result of raw_x__y of wave 2025"),
    _case("of another asset", _with(asset="raw_x__z"), "it is the result of raw_x__z of wave 2014"),
]
# fmt: on
