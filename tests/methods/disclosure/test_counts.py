"""Whole numbers of yes: where all units of a cell weigh the same, arithmetic may leave a single one."""

import itertools

import numpy as np
import pytest

from asco_dagster.methods.disclosure import protect as protecting
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import COUNTS, protect
from asco_testing.worlds.tiny_tables import RULES, areas_of, attacked
from asco_testing.worlds.true_size_respondents import table

AREAS = areas_of({f"0{number}": "r0" for number in range(5)})
# respondents, weight and number of yes of the départements of r0
DEPARTEMENTS = [(3, 1.3, 0), (30, 1.9, 2), (5, 1.8, 0), (60, 2.0, 31), (61, 2.1, 20)]


def judged():
    parts = [(weight * yes, count, weight * count) for count, weight, yes in DEPARTEMENTS]
    values, counts, whole = np.array(parts).sum(axis=0)
    half = np.array([[0.5, 0.5], [0.6, 0.4], [0.3, 0.7]])
    every = (
        np.array([[values], [300.0], [200.0]]),
        np.array([[counts], [400.0], [300.0]]),
        np.array([[whole], [700.0], [500.0]]),
    )
    yes, respondents, units = (half * column for column in every)
    respondents = np.round(respondents)
    respondents[0, 1] = counts - respondents[0, 0]
    cells = table(yes, respondents, units, {0: parts}, statistic="share")
    return primary(cells, RULES)


def possible(done, step):
    """Numbers of yes of département 00 that the published numbers of its région allow; by trying all."""
    rows = done.set_index(["geography", "area_code", "size_class"])
    shown = [rows.loc[("departement", f"0{n}", "total"), "status"] == "V" for n in range(len(DEPARTEMENTS))]
    assert rows.loc[("region", "r0", "total"), "status"] == "V"
    whole = sum(count * weight for count, weight, _ in DEPARTEMENTS)
    sides = [
        sum(weight * yes for (_, weight, yes), open_ in zip(DEPARTEMENTS, shown, strict=True) if not open_)
    ]
    off = (
        step / 2 * (whole + sum(n * w for (n, w, _), open_ in zip(DEPARTEMENTS, shown, strict=True) if open_))
    )
    hidden = [row for row, open_ in zip(DEPARTEMENTS, shown, strict=True) if not open_]
    found = {
        chosen[0]
        for chosen in itertools.product(*[range(count + 1) for count, _, _ in hidden])
        if abs(sum(n * weight for n, (_, weight, _) in zip(chosen, hidden, strict=True)) - sides[0])
        <= off + 1e-6
    }
    return found, shown


@pytest.mark.slow
@pytest.mark.parametrize("step", (0.0, 1e-3))
def test_more_than_one_number_of_yes_remains(step):
    done = protect(judged(), AREAS, RULES, steps={"commune": step}).cells
    found, _ = possible(done, step)
    assert len(found) > 1
    attacked(done, AREAS).require_safe()


def test_without_it_a_single_number_fits(monkeypatch):
    monkeypatch.setattr(protecting, "with_more_counts", lambda _, found, __: found.closed)
    done = protect(judged(), AREAS, RULES).cells
    found, shown = possible(done, 0.0)
    attacked(done, AREAS).require_safe()  # every interval is wide enough: the linear programme sees nothing
    assert found == {0}
    assert not shown[0]


def test_what_closes_for_it_says_so():
    done = protect(judged(), AREAS, RULES).cells
    assert (done["reason"] == COUNTS).any()


def test_a_sum_whose_open_cells_are_implied_anyway_is_no_finding():
    """All of a class say yes, which France publishes; of r0 only that class is open."""
    weights = np.array([[13 / 3, 1.0, 2.0], [2.0, 1.5, 2.2], [1.7, 1.2, 2.1]])
    respondents = np.array([[3, 7, 2], [200, 80, 150], [220, 90, 170]], dtype=float)
    yes = np.array([[3, 7, 1], [90, 80, 70], [130, 90, 90]], dtype=float)
    cells = primary(table(weights * yes, respondents, weights * respondents, {}, statistic="share"), RULES)
    done = protect(cells, areas_of({}), RULES).cells
    of_r0 = done[done["area_code"] == "r0"].set_index("size_class")["status"]
    assert of_r0.to_dict() == {"c0": "A", "c1": "V", "c2": "A", "total": "D"}
    attacked(done, areas_of({}), rounding={"commune": 1e-3}).require_safe()


def test_a_sum_with_an_open_cell_that_is_not_implied_is_a_finding(monkeypatch):
    monkeypatch.setattr(protecting, "with_more_counts", lambda _, found, __: found.closed)
    done = protect(judged(), AREAS, RULES).cells
    breaches = attacked(done, AREAS, rounding={"commune": 0.0}).breaches()
    assert ("departement", "00") in set(zip(breaches["geography"], breaches["area_code"], strict=True))
