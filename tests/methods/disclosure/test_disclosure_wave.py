"""A made-up wave protected and attacked; what was released before is broken by the same attack."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.disclosure.areas import Areas
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import KEYS, DisclosureRules
from asco_testing.worlds.tiny_survey import AREAS as WORLD
from asco_testing.worlds.tiny_survey import LINKS, judged_cells, release, world
from asco_testing.worlds.true_size_respondents import AREAS, composed, estimates, survey, table

pytestmark = pytest.mark.slow

RULES = DisclosureRules()


@pytest.fixture(scope="module")
def judged():
    """Two indicators, one of them an amount, of a sixth of the true size."""
    respondents, answers = survey(2, 5, communes=1000, epci=200)
    answers = answers[answers["indicator"].isin(["I00", "I04"])]
    return primary(estimates(composed(respondents, answers, AREAS)), RULES)


@pytest.fixture(scope="module")
def done(judged):
    return protect(judged, AREAS, RULES).cells


def test_a_wave_is_protected(done):
    found = attack(released(done), AREAS, RULES, truth=done)
    found.require_safe()
    assert found.summary()["suppressed"] > 50
    assert (done.loc[done["status"] != "V", "reason"] != "").all()
    france = done[(done["geography"] == "france") & (done["statistic"] != "population_share")]
    assert (france["status"] == "V").all()


def test_what_a_cell_is_said_to_protect_is_closed_itself(done):
    protecting = done[done["reason"].str.startswith("protects ")]
    assert len(protecting) > 20
    closed = done[done["status"].isin(["A", "B"])]
    names = closed["geography"] + " × " + closed["area_code"] + " × " + closed["size_class"]
    shut = set(
        zip(closed["unit_type"], closed["indicator"], closed["statistic"], "protects " + names, strict=True)
    )
    told = set(
        zip(*(protecting[name] for name in ("unit_type", "indicator", "statistic", "reason")), strict=True)
    )
    assert told <= shut


def test_primary_suppression_alone_lets_the_attack_recover_true_values(judged):
    found = attack(released(judged), AREAS, RULES, truth=judged)
    assert found.summary()["exact"] > 10
    exact = found.breaches().query("exact").merge(judged, on=list(KEYS))
    size = exact["estimate"].abs().clip(lower=1.0)
    assert (exact["low"] <= exact["estimate"] + 1e-4 * size).all()
    assert (exact["high"] >= exact["estimate"] - 1e-4 * size).all()
    assert (exact["high"] - exact["low"] <= 1e-3 * size).all()


def test_secondary_cells_opened_again_are_noticed(done):
    secondary = done[done["reason"].str.startswith("protects")]
    broken = 0
    for number in secondary.sample(4, random_state=1).index:
        table_ = ["unit_type", "statistic", "indicator"]
        same = (done[table_] == done.loc[number, table_]).all(axis=1)
        opened = done[same].copy()
        opened.loc[number, "status"] = "V"
        broken += not attack(released(opened), AREAS, RULES, truth=opened).breaches().empty
    assert broken == 4


def test_a_rounded_release_is_attacked_within_its_rounding(done, judged):
    steps = {"share": 1e-3, "population_share": 1e-2, "total": 1.0, "denominator": 1.0}

    def rounded(cells):
        public = released(cells)
        step = public["statistic"].map(steps)
        return public.assign(
            estimate=(public["estimate"] / step).round() * step, denominator=public["denominator"].round()
        )

    attack(rounded(done), AREAS, RULES, steps=steps, truth=done).require_safe()
    alone = attack(rounded(done), AREAS, RULES, steps=steps)
    assert alone.summary()["answers"] == 0
    found = attack(rounded(judged), AREAS, RULES, steps=steps, truth=judged)
    assert len(found.breaches()) > 5


@pytest.mark.parametrize("seed", (1, 2))
def test_a_world_with_links_holds_and_without_them_does_not(seed):
    units, answers = world(seed)
    version, shown, found = release(units, answers)
    found.require_safe()
    assert set(version.cells["status"]) == {"V", "c"}
    cells, _ = judged_cells(units, answers)
    ignored = protect(cells, WORLD, RULES).cells
    attack(released(ignored), WORLD, RULES, truth=ignored).require_safe()
    broken = attack(released(ignored), WORLD, RULES, links=LINKS, truth=ignored)
    assert len(broken.breaches()) > 0
    hidden = shown[
        (shown["indicator"] == "ccas") & (shown["statistic"] == "share") & (shown["status"] != "V")
    ]
    about = shown[shown["indicator"].isin(["ccas_all", "ccas_some"]) & (shown["statistic"] == "share")]
    both = about.merge(hidden[["geography", "area_code", "size_class"]])
    assert len(both)
    assert (both["status"] != "V").all()


def test_the_mask_does_not_depend_on_the_order_of_rows_nor_on_the_last_bits_of_a_sum():
    cells, _ = judged_cells(*world(2), indicators=["act_a", "any_act", "spent"])
    once = protect(cells, WORLD, RULES, links=LINKS)
    mixed = cells.sample(frac=1, random_state=8)
    pd.testing.assert_frame_equal(
        protect(mixed, WORLD, RULES, links=LINKS, workers=2).cells.sort_index(), once.cells
    )
    chance = np.random.default_rng(7)
    noisy = cells.copy()
    for name in ("weighted_units", "numerator", "denominator", "largest_weighted"):
        noisy[name] = noisy[name] * (1 + chance.uniform(-4e-16, 4e-16, len(noisy)))
    again = protect(noisy, WORLD, RULES, links=LINKS).cells
    assert (again["status"] == once.cells["status"]).all()
    assert (again["reason"] == once.cells["reason"]).all()


def dominated(largest, yes=60.0):
    """Shares of population by région and département; département 00 has one town of ``largest``."""
    units = np.full((3, 3), 100.0)
    values = np.full((3, 3), yes)
    parts = [(yes, 20.0, 100.0), (2 * yes, 130.0, 200.0)]
    made = table(values, np.full((3, 3), 50.0), units, {0: parts}, statistic="population_share")
    own = made["area_code"].isin(["00"]) | (made["area_code"].eq("r0") & made["size_class"].eq("total"))
    return made.assign(largest=np.where(own, largest, 1.0), largest_weighted=np.where(own, largest, 1.0))


REGIONS = {"commune": Areas({"00": "r0", "01": "r0"})}


@pytest.mark.parametrize(
    ("largest", "yes", "hit"),
    [
        (70.0, 60.0, {"00"}),
        (39.0, 60.0, set()),
        (41.0, 60.0, {"00"}),
        (190.0, 60.0, {"00", "r0"}),
    ],
)
def test_a_share_of_population_published_for_a_departement_decides_an_answer(largest, yes, hit):
    """As released before: the population of the largest town is public, so that its answer follows."""
    cells = dominated(largest, yes).assign(status="V", reason="")
    found = attack(released(cells), REGIONS, RULES, truth=cells)
    assert set(found.decided["area_code"]) == hit
    assert found.summary()["answers"] == len(hit)
    judged = primary(cells, RULES)
    assert set(judged.loc[judged["status"] == "B", "area_code"]) == hit
    safe = protect(judged, REGIONS, RULES).cells
    attack(released(safe), REGIONS, RULES, truth=safe).require_safe()


@pytest.mark.parametrize(("published", "answers"), [(True, 0), (False, 1)])
def test_the_total_decides_nothing_that_a_published_class_gives_away(published, answers):
    yes = np.array([[60.0, 200.0], [60.0, 200.0]])
    units = np.array([[100.0, 200.0], [100.0, 200.0]])
    made = table(yes, np.full((2, 2), 50.0), units, statistic="population_share")
    large = (made["geography"] == "france") & made["size_class"].isin(["c1", "total"])
    made = made.assign(largest=np.where(large, 150.0, 1.0), largest_weighted=1.0)
    shut = large & (made["size_class"] == "c1") & (not published)
    cells = made.assign(status=np.where(shut, "D", "V"), reason="")
    found = attack(released(cells), REGIONS, RULES, truth=cells)
    assert found.decided["answers"].sum() == answers


def test_rounding_hides_an_answer_only_where_it_can():
    cells = dominated(60.4).assign(status="V", reason="")
    for step, answers in ((0.0, 1), (0.01, 1), (1.0, 0)):
        found = attack(released(cells), REGIONS, RULES, truth=cells, steps={"population_share": step})
        assert found.summary()["answers"] == answers, step
