"""The table of broken wave files: how each is broken, and what its sentence must say.

A case changes the text of the shipped file of wave 2014. What does not belong here: trying them
(``test_broken_inputs``).
"""
# ruff: noqa: E501 (a case a line)

import re
from collections.abc import Callable

from asco_testing.security.broken_input import Broken

_CORRECT = "Correct"


def _text(name: str, change: Callable[[str], str | bytes], *told: str) -> Broken:
    return Broken(f"wave file: {name}", change, ("file 2014.yaml", *told))


def _replaced(name: str, old: str, new: str, *told: str) -> Broken:
    """The file with one line, or a part of it, replaced."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return _text(name, change, *told)


# fmt: off
WAVE_FILES = [
    _text("empty", lambda _: "", "it holds no keys", "expected a mapping of keys", _CORRECT),
    _text("a list", lambda _: "- 2014\n- 2025\n", "it holds no keys", _CORRECT),
    _text("null bytes", lambda text: b"\0" * len(text), "not valid YAML", _CORRECT),
    _text("not UTF-8", lambda text: text.encode() + b"# \xe9t\xe9\n", "not valid UTF-8 at byte", _CORRECT),
    _text("half a file", lambda text: text[: text.index("\n", 1500)], "key ", _CORRECT),
    _text("a tab", lambda text: text.replace("  seed: 2014", "\tseed: 2014"), "not valid YAML in row ", _CORRECT),
    _text("nested without end", lambda _: "[" * 5000, "not valid YAML", _CORRECT),
    _text("an object of Python", lambda text: text + "\nhook: !!python/object/apply:os.system [id]\n", "not valid YAML in row ", "could not determine a constructor", _CORRECT),
    _text("names for names for names", lambda text: text + "\nlaugh:\n" + "\n".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'ha'}]" for n in range(12)), "key laugh: unknown key", _CORRECT),
    _text("itself in itself", lambda text: text + "\nlaugh: &a [*a]\n", "key laugh", _CORRECT),
    _text("a bound given twice", lambda text: text.replace("  epci_max: 2600", "  epci_max: 2600\n  epci_max: 99999"), "in row ", "the key “epci_max” is given twice", _CORRECT),
    _text("bounds given twice", lambda text: text + "\nbounds: {weight_max: 99999}\n", "in row ", "the key “bounds” is given twice", _CORRECT),
    _replaced("an infinite bound", "epci_max: 2600", "epci_max: .inf", "key bounds.epci_max: Input should be a finite number", _CORRECT),
    _replaced("a bound that is no number", "epci_max: 2600", "epci_max: .nan", "key bounds.epci_max: Input should be a finite number", _CORRECT),
    _replaced("a bound of yes", "epci_max: 2600", "epci_max: yes", "key bounds.epci_max: a number is expected, not True", _CORRECT),
    _replaced("a bound that is a text", "epci_max: 2600", "epci_max: many", "key bounds.epci_max: a number is expected, not 'many'", _CORRECT),
    _replaced("an infinite share", "dominance_share: 0.85", "dominance_share: .nan", "key disclosure.dominance_share", _CORRECT),
    _text("a date that is none", lambda text: re.sub(r"start: [0-9-]+", "start: 2014-02-30", text), "in row ", "“2014-02-30” is no date", _CORRECT),
    _replaced("two respondents", "disclosure:\n  minimum_respondents: 3", "disclosure:\n  minimum_respondents: 2", "key disclosure.minimum_respondents: Input should be greater than or equal to 3", _CORRECT),
    _replaced("another wave", 'wave: "2014"', 'wave: "2025"', "key wave says “2025”", "expected “2014”, as the file's name", _CORRECT),
    _replaced("a misspelt key", "disclosure:", "disclosures:", "missing key", _CORRECT),
    _replaced("a questionnaire elsewhere", 'questionnaire: "2014"', 'questionnaire: "../../../etc"', "key questionnaire", _CORRECT),
    _replaced("no bounds", "bounds: #", "bounds: {} #", "not valid YAML", _CORRECT),
]
# fmt: on
