"""The tables that a wave may leave empty: a sound one passes, every way to break it closes its gate.

What the other gates of the layer are broken by is generated from the suites
(``asco_testing.gates.mutations``).
"""

import json

import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate
from asco_testing.worlds.rare_rows import SOUND as ALL

WAVE = load_wave("2014")
ASSETS = ("sec_asco__disclosure_log",)
SOUND = {asset: ALL[asset] for asset in ASSETS}
# asset, changes of the last row (None: the row twice), expectation that must fail, whether the gate closes
BROKEN = [
    ("sec_asco__disclosure_log", None, "compound_columns_to_be_unique", True),
    ("sec_asco__disclosure_log", {"geography": "commune"}, "column_values_to_be_in_set:geography", True),
    ("sec_asco__disclosure_log", {"area_code": None}, "column_values_to_not_be_null:area_code", True),
    ("sec_asco__disclosure_log", {"status": "c"}, "column_values_to_be_in_set:status", True),
    ("sec_asco__disclosure_log", {"reason": None}, "column_values_to_not_be_null:reason", True),
    ("sec_asco__disclosure_log", {"reason": "so"}, "column_value_lengths_to_be_between:reason", True),
    ("sec_asco__disclosure_log", {"published_in": "1.0.0"}, "column_values_to_be_null:published_in", False),
    (
        "sec_asco__disclosure_log", {"reason": "held back: fewer units corrected than the threshold"},
        "column_values_to_not_match_regex:reason", False,
    ),
]  # fmt: skip


def failed(asset, rows):
    result = validate(load_suite(asset), pd.DataFrame(rows), WAVE)
    names = [
        verdict.expectation.removeprefix("expect_")
        + (f":{verdict.column}" if "~" not in verdict.column and verdict.column else "")
        for verdict in result.verdicts
        if not verdict.passed
    ]
    assert not any(verdict.fault for verdict in result.verdicts)
    return names, result.closed


@pytest.mark.parametrize("asset", SOUND)
def test_a_sound_table_passes(asset):
    assert failed(asset, SOUND[asset]) == ([], False)


@pytest.mark.parametrize(("asset", "changes", "expectation", "closes"), BROKEN)
def test_a_broken_one_does_not(asset, changes, expectation, closes):
    rows = json.loads(json.dumps(SOUND[asset]))
    if changes is None:
        rows.append(rows[-1])
    else:
        rows[-1] |= changes
    names, closed = failed(asset, rows)
    assert any(name.startswith(expectation) for name in names), names
    assert closed == closes


def test_every_expectation_of_the_layer_is_broken_once():
    for asset in SOUND:
        asked = {
            expectation["type"].removeprefix("expect_") + ":" + expectation["kwargs"].get("column", "")
            for expectation in load_suite(asset).expectations
        }
        seen = {name if ":" in name else f"{name}:" for own, _, name, _ in BROKEN if own == asset}
        untested = asked - seen
        assert not untested, asset
