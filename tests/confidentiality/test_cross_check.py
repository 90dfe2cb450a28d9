"""τ-Argus's optimum as referee: on small tables and on the two tables of a made-up magnitude."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_wave import REGIONS, domains, estimates, released_statistics, survey, table

from asco_dagster.confidentiality import tau_argus
from asco_dagster.confidentiality.cross_check import compare, magnitudes, single_tables
from asco_dagster.confidentiality.tau_argus import optimal_suppression
from asco_dagster.errors import ConfigurationError, DisclosureError
from asco_dagster.methods.disclosure import DisclosureRules, attack, contributions, primary, protect, released
from asco_dagster.methods.disclosure.inference import Inference

RULES = DisclosureRules(information_loss="cells", group_threshold=0)


def published_example():
    """Investment by activity and region, after Fischetti and Salazar (Management Science 47, 2001).

    The cell of activity II and region C is sensitive; the least value lost with it is 8 + 17 + 12 = 37, and
    an intruder is then left with the interval from 5 to 30.
    """
    values = np.array([[20.0, 50, 10], [8, 19, 22], [17, 32, 12]])
    respondents = np.full((3, 3), 50.0)
    respondents[1, 2] = 2.0
    (made,) = single_tables(primary(table(values, respondents), RULES), {}, RULES, "example")
    cells = made.cells.assign(loss=made.cells["value"])
    cells.loc[cells["sensitive"], ["lower", "upper"]] = 5.0, 8.0
    return replace(made, cells=cells)


def test_both_find_the_published_optimum_and_its_interval(tmp_path):
    example = published_example()
    tau = optimal_suppression(example.cells, tmp_path)
    own = example.own()
    assert (own == tau.to_numpy()).all()
    assert example.cells.loc[tau, "value"].tolist() == [8.0, 17.0, 12.0]
    closed = tau.to_numpy() | example.cells["sensitive"].to_numpy()
    values = np.where(closed, np.nan, example.cells["value"])
    size, nothing = len(values), np.zeros(len(example.layout.matrix))
    found = Inference(
        example.layout.matrix, values, np.zeros(size), np.full(size, np.inf), nothing, "example"
    )
    at = int(np.flatnonzero(example.cells["sensitive"])[0])
    assert (found.low[at], found.high[at]) == pytest.approx((5.0, 30.0), abs=1e-4)


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
    found = compare(primary(cells, RULES), regions, RULES, "small")
    assert [row["table"] for row in found] == ["small, by size class", "small, by département"]
    for row in found:
        assert row["sensitive"] + row["own_cells"] <= 1.2 * (row["sensitive"] + row["tau_cells"])
        assert row["own_loss"] >= row["tau_loss"] - 0.1  # an optimum is not beaten
        assert row["tau_broken"] == 0


@pytest.fixture(scope="module")
def wave():
    units, answers = survey(2, 5, communes=2500, epci=300)
    answers = answers[answers["indicator"].isin(["I04"])]
    made = estimates(released_statistics(contributions(units, answers, domains())))
    return primary(made, DisclosureRules())


def test_the_tables_of_a_made_up_magnitude_at_true_size(wave):
    tables = dict(magnitudes(wave, DisclosureRules()))
    assert list(tables) == ["commune, I04", "commune, respondents", "epci, I04", "epci, respondents"]
    for name in ("commune, I04", "commune, respondents"):
        for row in compare(tables[name], REGIONS, DisclosureRules(), name):
            assert row["cells"] > 90
            assert row["own_loss"] <= 1.2 * row["tau_loss"] + 1e-9
            assert row["tau_broken"] == 0


def test_masks_that_hold_apart_give_a_sensitive_cell_away_when_linked():
    """Each table hides région r0 behind another région, whose total the other table shows."""
    units = np.array([[100.0, 0.0, 0.0], [50.0, 100.0, 100.0], [100.0, 100.0, 100.0]])
    values = np.array([[30.0, 0.0, 0.0], [40.0, 50.0, 60.0], [45.0, 55.0, 65.0]])
    respondents = np.array([[2.0, 0.0, 0.0], [50.0, 50.0, 50.0], [50.0, 50.0, 50.0]])
    cells = table(values, respondents, units, {1: [(75.0, 75.0, 125.0), (75.0, 75.0, 125.0)]})
    regions = {"10": "r1", "11": "r1"}
    judged = primary(cells, RULES)
    found = compare(judged, regions, RULES, "linked")
    assert [row["tau_broken"] for row in found] == [0, 0]
    assert found[0]["tau_broken_linked"] > 0
    done = protect(judged, regions, RULES)
    attack(released(done), regions, RULES, truth=done).demand_safe()


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


def test_without_the_library_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tau_argus, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="crosscheck"):
        optimal_suppression(published_example().cells, tmp_path)
