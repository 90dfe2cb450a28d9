"""Versions of one wave laid side by side: what was closed stays closed, and together they tell nothing."""

import numpy as np
import pandas as pd
import pytest
from made_up_wave import REGIONS, domains, estimates, released_statistics, survey, table

from asco_dagster.confidentiality.log import disclosure_log, summary
from asco_dagster.confidentiality.over_time import attack_over_time
from asco_dagster.methods.disclosure import DisclosureRules, contributions, primary, protect, released
from asco_dagster.methods.disclosure.earlier import (
    closed_before,
    small_differences,
    still_true,
    with_earlier,
)
from asco_dagster.methods.disclosure.rules import CELL, KEYS

RULES = DisclosureRules()


@pytest.fixture(scope="module")
def cells():
    units, answers = survey(2, 5, communes=2500, epci=300)
    answers = answers[answers["indicator"].isin(["I00", "I04"])]
    return estimates(released_statistics(contributions(units, answers, domains())))


@pytest.fixture(scope="module")
def first(cells):
    return protect(primary(cells, RULES), REGIONS, RULES)


def version(done, name="1.0.0"):
    return released(done).assign(version=name)


def next_version(cells, former, rules=RULES):
    return protect(
        primary(cells, rules),
        REGIONS,
        rules,
        closed=closed_before(former),
        public=still_true(former, cells, {}),
    )


def closed_of(done):
    return done.set_index(list(KEYS)).sort_index()["status"] != "V"


def test_an_unchanged_wave_keeps_its_mask(cells, first):
    again = next_version(cells, version(first))
    assert closed_of(again).equals(closed_of(first))
    third = next_version(cells, pd.concat([version(first), version(again, "2.0.0")], ignore_index=True))
    assert closed_of(third).equals(closed_of(first))


def test_two_masks_that_hold_apart_tell_together_and_are_made_to_hold_together(cells, first):
    other = DisclosureRules(information_loss="cells")
    apart = protect(primary(cells, other), REGIONS, other)
    known = still_true(version(first), apart, {})
    told = attack_over_time(apart, known, REGIONS, RULES, {})
    assert told.filled > 20
    assert len(told.new) > 20
    together = next_version(cells, version(first), other)
    held = attack_over_time(together, still_true(version(first), together, {}), REGIONS, RULES, {})
    assert (held.filled, len(held.new), held.told_before) == (0, 0, 0)


def test_a_cell_that_was_suppressed_stays_closed_when_nothing_asks_for_it_any_more(cells, first):
    loose = DisclosureRules(threshold=1, group_threshold=0, dominance=1.0)
    assert (primary(cells, loose)["status"] == "V").all()
    done = next_version(cells, version(first), loose)
    assert closed_of(done).equals(closed_of(first))
    assert set(done.loc[done["status"] != "V", "reason"]) == {"closed in an earlier release"}
    before = closed_before(version(first))
    assert set(before["status"]) == {"A", "B", "D"}
    log = disclosure_log(first, version(first), {})
    assert log["closed_since"].eq("1.0.0").all()
    assert log["published_in"].isna().all()


def test_what_an_earlier_release_published_is_logged_and_not_blamed_on_the_new_one(cells, first):
    # A cell that was open is sensitive now (a rule was tightened); its number stands in the first version.
    open_ = first[(first["status"] == "V") & (first["geography"] == "departement")].iloc[0]
    hit = (cells[["unit_type", *CELL]] == open_[["unit_type", *CELL]]).all(axis=1)
    stricter = primary(cells, RULES)
    stricter.loc[hit, ["status", "reason"]] = ["A", "fewer respondents than the threshold"]
    former = version(first)
    done = protect(
        stricter, REGIONS, RULES, closed=closed_before(former), public=still_true(former, cells, {})
    )
    assert (done.loc[hit, "status"] != "V").all()
    log = disclosure_log(done, former, {})
    assert log.loc[log["published_in"].notna(), "area_code"].eq(open_["area_code"]).any()
    over = attack_over_time(done, still_true(former, done, {}), REGIONS, RULES, {})
    assert over.filled > 0
    assert over.new.empty


def test_a_number_that_changed_is_no_longer_the_tables():
    one = table(np.full((3, 3), 20.0), np.where(np.eye(3) > 0, 2.0, 40.0))
    former = version(protect(primary(one, RULES), {}, RULES))
    assert len(still_true(former, one, {})) == (former["status"] == "V").sum()
    moved = one.assign(estimate=one["estimate"] * 1.001)
    assert still_true(former, moved, {}).empty
    assert len(still_true(former, moved, {"total": 1.0})) > 0
    alone = with_earlier(former.drop(columns="version"), still_true(former, one, {}).iloc[:2], alone=True)
    assert (alone["status"] == "V").sum() == 2
    assert alone["estimate"].notna().sum() == 2


def test_versions_that_differ_by_few_respondents_are_counted():
    one = table(np.full((3, 3), 20.0), np.full((3, 3), 40.0))
    former = version(primary(one, RULES))
    two = one.assign(respondents=one["respondents"] + np.where(one["area_code"] == "r0", 2, 0))
    now = released(primary(two, RULES))
    found = small_differences(former, now, 3)
    assert set(found["area_code"]) == {"r0"}
    assert (found["difference"] == 2).all()
    assert small_differences(former, now, 2).empty


def test_the_summary_counts_every_cell_once(first):
    told = summary(first)
    assert told["cells"].sum() == len(first)
    statuses = told[["released", "frequency", "dominance", "secondary"]].sum()
    assert statuses.tolist() == [int((first["status"] == status).sum()) for status in "VABD"]
    assert told["withheld_indicators"].eq(0).all()
