"""A wave of true size protected and attacked; smaller ones rounded, half answered, unprotected."""

import numpy as np
import pandas as pd
import pytest
from made_up_wave import REGIONS, domains, estimates, released_statistics, survey

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure import (
    DisclosureRules,
    attack,
    contributions,
    primary,
    protect,
    released,
)
from asco_dagster.methods.disclosure.rules import CELL, KEYS

RULES = DisclosureRules()


def small(indicators=(0, 4), seed=2, missing=0.0):
    """A wave of a few indicators, the last an amount; ``missing`` is the part of unanswered questions."""
    respondents, answers = survey(seed, 5, communes=2500, epci=700)
    answers = answers[answers["indicator"].isin([f"I{number:02d}" for number in indicators])].copy()
    holes = np.random.default_rng(seed).random(len(answers)) < missing
    answers.loc[holes, "value"] = np.nan
    return estimates(released_statistics(contributions(respondents, answers, domains())))


def test_a_full_wave_is_protected_and_attacked():
    units, answers = survey()
    cells = estimates(released_statistics(contributions(units, answers, domains())))
    assert cells.groupby("unit_type").size().min() > 10_000
    done = protect(primary(cells, RULES), REGIONS, RULES)
    found = attack(released(done), REGIONS, RULES, truth=done)
    print(f"\n{len(cells)} cells, {found.summary()}; {done['status'].value_counts().to_dict()}")
    found.demand_safe()
    assert found.summary()["suppressed"] > 2000
    assert (done.loc[done["status"] == "V", "reason"] == "").all()
    assert (done.loc[done["status"] != "V", "reason"] != "").all()
    protecting = done[done["reason"].str.startswith("protects ")]
    closed = done[done["status"] != "V"].drop_duplicates(["unit_type", "indicator", *CELL])
    names = closed[list(CELL)].agg(" × ".join, axis=1)
    shut = set(zip(closed["unit_type"], closed["indicator"], "protects " + names, strict=True))
    named = set(zip(protecting["unit_type"], protecting["indicator"], protecting["reason"], strict=True))
    assert len(named) > 100
    assert named <= shut  # what a cell is said to protect is closed itself


def test_primary_suppression_alone_lets_the_attack_recover_true_values():
    judged = primary(small(), RULES)
    found = attack(released(judged), REGIONS, RULES, truth=judged)
    assert found.summary()["exact"] > 20
    exact = found.breaches().query("exact and quantity == 'estimate'").merge(judged, on=list(KEYS))
    assert np.allclose(exact["low"], exact["estimate"], atol=1e-4, rtol=1e-4)
    with pytest.raises(DisclosureError, match=r"can be inferred: commune|can be inferred: epci"):
        found.demand_safe()


def test_one_cell_opened_again_is_noticed():
    done = protect(primary(small(), RULES), REGIONS, RULES)
    assert attack(released(done), REGIONS, RULES, truth=done).breaches().empty
    secondary = done[(done["status"] == "D") & done["reason"].str.startswith("protects")]
    broken = 0
    for number in secondary.sample(8, random_state=1).index:
        row = done.loc[number]
        same = (
            done[["unit_type", "geography", "area_code", "size_class"]]
            == row[["unit_type", "geography", "area_code", "size_class"]]
        ).all(axis=1)
        opened = done.copy()
        opened.loc[same & (done["status"] == "D"), "status"] = "V"
        opened = opened[opened["unit_type"] == row["unit_type"]]
        broken += not attack(released(opened), REGIONS, RULES, truth=opened).breaches().empty
    assert broken >= 6


def test_unanswered_questions_give_each_indicator_its_own_counts():
    cells = small(missing=0.15)
    done = protect(primary(cells, RULES), REGIONS, RULES)
    found = attack(released(done), REGIONS, RULES, truth=done)
    found.demand_safe()
    assert found.summary()["suppressed"] > 200


def test_a_rounded_release_is_attacked_within_its_rounding():
    done = protect(primary(small(), RULES), REGIONS, RULES)
    public = released(done)
    share = public["statistic"] != "total"
    public["estimate"] = public["estimate"].where(~share, public["estimate"].round(4))
    public["estimate"] = public["estimate"].where(share, public["estimate"].round(0))
    public["weighted_units"] = public["weighted_units"].round(0)
    steps = {"share": 1e-4, "population_share": 1e-4, "total": 1.0, "weighted_units": 1.0}
    attack(public, REGIONS, RULES, steps=steps, truth=done).demand_safe()
    alone = attack(public, REGIONS, RULES, steps=steps)
    assert alone.breaches().empty
    assert {line.split(": ")[1] for line in alone.skipped} == {"no public denominators"}
    with pytest.raises(DisclosureError, match="were not attacked"):
        alone.demand_safe()
    judged = primary(small(), RULES)
    open_ = released(judged)
    open_["estimate"] = open_["estimate"].where(open_["statistic"] != "total", open_["estimate"].round(0))
    found = attack(open_, REGIONS, RULES, steps={"total": 1.0}, truth=judged)
    assert len(found.breaches().query("statistic == 'total'")) > 5


def test_contradictory_values_are_no_proof_of_safety():
    done = protect(primary(small(indicators=(0,)), RULES), REGIONS, RULES)
    public = released(done)
    france = (public["geography"] == "france") & (public["size_class"] == "total")
    public.loc[france, "weighted_units"] = public.loc[france, "weighted_units"] * 0.5
    with pytest.raises(DisclosureError, match="contradict each other"):
        attack(public, REGIONS, RULES)


def test_the_mask_of_a_wave_does_not_depend_on_the_order_of_its_rows():
    cells = small()
    one = protect(primary(cells, RULES), REGIONS, RULES)
    mixed = cells.sample(frac=1, random_state=8)
    two = protect(primary(mixed, RULES), REGIONS, RULES)
    assert two.index.equals(mixed.index)
    pd.testing.assert_frame_equal(one.sort_index(), two.sort_index())


@pytest.mark.parametrize("seed", (3, 4, 5))
def test_other_draws_hold_too(seed):
    cells = small(seed=seed, missing=0.1 * (seed % 2))
    done = protect(primary(cells, RULES), REGIONS, RULES)
    attack(released(done), REGIONS, RULES, truth=done).demand_safe()


def test_the_last_bits_of_a_sum_do_not_choose_the_mask():
    """Another order of summation, or another processor, changes the sixteenth digit of every sum."""
    cells = small()
    done = protect(primary(cells, RULES), REGIONS, RULES)
    chance = np.random.default_rng(7)
    for _ in range(3):
        noisy = cells.copy()
        for name in ("weighted_units", "numerator", "denominator", "largest_weighted"):
            noisy[name] = noisy[name] * (1 + chance.uniform(-4e-16, 4e-16, len(noisy)))
        noisy["numerator"] = (
            noisy[["numerator", "denominator"]]
            .min(axis=1)
            .where(noisy["statistic"] != "total", noisy["numerator"])
        )
        again = protect(primary(noisy, RULES), REGIONS, RULES)
        assert (again["status"] == done["status"]).all()
        assert (again["reason"] == done["reason"]).all()
