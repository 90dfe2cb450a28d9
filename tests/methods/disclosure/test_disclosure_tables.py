"""Small tables by hand: protected, close to the cheapest mask, and each protection missed when it is off."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.links import Link
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import IMPLIED, protect, released
from asco_dagster.methods.disclosure.rules import CELL, KEYS
from asco_testing.worlds.tiny_tables import (
    CASES,
    RULES,
    areas_of,
    attacked,
    case,
    cheaper,
    counts,
    grid,
    protected,
)
from asco_testing.worlds.true_size_respondents import AREAS, estimates, table

FIXTURES = Path(__file__).parents[1] / "fixtures" / "disclosure"
NONE = areas_of({})


@pytest.mark.parametrize("name", CASES)
def test_small_table_is_protected(name):
    _, areas, made = protected(name)
    found = attacked(made.cells, areas)
    found.require_safe()
    assert found.summary()["suppressed"] >= 2
    sensitive = found.cells[found.cells["status"].isin(["A", "B"])]
    assert not sensitive["exact"].any()
    assert attack(released(made.cells), areas, RULES).summary()["answers"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_mask_is_within_a_tenth_of_the_cheapest(name):
    judged, areas, made = protected(name)
    row = made.families.iloc[0]
    assert row["bound"] <= row["loss"] + 1e-6
    assert cheaper(judged, areas, row["loss"] / 1.1) is None


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("already_safe", "singletons_square")])
def test_primary_suppression_alone_is_broken_by_the_attack(name):
    judged, areas, _ = protected(name)
    found = attacked(judged, areas)
    assert found.summary()["exact"] + found.summary()["too_close"] > 0
    with pytest.raises(DisclosureError, match="numbers can be inferred or decide an answer: commune, X"):
        found.require_safe()


def test_one_sensitive_cell_of_a_square_is_hidden_by_a_rectangle():
    _, _, made = protected("fellegi_square")
    closed = made.cells[made.cells["status"] != "V"]
    assert len(closed) == 4
    assert closed["area_code"].nunique() == closed["size_class"].nunique() == 2
    assert (closed.loc[closed["status"] == "D", "reason"] == "protects region × r0 × c0").all()
    assert made.families.iloc[0][["sensitive", "secondary"]].tolist() == [1, 3]


@pytest.mark.parametrize("name", ("diagonal", "linked", "share", "dominance", "singleton_beside"))
def test_no_secondary_cell_is_closed_needlessly(name):
    """Opening any one secondary cell again breaks the mask, and the attack says so."""
    _, areas, made = protected(name)
    secondary = made.cells.index[made.cells["status"] == "D"]
    assert len(secondary)
    for number in secondary:
        opened = made.cells.copy()
        opened.loc[number, "status"] = "V"
        assert len(attacked(opened, areas).breaches()), made.cells.loc[number].to_dict()


def test_a_sole_respondent_breaks_a_rectangle_that_holds_against_everybody_else():
    judged, areas, made = protected("singletons_square")
    assert attack(released(judged), areas, RULES).summary()["exact"] == 0
    inside = attacked(judged, areas)
    assert inside.breaches()["by"].str.startswith("the respondent of region").all()
    assert inside.summary()["by_insider"] == 4
    assert (made.cells["status"] == "D").any()


def test_the_recovered_value_is_the_true_one():
    judged, areas, _ = protected("linked")
    found = attack(released(judged), areas, RULES).cells
    exact = found[found["exact"]].merge(judged, on=list(KEYS))
    assert len(exact) == 2
    assert np.allclose(exact["low"], exact["numerator"], rtol=1e-6)
    assert np.allclose(exact["high"], exact["numerator"], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_intervals_hold_the_truth(name):
    _, areas, made = protected(name)
    for given in ({}, {"truth": made.cells}):
        found = attack(released(made.cells), areas, RULES, **given).cells
        joined = found.merge(made.cells[[*KEYS, "estimate"]], on=list(KEYS))
        assert len(joined) == len(found)
        assert (joined["low"] <= joined["estimate"] * (1 + 1e-6) + 1e-9).all()
        assert (joined["high"] >= joined["estimate"] * (1 - 1e-6)).all()


@pytest.mark.parametrize(
    ("respondents", "level"), [(1, 1.0), (2, 0.625), (3, 1.25 / 3), (9, 1.25 / 9), (10, 0.1)]
)
def test_another_number_of_yes_stays_possible(respondents, level):
    """Granular protection: a step more or less of so few respondents lies within the interval."""
    assert RULES.share_level(np.array([respondents])).item() == pytest.approx(level)


def test_the_interval_of_a_small_cell_is_as_wide_as_its_few_respondents_need():
    _, areas, made = protected("share")
    found = attacked(made.cells, areas).cells
    hit = found[found["status"] == "A"].merge(made.cells[[*KEYS, "estimate"]], on=list(KEYS)).iloc[0]
    assert hit["low"] <= max(hit["estimate"] - 0.625, 0.0) + 1e-3
    assert hit["high"] >= min(hit["estimate"] + 0.625, 1.0) - 1e-3


@pytest.mark.slow
def test_the_same_for_any_order_of_rows_and_any_number_of_processes():
    first = table(grid(11, 4, 4), counts((4, 4), (0, 0), (2, 1), value=1.0), indicator="Y")
    second, regions = case("linked")
    judged = primary(pd.concat([first, second.assign(unit_type="epci")], ignore_index=True), RULES)
    areas = areas_of(regions)
    once = protect(judged, areas, RULES)
    mixed = judged.sample(frac=1, random_state=3)
    for again in (protect(mixed, areas, RULES), protect(judged, areas, RULES, workers=2)):
        pd.testing.assert_frame_equal(again.cells.sort_index(), once.cells)
        pd.testing.assert_frame_equal(again.families, once.families)
    assert protect(mixed, areas, RULES).cells.index.equals(mixed.index)
    here, spread = (attacked(once.cells, areas, workers=number) for number in (1, 2))
    pd.testing.assert_frame_equal(here.cells, spread.cells, check_exact=True)


def test_a_small_cell_of_nobody_inside_an_open_cell_of_nobody_stays_open():
    """Forty of a région say no: that its two of the smallest class do so too is published already."""
    yes = np.array([[0.0, 0.0, 0.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
    made = protect(
        primary(table(yes, counts((3, 3), (0, 0), value=4.0), statistic="share"), RULES), NONE, RULES
    )
    small = made.cells[(made.cells["area_code"] == "r0") & (made.cells["size_class"] == "c0")].iloc[0]
    assert (small["status"], small["reason"]) == ("V", IMPLIED)
    assert (made.cells["status"] == "V").all()
    attacked(made.cells, NONE).require_safe()
    # Where its région is closed it is not implied, and closes.
    few = np.where(np.arange(9).reshape(3, 3) < 3, 3.0, 50.0)
    done = protect(primary(table(yes, few, statistic="share"), RULES), NONE, RULES).cells
    own = done[done["area_code"] == "r0"]
    assert (own["status"] == "A").all()


def test_a_dominated_amount_does_not_close_its_share_and_closed_shares_no_amount():
    yes = np.array([[40.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
    amounts, _ = case("dominance")
    shares = table(yes, counts((3, 3)), statistic="share")
    done = protect(primary(pd.concat([shares, amounts], ignore_index=True), RULES), NONE, RULES).cells
    assert (done.loc[done["statistic"] == "share", "status"] == "V").all()
    assert done.loc[done["statistic"] == "total", "status"].value_counts().to_dict() == {
        "V": 12,
        "D": 3,
        "B": 1,
    }


def chain(low=1.0):
    """Any action and its two parts, where the parts and the whole tell of each other."""
    a = np.array([[2.0, 30.0, 20.0], [40.0, 25.0, 30.0], [35.0, 20.0, 25.0]])
    none = a * 0
    none[0, 0] = low
    respondents = counts((3, 3), (0, 0), value=2.0)
    return pd.concat(
        [
            table(a, respondents, statistic="share", indicator="a"),
            table(none, counts((3, 3)), statistic="share", indicator="b"),
            table(a, counts((3, 3)), statistic="share", indicator="any"),
        ],
        ignore_index=True,
    )


LINKS = {"commune": [
    Link({"any": 1.0, "a": -1.0}, 0.0, "any"), Link({"any": 1.0, "b": -1.0}, 0.0, "any"),
    Link({"a": 1.0, "b": 1.0, "any": -1.0}, 0.0, "any"),
]}  # fmt: skip


def test_links_ignored_leave_shares_exact_or_too_close():
    judged = primary(chain(), RULES)
    ignored = protect(judged, NONE, RULES).cells
    attacked(ignored, NONE).require_safe()  # each table by itself holds
    found = attacked(ignored, NONE, links=LINKS)
    assert {"a"} <= set(found.breaches()["indicator"])
    done = protect(judged, NONE, RULES, links=LINKS)
    attacked(done.cells, NONE, links=LINKS).require_safe()
    assert set(done.families["members"]) == {"a any b"}
    other = done.cells[done.cells["reason"].str.endswith(" of a")]
    assert set(other["indicator"]) <= {"any", "b"}
    assert len(other)


def test_what_is_about_those_who_say_yes_closes_where_they_close():
    yes = np.array([[40.0, 55.0, 20.0], [70.0, 30.0, 45.0], [65.0, 25.0, 50.0]])
    base = table(yes, counts((3, 3), (0, 0)), statistic="share", indicator="ccas")
    among = table(yes / 2, counts((3, 3), (0, 0)), yes, statistic="share", indicator="ccas_all")
    links = {"commune": [Link({"ccas": 1.0, "ccas_all": -1.0}, 0.0, "ccas_all", filtered_by="ccas")]}
    done = protect(
        primary(pd.concat([base, among], ignore_index=True), RULES), NONE, RULES, links=links
    ).cells
    closed = done.assign(closed=done["status"] != "V").pivot(
        index=list(CELL), columns="indicator", values="closed"
    )
    assert closed["ccas"].sum() >= 4
    assert (closed["ccas_all"] >= closed["ccas"]).all()
    attacked(done, NONE, links=links).require_safe()


def test_an_answer_that_is_not_published_is_protected_too():
    """All or some of 4: that none of them gives the third answer follows from the two that are published."""
    first = np.full((3, 3), 50.0)
    second = np.full((3, 3), 30.0)
    second[0, 0] = 50.0
    four = counts((3, 3), (0, 0), value=4.0)
    cells = pd.concat(
        [table(first, four, statistic="share", indicator="all"),
         table(second, four, statistic="share", indicator="some")], ignore_index=True)  # fmt: skip
    judged = primary(cells, RULES)
    assert (judged["status"] == "V").all()
    links = {"commune": [Link({"all": -1.0, "some": -1.0}, 1.0, "all", rest="neither all nor some")]}
    found = attacked(judged, NONE, links=links)
    assert found.breaches()["indicator"].tolist() == ["neither all nor some"]
    assert found.summary()["answers"] == 4
    done = protect(judged, NONE, RULES, links=links).cells
    assert len(done) == len(judged)  # the third answer has no cells of its own
    assert (done["status"] == "D").sum() >= 4
    attacked(done, NONE, links=links).require_safe()


@pytest.mark.parametrize(("value", "certain"), [(0.0, 3), (4.0, 0)])
def test_an_answer_is_certain_only_where_all_say_the_same(value, certain):
    """At most 13 of 100: less than a respondent of average weight, but a lighter one may have said yes."""
    yes = np.full((3, 3), 50.0)
    yes[0, :2] = value, 13.0 - value
    cells = table(yes, counts((3, 3), (0, 0), value=3.0), statistic="share")
    square = cells["area_code"].isin(["r0", "r1"]) & cells["size_class"].isin(["c0", "c1"])
    closed = primary(cells, RULES)
    closed["status"] = closed["status"].mask(square & (closed["status"] == "V"), "D")
    found = attacked(closed, NONE).cells
    one = found[(found["area_code"] == "r0") & (found["size_class"] == "c0")].iloc[0]
    assert (one["low"], one["high"]) == pytest.approx((0.0, 0.13), abs=1e-6)
    assert one["answers"] == certain


def test_areas_shown_together_have_one_cell():
    made = protected("linked")[2].cells
    assert not made["area_code"].eq("OM").any()
    assert AREAS["commune"].shown_region("01") == "OM"
    assert AREAS["commune"].region_of("PPC") == "11"


def test_totals_that_do_not_add_up_are_refused():
    cells, regions = case("diagonal")
    cells.loc[cells["geography"] == "france", "numerator"] *= 1.01
    with pytest.raises(DisclosureError, match="the parts of france × FR × total do not add up to it"):
        protect(primary(cells, RULES), areas_of(regions), RULES)


def test_a_share_above_the_whole_and_a_negative_amount_are_refused():
    cells, _ = case("share")
    hit = cells["area_code"].isin(["r0", "FR"]) & cells["size_class"].isin(["c0", "total"])
    over = cells.assign(numerator=cells["numerator"] + np.where(hit, 300.0, 0.0))
    with pytest.raises(DisclosureError, match=r"the share of .* is above 100 %"):
        protect(primary(over, RULES), NONE, RULES)
    with pytest.raises(DisclosureError, match="is negative"):
        protect(primary(cells.assign(numerator=-cells["numerator"]), RULES), NONE, RULES)


def test_published_values_that_contradict_each_other_are_no_proof_of_safety():
    _, areas, made = protected("fellegi_square")
    public = released(made.cells)
    own = (public["area_code"] == "r0") & (public["size_class"] == "total")
    public.loc[own, "estimate"] = 1.0  # less than its one part that is published
    with pytest.raises(DisclosureError, match="the published values contradict each other"):
        attack(public, areas, RULES)


def test_a_basis_gone_bad_is_not_taken_for_an_impossible_table():
    # A demonstration family on which HiGHS, started from the former programme's basis, ended in kUnknown.
    cells = pd.read_csv(FIXTURES / "reused_basis_input.csv.gz", dtype={"area_code": str})
    judged = primary(estimates(cells[cells["statistic"] != "population_share"]), RULES)
    areas = areas_of(AREAS["commune"].regions)
    done = protect(judged, areas, RULES).cells
    assert (done["status"] == "V").sum() > 150
    attacked(done, areas).require_safe()
