"""Versions of one wave side by side: corrections of one or two units do not show, and none ever fails."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.disclosure.areas import partitions
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.protect import protect
from asco_dagster.methods.disclosure.rules import CELL, KEYS
from asco_dagster.methods.disclosure.versions import Version, hold_back, since
from asco_testing.worlds.tiny_survey import AREAS, LINKS, RULES, judged_cells, public_of, release, world

pytestmark = pytest.mark.slow

ONE = ["act_a"]


@pytest.fixture(scope="module")
def first():
    units, answers = world()
    return units, answers, *release(units, answers, indicators=ONE)


def flipped(answers, names, indicator="act_a"):
    """The answers with those of some units turned round."""
    turned = answers["unit_id"].isin(names)
    return answers.assign(**{indicator: answers[indicator].where(~turned, 1 - answers[indicator])})


def of(cells, geography, area, size="total", statistic="share"):
    keys = dict(zip(CELL, (geography, area, size), strict=True)) | {"statistic": statistic}
    rows = cells[np.logical_and.reduce([cells[name] == value for name, value in keys.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


def members(units, departement, size=None):
    rows = units[units["departement_code"] == departement]
    return list(rows.loc[(rows["size_class"] == size) if size else rows.index >= 0, "unit_id"])


def shows_few(truths, versions):
    """Cells in which two versions show numbers of their own although one or two units differ between them."""
    found = []
    for later in range(1, len(versions)):
        for earlier in range(later):
            different = _different(truths[earlier], truths[later])
            for key, count in different.items():
                own = []
                for version in (versions[earlier], versions[later]):
                    rows = version.cells[(version.cells[list(CELL)] == list(key)).all(axis=1)]
                    rows = rows[(rows["status"] == "V") & rows["as_of"].isna()]
                    own.append(set(rows["statistic"] + rows["indicator"]))
                if 0 < count < RULES.threshold and own[0] & own[1]:
                    found.append((versions[earlier].name, versions[later].name, key, count))
    return found


def _different(before, after):
    """Units of each cell whose answers are not the same in two truths, by their names."""
    columns = [name for name in before[1].columns if name != "unit_id"]
    both = before[1].merge(after[1], on="unit_id", how="outer", suffixes=("", "_after"), indicator=True)
    old, new = both[columns], both[[f"{name}_after" for name in columns]].set_axis(columns, axis=1)
    same = ((old == new) | (old.isna() & new.isna())).all(axis=1) & (both["_merge"] == "both")
    units = pd.concat([before[0], after[0]]).drop_duplicates("unit_id")
    changed = units[units["unit_id"].isin(both.loc[~same, "unit_id"])]
    counts = {}
    for place in partitions(changed, AREAS["commune"]):
        for key in place[list(CELL)].itertuples(index=False, name=None):
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_the_same_answers_again_are_the_same_truth(first):
    units, answers, version, _shown, found = first
    found.require_safe()
    again, second, attacked = release(units, answers, [version], indicators=ONE)
    attacked.require_safe()
    assert second["corrected"].eq(0).all()
    assert again.cells["as_of"].isna().all()
    pd.testing.assert_frame_equal(again.cells, version.cells)


def test_a_new_name_of_every_unit_is_no_correction(first):
    units, answers, version, _, _ = first
    renamed = {name: f"x{number}" for number, name in enumerate(reversed(units["unit_id"].tolist()))}
    again, shown, _ = release(
        units.assign(unit_id=units["unit_id"].map(renamed)),
        answers.assign(unit_id=answers["unit_id"].map(renamed)),
        [version],
        indicators=ONE,
    )
    assert shown["corrected"].eq(0).all()
    assert again.cells["status"].equals(version.cells["status"])


@pytest.mark.parametrize("count", (1, 2))
def test_a_correction_of_one_or_two_units_is_held_back_in_all_their_cells(first, count):
    units, answers, version, _, _ = first
    changed = flipped(answers, members(units, "10", "1_small")[:count])
    second, shown, found = release(units, changed, [version], indicators=ONE)
    found.require_safe()
    chain = [
        ("france", "FR", "total"), ("france", "FR", "1_small"), ("region", "r1", "total"),
        ("region", "r1", "1_small"), ("departement", "10", "total"),
    ]  # fmt: skip
    for cell in chain:
        inside, before, now = of(shown, *cell), of(version.cells, *cell), of(second.cells, *cell)
        assert inside["corrected"] == count
        assert now["status"] == before["status"]
        if before["status"] == "V":
            assert now["as_of"] == "1.0.0"
            assert now["estimate"] == before["estimate"]
    elsewhere = second.cells[second.cells["area_code"].isin(["r2", "r3", "20", "21", "30"])]
    same = version.cells.set_index(list(KEYS))["status"]
    assert elsewhere.set_index(list(KEYS))["status"].eq(same.reindex(pd.MultiIndex.from_frame(
        elsewhere[list(KEYS)]))).all()  # fmt: skip
    assert shows_few([(units, answers), (units, changed)], [version, second]) == []


def test_a_correction_of_three_units_of_one_class_shows_where_all_of_them_lie(first):
    units, answers, version, _, _ = first
    changed = flipped(answers, members(units, "20", "1_small")[:3])
    second, shown, found = release(units, changed, [version], indicators=ONE)
    found.require_safe()
    assert shown["correction"].eq(0).all()
    for cell in [("france", "FR", "total"), ("region", "r2", "total"), ("departement", "20", "total")]:
        now = of(second.cells, *cell)
        assert pd.isna(now["as_of"])
        assert now["estimate"] == pytest.approx(
            of(shown, *cell)["numerator"] / of(shown, *cell)["denominator"]
        )
        assert now["estimate"] != of(version.cells, *cell)["estimate"]


def test_what_is_held_back_does_not_follow_from_what_is_shown(first):
    """Four units of a département and one of another: région less the others would be the one's answer."""
    units, answers, version, _, _ = first
    names = [*members(units, "10")[:4], members(units, "11")[0]]
    changed = flipped(answers, names)
    second, _shown, found = release(units, changed, [version], indicators=ONE)
    found.require_safe()
    assert shows_few([(units, answers), (units, changed)], [version, second]) == []
    assert of(second.cells, "departement", "11")["as_of"] == "1.0.0"
    # The difference of its région's two numbers is that of five units only where 10 keeps its old number too.
    region, other = of(second.cells, "region", "r1"), of(second.cells, "departement", "10")
    assert not (pd.isna(region["as_of"]) and pd.isna(other["as_of"]))


