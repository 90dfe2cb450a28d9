"""France's figures: closed only where no other mask protects, and never for a sole respondent's sake."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_wave import estimates, table

from asco_dagster.methods.disclosure import DisclosureRules, attack, primary, protect, released
from asco_dagster.methods.disclosure.rules import CELL

RULES = DisclosureRules()
CAPITAL = {"00": "r0", "01": "r0", "10": "r1", "11": "r1"}


def capital():
    """Two régions; département 00 is one commune with more inhabitants than the indicator leaves uncovered.

    Of its 40 the indicator covers all; of the other 160 inhabitants, 4 are not covered.
    """
    units = np.array([[20.0, 40.0, 40.0], [20.0, 40.0, 40.0]])
    yes = units - np.array([[1.0, 0.5, 0.0], [1.5, 1.0, 0.0]])
    half = [(yes[1].sum() * part, 60, units[1].sum() * part) for part in (0.4, 0.6)]
    capitals = [(40.0, 1, 40.0), (yes[0].sum() - 40.0, 119, 60.0)]
    made = table(yes, np.full(yes.shape, 40.0), units, {0: capitals, 1: half}, statistic="population_share")
    return estimates(made)


def of(done, cell):
    return done[(done[list(CELL)] == list(cell)).all(axis=1)].iloc[0]


def test_the_national_figure_stays_open_and_the_audit_names_the_answer_that_it_tells():
    cells = primary(capital(), RULES)
    assert of(cells, ("departement", "00", "total"))["status"] == "A"
    done = protect(cells, CAPITAL, RULES)
    assert of(done, ("france", "FR", "total"))["status"] == "V"
    found = attack(released(done), CAPITAL, RULES, truth=done)
    found.demand_safe()
    told = found.cells[found.cells["one_answer_left"]]
    assert told["area_code"].tolist() == ["00"]
    assert told["high"].item() - told["low"].item() >= RULES.protection - 1e-6
    assert found.summary()["one_answer_left"] == 1


def test_asked_to_hide_that_answer_france_closes():
    strict = replace(RULES, sole_over_france=True)
    done = protect(primary(capital(), strict), CAPITAL, strict)
    assert of(done, ("france", "FR", "total"))["status"] == "D"
    found = attack(released(done), CAPITAL, strict, truth=done)
    found.demand_safe()
    assert not found.cells["one_answer_left"].any()


def test_both_answers_stay_possible_where_that_costs_france_nothing():
    cells = capital()
    # As many more uncovered in its own région as it has inhabitants: 20 in each of two classes.
    within = cells["area_code"].isin(["r0", "FR"])
    cells.loc[within & cells["size_class"].isin(["c1", "c2"]), "numerator"] -= 20
    cells.loc[(within & (cells["size_class"] == "total")) | (cells["area_code"] == "01"), "numerator"] -= 40
    cells = estimates(cells)
    done = protect(primary(cells, RULES), CAPITAL, RULES)
    assert done.loc[done["geography"] == "france", "status"].eq("V").all()
    found = attack(released(done), CAPITAL, RULES, truth=done)
    assert not found.cells["one_answer_left"].any()


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_no_secondary_cell_is_closed_needlessly(seed):
    """Opening any one secondary cell of the mask again breaks it."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.lognormal(3.0, 0.8, (4, 4)) + 5)
    low = np.where(rng.random((4, 4)) < 0.15, 2.0, 50.0)
    low[0, 0] = 2.0
    done = protect(primary(table(values, low), RULES), {}, RULES)
    secondary = done.index[done["status"] == "D"]
    assert len(secondary)
    for number in secondary:
        opened = done.copy()
        opened.loc[number, "status"] = "V"
        assert len(attack(released(opened), {}, RULES, truth=opened).breaches()) > 0, done.loc[number]
