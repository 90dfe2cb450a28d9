"""The suites of edits, imputation and collection close on data that must not pass."""

import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.gates.validation import validate
from asco_dagster.waves import load_wave

GOOD = {
    "raw_asco__edits": {
        **{"unit_type": "commune", "edit": "e", "question": "Q", "role": "term", "severity": "hard"},
        **{"rule": "sum_at_most", "label_fr": "?"},
    },
    "stg_asco__given": {"unit_id": "a", "question": "Q", "edit_status": "answered", "broken_rule": None},
    "stg_asco__edit_log": {
        **{"unit_id": "a", "edit": "e", "severity": "hard", "action": "set_missing", "answers": "Q=1"},
    },
    "stg_asco__reminders": {"unit_id": "a", "stratum": "s", "unit_type": "epci"},
    "est_asco__imputations": {
        **{"unit_id": "a", "question": "Q", "value": 1.0, "reason": "set_missing", "method": "donor"},
        "donor_class": "stratum",
    },
    "est_asco__collection": {
        **{"unit_type": "epci", "breakdown": "day", "category": "2015-09-01"},
        **{"response_rate": 0.5, "sampled": 2},
    },
    "est_asco__indicators": {"unit_id": "a", "indicator": "i", "value": 1.0, "is_imputed": 0},
}
BROKEN = [
    ("raw_asco__edits", {"rule": "guess"}),
    ("raw_asco__edits", {"role": "spectator"}),
    ("stg_asco__given", {"edit_status": "perhaps"}),
    ("stg_asco__given", {"broken_rule": "type"}),
    ("stg_asco__edit_log", {"action": "to_check"}),
    ("stg_asco__edit_log", {"answers": None}),
    ("stg_asco__reminders", {"stratum": None}),
    ("est_asco__imputations", {"value": -1.0}),
    ("est_asco__imputations", {"reason": "answered"}),
    ("est_asco__imputations", {"method": "guess"}),
    ("est_asco__collection", {"response_rate": 1.5}),
    ("est_asco__collection", {"sampled": 0}),
    ("est_asco__indicators", {"is_imputed": 1}),
]


@pytest.mark.parametrize("asset", GOOD)
def test_good_data_pass(asset: str) -> None:
    assert not validate(load_suite(asset), pd.DataFrame([GOOD[asset]]), load_wave("2014")).closed


@pytest.mark.parametrize(("asset", "fault"), BROKEN)
def test_broken_data_close_the_gate(asset: str, fault: dict[str, object]) -> None:
    frame = pd.DataFrame([GOOD[asset] | fault])
    assert validate(load_suite(asset), frame, load_wave("2014")).closed


@pytest.mark.parametrize("asset", [name for name in GOOD if name != "stg_asco__given"])
def test_a_row_twice_closes_the_gate(asset: str) -> None:
    assert validate(load_suite(asset), pd.DataFrame([GOOD[asset]] * 2), load_wave("2014")).closed
