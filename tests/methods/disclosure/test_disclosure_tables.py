"""Small tables by hand: protected, tight against the brute-force optimum, and safe under the attack."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_wave import REGIONS, estimates, table
from small_tables import CASES, RULES, case, counts, far_enough, grid, optimum, rules_of

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure import (
    AdditiveSet,
    DisclosureRules,
    attack,
    masking,
    primary,
    protect,
    released,
)
from asco_dagster.methods.disclosure.rules import CELL, KEYS
from asco_dagster.methods.disclosure.secondary import Unprotected, search

FIXTURES = Path(__file__).parents[2] / "fixtures" / "methods" / "disclosure"


@pytest.mark.parametrize("name", CASES)
def test_small_table_is_protected(name):
    (cells, regions), rules = case(name), rules_of(name)
    done = protect(primary(cells, rules), regions, rules)
    found = attack(released(done), regions, rules, truth=done)
    assert found.breaches().empty, found.breaches().to_string()
    assert far_enough(found.cells, done, rules)
    assert found.summary()["suppressed"] >= 2
    assert attack(released(done), regions, rules).breaches().empty


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("hierarchy_pair", "one_row")])
def test_suppressed_cells_are_close_to_the_optimum(name):
    (cells, regions), rules = case(name), rules_of(name)
    judged = primary(cells, rules)
    done = protect(judged, regions, rules)
    closed = [
        len(frame.loc[frame["status"] != "V", list(CELL)].drop_duplicates()) for frame in (judged, done)
    ]
    assert closed[1] <= 1.2 * (closed[0] + optimum(judged, regions, rules))


def test_the_published_optimum_of_the_square_is_a_rectangle():
    cells, regions = case("fellegi_square")
    done = protect(primary(cells, RULES), regions, RULES)
    closed = done[done["status"] != "V"]
    assert len(closed) == 4
    assert set(closed["status"]) == {"A", "D"}
    assert closed["area_code"].nunique() == 2
    assert closed["size_class"].nunique() == 2
    assert (closed.loc[closed["status"] == "D", "reason"] == "protects region × r0 × c0").all()


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("already_safe", "singletons_square")])
def test_primary_suppression_alone_is_broken_by_the_attack(name):
    (cells, regions), rules = case(name), rules_of(name)
    judged = primary(cells, rules)
    found = attack(released(judged), regions, rules, truth=judged)
    assert found.summary()["exact"] > 0
    with pytest.raises(DisclosureError, match="can be inferred"):
        found.demand_safe()


def test_a_sole_respondent_breaks_a_rectangle_that_holds_against_everybody_else():
    cells, regions = case("singletons_square")
    judged = primary(cells, RULES)
    outside = attack(released(judged), regions, RULES)
    inside = attack(released(judged), regions, RULES, truth=judged)
    assert outside.breaches().empty
    assert inside.breaches()["by"].str.startswith("the respondent of region").all()
    assert inside.summary()["by_insider"] >= 4
    done = protect(judged, regions, RULES)
    assert (done["status"] == "D").any()


def test_the_recovered_value_is_the_true_one():
    cells, regions = case("linked")
    judged = primary(cells, RULES)
    found = attack(released(judged), regions, RULES).breaches()
    exact = found[found["exact"] & (found["quantity"] == "estimate")].merge(judged, on=list(KEYS))
    assert len(exact) == 2
    assert np.allclose(exact["low"], exact["numerator"], rtol=1e-6)
    assert np.allclose(exact["high"], exact["numerator"], rtol=1e-6)


def test_intervals_hold_the_truth():
    for name in CASES:
        cells, regions = case(name)
        done = protect(primary(cells, RULES), regions, RULES)
        found = attack(released(done), regions, RULES).cells
        joined = found[found["quantity"] == "estimate"].merge(done[[*KEYS, "estimate"]], on=list(KEYS))
        assert (joined["low"] <= joined["estimate"] * (1 + 1e-6)).all()
        assert (joined["high"] >= joined["estimate"] * (1 - 1e-6)).all()


def test_the_same_mask_for_any_order_of_rows_and_any_number_of_processes():
    first, second = (
        table(grid(11, 4, 4), counts((4, 4), (0, 0), (2, 1), value=1.0), indicator="Y"),
        case("linked")[0],
    )
    regions = case("linked")[1]
    cells = pd.concat([first, second.assign(unit_type="epci")], ignore_index=True)
    judged = primary(cells, RULES)
    once = protect(judged, regions, RULES).set_index(list(KEYS)).sort_index()
    mixed = judged.sample(frac=1, random_state=3)
    for again in (
        protect(judged, regions, RULES),
        protect(mixed, regions, RULES),
        protect(judged, regions, RULES, workers=2),
    ):
        same = again.set_index(list(KEYS)).sort_index()
        assert same["status"].equals(once["status"])
        assert same["reason"].equals(once["reason"])


def test_the_same_attack_in_any_number_of_processes():
    cells, regions = case("linked")
    both = pd.concat([cells, cells.assign(unit_type="epci")], ignore_index=True)
    done = protect(primary(both, RULES), regions, RULES)
    here, spread = (attack(released(done), regions, RULES, truth=done, workers=number) for number in (1, 2))
    pd.testing.assert_frame_equal(here.cells, spread.cells, check_exact=True)
    assert (here.tables, here.skipped) == (spread.tables, spread.skipped)


def test_types_of_unit_may_have_families_of_their_own():
    cells, regions = case("linked")
    judged = primary(pd.concat([cells, cells.assign(unit_type="epci")], ignore_index=True), RULES)
    names = sorted(set(judged["indicator"]))
    apart = [
        protect(judged[judged["unit_type"] == unit_type], regions, RULES, together=groups)
        for unit_type, groups in (("commune", [names]), ("epci", []))
    ]
    done = protect(judged, regions, RULES, together={"commune": [names]})
    pd.testing.assert_frame_equal(done, pd.concat(apart).reindex(done.index))


def test_what_is_public_already_protects_nothing_unless_nothing_else_can():
    # Every other cell of its row is public: closing them hides it from those who see the new version alone.
    cells, regions = case("fellegi_square")
    public = cells[(cells["area_code"] == "r0") & (cells["size_class"] != "c0")]
    done = protect(primary(cells, RULES), regions, RULES, public=public)
    attack(released(done), regions, RULES, truth=done).demand_safe()
    assert (done.loc[public.index, "status"] == "D").any()
    known = protect(primary(cells, RULES), regions, RULES, public=cells)
    attack(released(known), regions, RULES, truth=known).demand_safe()
    partly = public[public["size_class"] == "c1"]
    done = protect(primary(cells, RULES), regions, RULES, public=partly)
    assert done.loc[partly.index, "status"].eq("V").all()


def test_totals_that_do_not_add_up_are_refused():
    cells, regions = case("diagonal")
    cells.loc[cells["geography"] == "france", "numerator"] *= 1.01
    with pytest.raises(DisclosureError, match="do not add up"):
        protect(primary(cells, RULES), regions, RULES)


def test_parts_of_one_question_are_protected_together():
    # Three answers to one question: closing one answer's cells alone leaves it to the two others.
    rng = np.random.default_rng(5)
    parts = rng.dirichlet([3, 3, 3], (3, 3)) * 100
    frames = [
        table(parts[..., k], counts((3, 3), (0, 0)), indicator=f"CH_{k}", statistic="share") for k in range(3)
    ]
    sets = [AdditiveSet(("CH_0", "CH_1", "CH_2"))]
    judged = primary(pd.concat(frames, ignore_index=True), RULES)
    done = protect(judged, {}, RULES, sets=sets)
    masks = done.assign(closed=done["status"] != "V").pivot(
        columns="indicator", index=list(CELL), values="closed"
    )
    assert (masks["CH_0"] == masks["CH_1"]).all()
    found = attack(released(done), {}, RULES, sets=sets, truth=done)
    assert found.breaches().empty
    apart = done.copy()
    apart.loc[apart["indicator"] == "CH_2", "status"] = "V"
    broken = attack(released(apart), {}, RULES, sets=sets, truth=apart)
    assert broken.breaches().empty  # two unknown answers still hide each other
    apart.loc[apart["indicator"] == "CH_1", "status"] = "V"
    broken = attack(released(apart), {}, RULES, sets=sets, truth=apart)
    assert set(broken.breaches()["indicator"]) == {"CH_0"}


def test_a_family_shares_its_mask_and_former_masks_stay_closed():
    values = grid(12, 3, 3)
    yes = table(np.full((3, 3), 40.0), counts((3, 3)), indicator="YES", statistic="share")
    amount = table(values, counts((3, 3)), indicator="EUR")
    amount.loc[(amount["area_code"] == "r1") & (amount["size_class"] == "c1"), "largest"] = (
        values[1, 1] * 0.95
    )
    closed = pd.DataFrame(
        [("commune", "YES", "region", "r0", "c2")], columns=["unit_type", "indicator", *CELL]
    )
    judged = primary(pd.concat([yes, amount], ignore_index=True), RULES)
    assert judged["status"].value_counts().to_dict() == {"V": 31, "B": 1}
    done = protect(judged, {}, RULES, together=[("YES", "EUR")], closed=closed)
    by_cell = done.set_index(["indicator", *CELL])["status"] != "V"
    assert by_cell["YES"].equals(by_cell["EUR"])
    kept = done[(done["area_code"] == "r0") & (done["size_class"] == "c2")]
    assert set(kept["reason"]) == {"closed in an earlier release"}
    found = attack(released(done), {}, RULES, truth=done)
    assert found.breaches().empty
    row = found.cells[(found.cells["status"] == "B")].query("quantity == 'estimate'").iloc[0]
    assert row["high"] >= values[1, 1] * 0.95 / 0.85 * (1 - 1e-6)


def test_a_basis_gone_bad_is_not_taken_for_an_impossible_table():
    # A demonstration family on which HiGHS, started from the former programme's basis, ended in kUnknown.
    cells = pd.read_csv(FIXTURES / "reused_basis_input.csv.gz", dtype={"area_code": str})
    cells = estimates(cells)
    rules = DisclosureRules(group_threshold=10)
    judged = primary(cells, rules, ["benefit_non_repayable_eur"])
    done = protect(judged, REGIONS, rules, together=[tuple(cells["indicator"].unique())])
    assert not done["reason"].str.startswith("withheld").any()
    assert (done["status"] == "V").sum() > 200
    attack(released(done), REGIONS, rules, truth=done).demand_safe()


def test_a_family_that_no_mask_protects_is_withheld_whole_and_the_others_are_released(monkeypatch):
    lost = table(grid(21, 3, 3), counts((3, 3), (0, 0)), indicator="LOST")
    kept = table(grid(22, 3, 3), counts((3, 3), (0, 0)), indicator="KEPT")
    cells = pd.concat([lost, kept], ignore_index=True)

    def unsolvable(tables, closed, weights, spared):
        for table_ in tables:
            if table_.name == "commune, LOST, total":
                raise Unprotected(table_, table_.targets[0], None)
        return search(tables, closed, weights, spared)

    monkeypatch.setattr(masking, "search", unsolvable)
    done = protect(primary(cells, RULES), {}, RULES)
    monkeypatch.undo()
    assert (done.loc[done["indicator"] == "LOST", "status"] != "V").all()
    assert (done.loc[done["indicator"] == "KEPT", "status"] == "V").sum() >= 8
    why = done.loc[(done["indicator"] == "LOST") & (done["status"] == "D"), "reason"]
    assert why.str.match("withheld whole: table commune, LOST, total: cell .* cannot be protected").all()
    found = attack(released(done), {}, RULES, truth=done)
    found.demand_safe()
    assert np.isinf(found.cells.query("indicator == 'LOST' and quantity == 'estimate'")["high"]).all()
