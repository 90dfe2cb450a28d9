"""When a return was filled in, and which of a unit's several returns counts: the rules, one by one."""

import datetime as dt
from pathlib import Path

import pytest

from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.settling import Claim, Record, Window, judged, settle
from asco_testing.sources.made_returns import OTHER_UNIT, UNIT, codebook, read, workbook, zipped

WINDOW = Window(dt.date(2015, 9, 1), dt.date(2016, 3, 31))
FORM = Expected.of(codebook(), "2014", None)
INSIDE, LATER = "2015-10-02T08:00:00", "2015-10-03T08:00:00"


@pytest.mark.parametrize(
    ("own", "archive", "flag", "believed"),
    [
        ("2015-09-01T00:00:00", None, "in_collection", "own"),
        ("2015-08-31T23:00:00", None, "in_collection", "own"),  # 1 September in another time zone
        ("2016-03-31T23:59:59", None, "in_collection", "own"),
        ("2016-04-15T10:00:00", None, "late", "own"),
        ("2016-10-01T10:00:00", None, "after_collection", None),
        ("2099-01-01T00:00:00", None, "after_collection", None),
        ("2015-08-30T10:00:00", None, "before_collection", None),
        ("1980-01-01T00:00:00", None, "before_collection", None),
        ("1980-01-01T00:00:00", "2015-11-03T10:00:00", "before_collection", "archive"),
        ("2015-10-02T08:00:00", "2099-11-03T10:00:00", "in_collection", "own"),
        (None, "2015-11-03T10:00:00", "in_collection", "archive"),
        (None, "1980-01-01T00:00:00", "before_collection", None),
        (None, None, "undated", None),
    ],
)
def test_a_moment_is_believed_near_the_collection(
    own: str | None, archive: str | None, flag: str, believed: str | None
) -> None:
    expected = {"own": own, "archive": archive, None: None}[believed]
    assert judged([Claim("r.zip", own, archive)], WINDOW) == [(flag, expected)]


def test_the_same_moment_in_all_returns_of_a_delivery_is_none() -> None:
    constant = [Claim("a.csv", INSIDE, None)] * 3
    assert judged(constant, WINDOW) == [("constant", None)] * 3
    assert judged([*constant, Claim("a.csv", None, None)], WINDOW)[3] == ("undated", None)
    assert judged(constant[:2], WINDOW) == [("in_collection", INSIDE)] * 2  # two may be a coincidence
    assert judged([*constant, Claim("a.csv", LATER, None)], WINDOW)[0] == ("in_collection", INSIDE)
    others = judged([*constant, Claim("b.csv", LATER, None)], WINDOW)
    assert others == [*[("constant", None)] * 3, ("in_collection", LATER)]


def test_a_constant_moment_of_the_workbooks_yields_to_that_of_the_archive() -> None:
    claims = [Claim("r.zip", INSIDE, f"2015-11-0{day}T10:00:00") for day in (1, 2, 3)]
    assert judged(claims, WINDOW) == [("constant", claim.archive) for claim in claims]


def _record(
    moment: str | None = INSIDE,
    *,
    share: float = 1.0,
    file: str = "a.csv",
    row: int | None = 2,
    response: int | None = None,
    delivery: int = 0,
    modified: str | None = None,
) -> Record:
    places = list(range(round(share * len(FORM.places))))
    returned = Return.of(FORM, UNIT, moment, places, ["1"] * len(places), version=None)
    return Record(file, "commune", returned, modified=modified, row=row, response=response, delivery=delivery)


@pytest.mark.parametrize(
    ("losing", "counting", "decided_by"),
    [
        (_record("2015-12-01T08:00:00", share=0.5), _record(), "complete"),
        (_record(None), _record(), "dated"),
        (_record("2099-01-01T08:00:00"), _record(), "dated"),
        (_record("1980-01-01T08:00:00"), _record(), "dated"),
        (_record(), _record(LATER), "newer"),
        (_record(LATER), _record("2016-05-01T08:00:00"), "newer"),  # late, and later
        (_record(), _record(file="b.csv", delivery=1), "later_delivery"),
        (_record(None, response=12), _record(None, file="b.csv", delivery=1, response=3), "later_delivery"),
        (_record(None, response=3), _record(None, response=12), "later_response"),
        (_record(None, share=0.85), _record(None, share=0.95), "more_complete"),
        (_record(None, share=0.3), _record(None, share=0.4), "more_complete"),
    ],
)
@pytest.mark.parametrize("reversed_", [False, True])
def test_each_rule_decides_whatever_the_order(
    losing: Record, counting: Record, decided_by: str, reversed_: bool
) -> None:
    records = [counting, losing] if reversed_ else [losing, counting]
    settled = settle(records, WINDOW)
    first, second = settled if reversed_ else reversed(settled)
    assert (first.status, first.decided_by, first.superseded_by) == ("accepted", decided_by, None)
    assert (second.status, second.decided_by) == ("superseded", decided_by)
    assert second.superseded_by == f"{counting.file}, row 2"


def test_a_tie_in_everything_goes_to_the_later_place_and_says_so() -> None:
    settled = settle([_record(row=2), _record(row=3)], WINDOW)
    assert [record.status for record in settled] == ["superseded", "accepted"]
    assert [record.decided_by for record in settled] == ["later_place"] * 2
    assert settled[0].superseded_by == "a.csv, row 3"


def test_of_three_each_says_what_it_lost_or_won_by() -> None:
    settled = settle([_record(INSIDE), _record(LATER, row=3), _record(LATER, share=0.2, row=4)], WINDOW)
    assert [record.status for record in settled] == ["superseded", "accepted", "superseded"]
    assert [record.decided_by for record in settled] == ["newer", "newer", "complete"]


def test_the_decisions_are_in_the_table_of_returns(tmp_path: Path) -> None:
    files = {
        "a.xlsx": workbook(UNIT, "2099-10-01T08:00:00"),
        "b.xlsx": workbook(UNIT, "2015-11-01T08:00:00"),
        "c.xlsx": workbook(OTHER_UNIT, "2016-04-20T08:00:00"),
        "d.xlsx": b"no workbook",
    }
    found = read(zipped(tmp_path / "r.zip", files), collection=WINDOW).returns
    table = found[["status", "moment_flag", "submitted_at", "claimed_at", "decided_by", "superseded_by"]]
    assert table.astype(object).where(table.notna(), None).values.tolist() == [
        ["superseded", "after_collection", None, "2099-10-01T08:00:00", "dated", "r.zip/b.xlsx"],
        ["accepted", "in_collection", "2015-11-01T08:00:00", "2015-11-01T08:00:00", "dated", None],
        ["accepted", "late", "2016-04-20T08:00:00", "2016-04-20T08:00:00", "only", None],
        # the archive gives all its files one moment
        ["refused", "constant", None, "2015-11-03T10:00:00", None, None],
    ]
