"""τ-Argus's optimum as referee: on small tables, on hierarchical ones and on those of a made-up magnitude."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from asco_dagster.confidentiality import tau_argus
from asco_dagster.confidentiality.cross_check import Single, compare, magnitudes, single_tables
from asco_dagster.confidentiality.tau_argus import optimal_suppression
from asco_dagster.errors import ConfigurationError, DisclosureError
from asco_dagster.methods.disclosure.areas import Areas, Layout
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.inference import Inference, Relations
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import DisclosureRules
from asco_testing.worlds.true_size_respondents import AREAS, composed, estimates, survey, table

RULES = DisclosureRules()


def inferred(single, closed):
    """Intervals of all cells of a table when those of ``closed`` are empty."""
    values, matrix = single.cells["value"].to_numpy(float), sparse.csr_matrix(single.layout.matrix)
    nothing = np.zeros(matrix.shape[0])
    low, high = np.where(closed, 0.0, values), np.where(closed, np.inf, values)
    found = Inference(Relations(matrix, nothing, nothing, single.name), low, high)
    found.enclose(map(int, np.flatnonzero(closed)))
    return found.low, found.high


def recovered(single, secondary):
    """Sensitive cells that cannot move as far as their levels."""
    sensitive = single.cells["sensitive"].to_numpy(bool)
    low, high = inferred(single, sensitive | np.asarray(secondary))
    value, lower, upper = (single.cells[name].to_numpy(float) for name in ("value", "lower", "upper"))
    near = 1e-4 * np.maximum(value, 1.0)
    return int((sensitive & ((high < value + upper - near) | (low > value - lower + near))).sum())


def published_example():
    """Investment by activity and region, after Fischetti and Salazar (Management Science 47, 2001).

    The cell of activity II and region C is sensitive; the least value lost with it is 8 + 17 + 12 = 37, and
    an intruder is then left with the interval from 5 to 30.
    """
    values = np.array([[20.0, 50, 10], [8, 19, 22], [17, 32, 12]])
    respondents = np.full((3, 3), 50.0)
    respondents[1, 2] = 2.0
    (made,) = single_tables(primary(table(values, respondents), RULES), Areas({}), RULES, "example")
    cells = made.cells.assign(loss=made.cells["value"])
    cells.loc[cells["sensitive"], ["lower", "upper"]] = 5.0, 8.0
    return replace(made, cells=cells)


def test_both_find_the_published_optimum_and_its_interval(tmp_path):
    example = published_example()
    tau = optimal_suppression(example.cells, tmp_path)
    assert (example.suppressed() == tau.to_numpy()).all()
    assert example.cells.loc[tau, "value"].tolist() == [8.0, 17.0, 12.0]
    closed = tau.to_numpy() | example.cells["sensitive"].to_numpy()
    low, high = inferred(example, closed)
    at = int(np.flatnonzero(example.cells["sensitive"])[0])
    assert (low[at], high[at]) == pytest.approx((5.0, 30.0), abs=1e-4)


def by_activity(seed, sections, sizes=3):
    """Turnover by activity and size of the firm: divisions within sections within all, with every total.

    Of the shape of the public test tables of rtauargus (``turnover_act_size``: activity in two levels by
    size, some two thirds of the cells with few firms sensitive by frequency or dominance); values invented.
    """
    rng = np.random.default_rng(seed)
    leaves = [(f"{section}{number}", section) for section, size in sections.items() for number in range(size)]
    turnover = {}
    for division, section in leaves:
        for size in range(sizes):
            firms = int(rng.integers(1, 8 if rng.random() < 0.4 else 60))
            gains = np.round(rng.lognormal(3.0 + size, 1.1, firms))
            state = firms < RULES.threshold or gains.max() > RULES.dominance * gains.sum()
            turnover[division, section, f"s{size}"] = (gains.sum(), firms, gains.max(), state)
    frame = pd.DataFrame(
        [(*key, *row) for key, row in turnover.items()],
        columns=["area", "within", "size_class", "value", "respondents", "largest", "sensitive"],
    )
    every = [frame]
    above = frame.assign(area=frame["within"], within="ALL")
    for rows in (above, above.assign(area="ALL", within="")):
        keys = ["area", "within", "size_class"]
        added = rows.groupby(keys).agg(value=("value", "sum"), respondents=("respondents", "sum"),
                                       largest=("largest", "max")).reset_index()  # fmt: skip
        every.append(added.assign(sensitive=added["largest"] > RULES.dominance * added["value"]))
    whole = pd.concat(every, ignore_index=True)
    total = whole.groupby(["area", "within"]).agg(value=("value", "sum"), respondents=("respondents", "sum"),
                                                  largest=("largest", "max")).reset_index()  # fmt: skip
    total = total.assign(size_class="total", sensitive=total["largest"] > RULES.dominance * total["value"])
    cells = pd.concat([whole, total], ignore_index=True)
    hidden = np.maximum(
        cells["largest"] / RULES.dominance - cells["value"], RULES.protection * cells["value"]
    )
    cells = cells.assign(loss=1.0, upper=hidden, lower=RULES.protection * cells["value"])
    return Single(f"activities {seed}", _sums(cells), cells)


def _sums(cells):
    keys = list(zip(cells["area"], cells["within"], cells["size_class"], strict=True))
    rows = []
    for area, within, size in keys:
        below = [key[1] == area and key[2] == size for key in keys]
        beside = [key[0] == area and key[2] != "total" for key in keys]
        for parts in (below, beside if size == "total" else []):
            if any(parts):
                row = -np.array(parts, dtype=float)
                row[keys.index((area, within, size))] = 1.0
                rows.append(row)
    return Layout(tuple(("activity", area, size) for area, _, size in keys), np.array(rows))


@pytest.mark.parametrize(("seed", "sections"), [(1, {"A": 4, "B": 3, "C": 5}), (2, {"A": 3, "B": 6}),
                                                (3, {"A": 5, "B": 2, "C": 3, "D": 4})])  # fmt: skip
def test_hierarchical_activities_by_size_are_protected_with_few_cells(tmp_path, seed, sections):
    single = by_activity(seed, sections)
    assert np.abs(single.layout.matrix @ single.cells["value"].to_numpy()).max() == 0
    own = single.suppressed()
    tau = optimal_suppression(single.cells, tmp_path)
    print(f"{single.name}: {len(own)} cells, {int(single.cells['sensitive'].sum())} sensitive, "
          f"{int(own.sum())} secondary, τ-Argus {int(tau.sum())}")  # fmt: skip
    assert single.cells["sensitive"].sum() >= 2
    assert recovered(single, np.zeros(len(own), dtype=bool)) > 0  # something has to be done
    assert recovered(single, own) == 0
    assert own.sum() <= 1.1 * tau.sum()


def small(seed):
    """A random magnitude of four régions, three classes and the départements of the first région."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.lognormal(3.0, 0.8, (4, 3)) + 5)
    respondents = np.where(rng.random((4, 3)) < 0.25, 2.0, 50.0)
    respondents[1, 1] = 2.0
    parts = values[0].sum() * np.array([0.1, 0.25, 0.3, 0.35])
    counts = [2.0, 40.0, 40.0, respondents[0].sum() - 82.0]
    departements = [(value, max(count, 3.0), 75.0) for value, count in zip(parts, counts, strict=True)]
    departements[0] = (parts[0], 2.0, 75.0)
    return table(values, respondents, regions={0: departements}), {f"0{k}": "r0" for k in range(4)}


