"""The gate of the returns: closed when more are refused than the wave allows, and on what cannot be."""

from collections.abc import Callable

import pandas as pd
import pytest

from asco_dagster.gates.results import GateResult
from asco_dagster.gates.suite import load_suite
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate

WAVE = load_wave("2014")


def _returns(refused: int, total: int = 1000) -> pd.DataFrame:
    accepted = total - refused
    return pd.DataFrame(
        {
            "file": [f"r.zip/{number}.xlsx" for number in range(total)],
            "source_row": pd.Series([None] * total, dtype="Int64"),
            "unit_code": [f"{number:05d}" for number in range(total)],
            "status": ["accepted"] * accepted + ["refused"] * refused,
            "is_refused": [0] * accepted + [1] * refused,
            "reason": pd.Series([None] * accepted + ["formula"] * refused, dtype="string"),
            "submitted_at": "2015-10-02T08:00:00",
            "moment_flag": "in_collection",
            "decided_by": pd.Series(["only"] * accepted + [None] * refused, dtype="string"),
            "completeness": 1.0,
        }
    )


def _gate(frame: pd.DataFrame) -> GateResult:
    return validate(load_suite("raw_asco__returns"), frame, WAVE)


def test_it_is_open_up_to_the_waves_bound_and_closed_beyond() -> None:
    bound = round(WAVE.bounds["refused_share_max"] * 1000)
    assert not _gate(_returns(0)).closed
    assert not _gate(_returns(bound)).closed
    closed = _gate(_returns(bound + 1))
    assert closed.closed
    (fault,) = [verdict for verdict in closed.verdicts if verdict.closes]
    assert "asco quarantine list" in fault.reason


@pytest.mark.parametrize(
    "breaks",
    [
        lambda frame: frame.assign(status="lost"),
        lambda frame: frame.assign(status=None),
        lambda frame: frame.assign(file="the same.xlsx"),
        lambda frame: frame.assign(unit_code=frame["unit_code"].where(frame.index > 0)),
        lambda frame: frame.assign(reason=pd.Series([None] * len(frame), dtype="string")),
        lambda frame: frame.assign(moment_flag="maybe"),
        lambda frame: frame.assign(moment_flag=None),
        lambda frame: frame.assign(decided_by="a coin"),
        lambda frame: frame.head(0),
    ],
)
def test_it_closes_on_returns_that_cannot_be(breaks: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    assert _gate(breaks(_returns(2))).closed


@pytest.mark.parametrize(
    "breaks",
    [
        lambda frame: frame.assign(reason=frame["reason"].replace("formula", "unforeseen")),
        lambda frame: frame.assign(completeness=0.2),
        lambda frame: frame.assign(moment_flag="before_collection"),
        lambda frame: frame.assign(decided_by=frame["decided_by"].replace("only", "later_place")),
        lambda frame: frame.assign(submitted_at=pd.Series([None] * len(frame), dtype="string")),
    ],
)
def test_it_warns_of_what_a_person_should_look_at(breaks: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    result = _gate(breaks(_returns(2)))
    assert result.warned
    assert not result.closed