def test_a_correction_accumulates_until_it_shows(first):
    units, answers, version, _, _ = first
    names = members(units, "20", "1_small")[:3]
    once, twice = flipped(answers, names[:2]), flipped(answers, names)
    second, _, _ = release(units, once, [version], indicators=ONE)
    third, _, found = release(units, twice, [version, second], indicators=ONE)
    found.require_safe()
    cell = ("departement", "20", "total")
    assert of(second.cells, *cell)["as_of"] == "1.0.0"
    assert pd.isna(of(third.cells, *cell)["as_of"])
    assert shows_few([(units, one) for one in (answers, once, twice)], [version, second, third]) == []


def test_a_closed_cell_stays_closed_when_nothing_asks_for_it_any_more(first):
    units, answers, version, _shown, _ = first
    closed = version.cells["status"] == "c"
    assert closed.sum() > 5
    cells, _ = judged_cells(units, answers, [version], ONE)
    free = cells.assign(status="V", reason="")
    done = protect(free, AREAS, RULES, links=LINKS).cells
    after = done.set_index(list(KEYS)).reindex(pd.MultiIndex.from_frame(version.cells[list(KEYS)]))
    assert (after.loc[closed.to_numpy(), "status"] == "D").all()
    assert (after.loc[closed.to_numpy(), "reason"] == "closed in an earlier release").all()
    assert (hold_back(done, [version]).loc[lambda rows: rows["closed"], "status"] != "V").all()


def test_without_a_record_nothing_counts_as_corrected(first):
    units, answers, version, _, _ = first
    changed = flipped(answers, members(units, "10")[:1])
    _, shown, _ = release(units, changed, [Version("1.0.0", version.cells, None)], indicators=ONE)
    assert shown["corrected"].eq(0).all()
    assert shown["as_of"].isna().all()


@pytest.mark.parametrize("count", (1, 2))
def test_the_attack_finds_a_correction_that_is_not_held_back(first, count):
    """Two versions, each protected for itself and fully published: the way releases were made before."""
    units, answers, version, _, _ = first
    changed = flipped(answers, members(units, "10", "1_small")[:count])
    alone, _, unaware = release(units, changed, indicators=ONE)
    unaware.require_safe()
    truth, _ = judged_cells(units, changed, [version], ONE)
    found = attack(alone.cells, AREAS, RULES, links=LINKS, truth=truth)
    assert found.summary()["answers"] > 0
    assert {"FR", "r1", "10"} <= set(found.decided["area_code"])
    assert shows_few([(units, answers), (units, changed)], [version, alone])