@pytest.mark.parametrize("seed", range(6))
def test_the_own_suppression_is_near_the_optimum_on_either_table(seed):
    cells, regions = small(seed)
    found = compare(primary(cells, RULES), Areas(regions), RULES, "small")
    assert [row["table"] for row in found] == ["small, by size class", "small, by département"]
    for row in found:
        assert row["sensitive"] + row["own_cells"] <= 1.2 * (row["sensitive"] + row["tau_cells"])
        assert row["own_loss"] >= row["tau_loss"] - 0.1  # an optimum is not beaten
        assert row["tau_broken"] == 0


@pytest.mark.slow
def test_the_tables_of_a_made_up_magnitude():
    units, answers = survey(2, 5, communes=1000, epci=200)
    made = estimates(composed(units, answers[answers["indicator"].isin(["I00", "I04"])], AREAS))
    tables = {name: (unit, rows) for unit, name, rows in magnitudes(primary(made, RULES))}
    assert list(tables) == ["commune, I04", "epci, I04"]
    unit, rows = tables["commune, I04"]
    found = compare(rows, AREAS[unit], RULES, "commune, I04")
    assert [row["table"] for row in found] == ["commune, I04, by size class", "commune, I04, by département"]
    for row in found:
        assert row["cells"] > 70
        assert row["own_loss"] <= 1.1 * row["tau_loss"] + 1e-9
        assert row["tau_broken"] == 0


def test_masks_that_hold_apart_give_a_sensitive_cell_away_when_linked():
    """Each table hides région r0 behind another région, whose total the other table shows."""
    units = np.array([[100.0, 0.0, 0.0], [50.0, 100.0, 100.0], [100.0, 100.0, 100.0]])
    values = np.array([[30.0, 0.0, 0.0], [40.0, 50.0, 60.0], [45.0, 55.0, 65.0]])
    respondents = np.array([[2.0, 0.0, 0.0], [50.0, 50.0, 50.0], [50.0, 50.0, 50.0]])
    cells = table(values, respondents, units, {1: [(75.0, 75.0, 125.0), (75.0, 75.0, 125.0)]})
    regions = {"10": "r1", "11": "r1"}
    judged = primary(cells, RULES)
    found = compare(judged, Areas(regions), RULES, "linked")
    assert [row["tau_broken"] for row in found] == [0, 0]
    assert found[0]["tau_broken_linked"] > 0
    public = {"commune": Areas(regions)}
    done = protect(judged, public, RULES).cells
    attack(released(done), public, RULES, truth=done).require_safe()


def test_what_it_gives_back_must_be_what_it_was_given(tmp_path, monkeypatch):
    cells = published_example().cells
    asked = tau_argus._BATCH
    monkeypatch.setattr(tau_argus, "_BATCH", asked.replace('"cells.tab"', '"other.tab"'))
    with pytest.raises(DisclosureError, match="τ-Argus failed"):
        optimal_suppression(cells, tmp_path)
    optimal = tmp_path / "again"
    optimal.mkdir()
    monkeypatch.setattr(tau_argus, "_BATCH", asked)
    monkeypatch.setattr(tau_argus, "_CHILD", tau_argus._CHILD + "; t = open('done.tab').read(); "
                        "open('done.tab', 'w').write(t.replace('U', 'S'))")  # fmt: skip
    with pytest.raises(DisclosureError, match="1 sensitive cells are not"):
        optimal_suppression(cells, optimal)


def test_it_is_stopped_when_its_time_is_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tau_argus, "_CHILD", "import time; time.sleep(60)")
    with pytest.raises(DisclosureError, match="did not finish in 1 s"):
        optimal_suppression(published_example().cells, tmp_path, seconds=1)


def test_without_the_library_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tau_argus, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="crosscheck"):
        optimal_suppression(published_example().cells, tmp_path)