def test_the_attack_finds_a_correction_that_follows_from_the_cells_around(first):
    """Only the corrected cells keep their old numbers: one that was left out follows from its région."""
    units, answers, version, _, _ = first
    names = [*members(units, "10")[:4], members(units, "11")[0]]
    cells, _ = judged_cells(units, flipped(answers, names), [version], ONE)
    only = cells.assign(status=cells["status"].where(cells["correction"] == 0, "D"))
    closed = only["closed"] & (only["status"] == "V")
    only["status"] = only["status"].mask(closed, "D")
    shown = hold_back(only, [version])
    shown["estimate"] = shown["estimate"].astype(float)
    found = attack(public_of(shown), AREAS, RULES, links=LINKS, truth=shown)
    hit = found.breaches()
    assert "11" in set(hit["area_code"]), found.summary()


def test_four_versions_in_a_row_are_released_and_are_safe_together():
    """Returns left out, some added, some changed, all put back; every indicator, with its links."""
    units, answers = world(seed=3)
    late = members(units, "21")[:2]
    begun = ~units["unit_id"].isin(late)
    without = begun & ~units["unit_id"].isin([*members(units, "10")[:2], members(units, "31")[0]])
    names = [*members(units, "11", "1_small")[:1], *members(units, "20")[:3]]
    changed = flipped(flipped(answers, names), names, "act_b")
    changed["any_act"] = changed[["act_a", "act_b"]].max(axis=1)
    truths = [
        (units[keep], rows[keep.to_numpy()])
        for keep, rows in (
            (begun, answers), (without, answers), (without | ~begun, answers), (without, changed),
            (units["unit_id"] != "", answers),
        )
    ]  # fmt: skip
    versions = []
    for respondents, given in truths:
        version, _shown, found = release(respondents, given, versions)
        found.require_safe()
        assert found.summary()["answers"] == 0
        assert (version.cells["status"] == "V").mean() > 0.5
        for former in versions:
            closed = former.cells.loc[former.cells["status"] == "c", list(KEYS)]
            still = version.cells.merge(closed, on=list(KEYS))
            assert (still["status"] == "c").all()
        versions.append(version)
    assert shows_few(truths, versions) == []
    assert versions[1].cells["as_of"].notna().any()


def test_what_since_says_by_hand(first):
    units, answers, version, _, _ = first
    name = members(units, "10")[0]
    own = units.set_index("unit_id").loc[name]
    cells, record = judged_cells(units, flipped(answers, [name]), [version], ONE)
    row = of(cells, "departement", "10")
    before = of(version.cells, "departement", "10")["estimate"] * row["denominator"]
    assert row["corrected"] == 1
    assert row["correction"] == pytest.approx(before - row["numerator"])
    assert abs(row["correction"]) == pytest.approx(own["weight"])
    assert (row["held_back"], row["known"]) == (True, False)
    assert of(cells, "departement", "20")["known"]
    never = since(cells, record, [], AREAS, RULES)
    assert not never["known"].any()
    assert never["published_in"].eq("").all()


@pytest.mark.parametrize(("shift", "beyond"), [(-0.0004, 0.0), (0.0004, 0.0), (0.0008, 0.0003)])
def test_a_correction_is_hidden_within_the_rounding_of_what_was_published(first, shift, beyond):
    """One unit of a cell says something else elsewhere: only the rounding lies between the two numbers."""
    units, answers, version, _, _ = first
    cells, record = judged_cells(units, answers, [], ONE)
    changed = record.copy()
    hit = int(np.flatnonzero(changed["departement_code"] == "10")[0])
    changed.loc[hit, "answers"] = changed.loc[hit, "answers"] + 1
    moved = version.cells.assign(estimate=version.cells["estimate"] + shift)
    earlier = [Version("1.0.0", moved, version.units)]
    done = since(cells, changed, earlier, AREAS, RULES, {"commune share": 1e-3, "population_share": 1e-3})
    held = done[done["held_back"]]
    assert len(held) >= 3
    assert held["correction"].to_numpy() == pytest.approx(beyond * held["denominator"].to_numpy(), abs=1e-6)


def test_what_an_earlier_version_published_is_no_finding_of_a_new_one(first):
    """Everything was open once, by other rules: that cannot be withdrawn, and the wave still releases."""
    units, answers, _, _, _ = first
    cells, record = judged_cells(units, answers, [], ONE)
    assert (cells["status"] != "V").any()
    everything = Version("1.0.0", public_of(cells.assign(status="V", as_of=None)), record)
    _, shown, found = release(units, answers, [everything], indicators=ONE)
    found.require_safe()
    assert found.cells.loc[found.cells["status"] == "A", "exact"].sum() == 0
    primary_alone = attack(public_of(cells.assign(as_of=None)), AREAS, RULES, links=LINKS, truth=cells)
    assert primary_alone.summary()["too_close"] > 0
    assert shown["published_in"].eq("1.0.0").all()
