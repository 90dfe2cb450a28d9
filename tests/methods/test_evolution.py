"""Change between waves: only what both released, its error, common units, and chance in lists."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.common_units import Linearised, common_units_covariance
from asco_dagster.methods.evolution import KEYS, evolution
from asco_dagster.methods.multiple_tests import false_discovery_rates, p_values

COMPARABLE = pd.DataFrame({"unit_type": ["commune"], "indicator": ["ccas"]})


def cells(*rows: tuple[str, str, float | None, float | None, str]) -> pd.DataFrame:
    columns = ["indicator", "area_code", "estimate", "standard_error", "status"]
    table = pd.DataFrame(rows, columns=columns).astype({"estimate": float, "standard_error": float})
    return table.assign(unit_type="commune", statistic="share", geography="departement", size_class="total")


def test_a_difference_worked_out_on_paper() -> None:
    found = evolution(
        cells(("ccas", "01", 0.70, 0.03, "V")), cells(("ccas", "01", 0.60, 0.04, "V")), COMPARABLE
    ).iloc[0]
    assert found["difference"] == pytest.approx(-0.10)
    assert found["standard_error"] == pytest.approx(0.05)
    assert found["ci_low"] == pytest.approx(-0.10 - 1.959964 * 0.05, rel=1e-6)
    assert found["significant"] == 1


def test_a_difference_of_shares_never_passes_one() -> None:
    found = evolution(
        cells(("ccas", "01", 0.97, 0.2, "V")), cells(("ccas", "01", 0.02, 0.2, "V")), COMPARABLE
    ).iloc[0]
    assert found["ci_low"] == -1
    assert -0.95 < found["ci_high"] < 0


def test_a_cell_masked_in_one_wave_has_no_difference() -> None:
    former = cells(
        ("ccas", "01", None, None, "D"), ("ccas", "02", 0.5, 0.1, "V"), ("ccas", "03", 0.5, 0.1, "V")
    )
    later = cells(
        ("ccas", "01", 0.5, 0.1, "V"), ("ccas", "02", None, None, "A"), ("ccas", "03", 0.5, 0.1, "V")
    )
    found = evolution(former, later, COMPARABLE)
    assert found["area_code"].tolist() == ["03"]
    assert found["significant"].tolist() == [0]


def test_an_indicator_that_is_not_comparable_is_left_out() -> None:
    wave = cells(("cias", "01", 0.5, 0.1, "V"))
    assert evolution(wave, wave, COMPARABLE).empty
    assert list(evolution(wave, wave, COMPARABLE).columns)[: len(KEYS)] == KEYS


@pytest.mark.slow
def test_independence_overstates_the_error_of_samples_that_overlap() -> None:
    generator = np.random.default_rng(5)
    before = (generator.random(2000) < 0.5).astype(float)
    after = np.where(generator.random(2000) < 0.7, before, generator.random(2000) < 0.5).astype(float)
    differences, bounds = [], []
    for _ in range(2000):
        kept = generator.choice(2000, 400, replace=False)
        shares = [np.mean(y[kept]) for y in (before, after)]
        errors = [np.sqrt(p * (1 - p) / 400 * 0.8) for p in shares]
        found = (
            evolution(
                cells(("ccas", "01", shares[0], errors[0], "V")),
                cells(("ccas", "01", shares[1], errors[1], "V")),
                COMPARABLE,
            ).iloc[0]
            if len(bounds) < 50
            else None
        )
        differences.append(shares[1] - shares[0])
        if found is not None:
            bounds.append(found["standard_error"])
    assert np.mean(bounds) > np.std(differences)


def two_samples(overlap: int, generator: np.random.Generator) -> tuple[Linearised, Linearised]:
    """Two samples of 400 in 1,000 units that keep what they do; so many units are in both."""
    order = generator.permutation(1000)
    former = order[:400]
    later = np.concatenate([order[:overlap], order[400 : 800 - overlap]])
    value = np.random.default_rng(1).normal(0, 1, 1000)
    change = np.random.default_rng(2).normal(0, 0.5, 1000)
    population = pd.Series({"s": 1000.0})
    return tuple(
        Linearised(units, (2.5 * y[units])[:, None], np.full(400, "s"), population)
        for units, y in ((former, value), (later, value + change))
    )


@pytest.mark.parametrize("overlap", [0, 160, 300, 400])
def test_the_covariance_of_common_units_is_that_of_repeated_samples(overlap: int) -> None:
    """With no common unit the estimates move against each other; at 160 = 400²/1,000 they do not at all."""
    generator = np.random.default_rng(overlap)
    sums, found = [], []
    for _ in range(1500):
        first, second = two_samples(overlap, generator)
        sums.append((first.values.sum(), second.values.sum()))
        if len(found) < 100:
            found.append(common_units_covariance(first, second)[0])
    true = np.cov(np.array(sums).T)[0, 1]
    scale = np.sqrt(np.prod(np.var(sums, axis=0)))
    if overlap:
        assert np.mean(found) == pytest.approx(true, abs=0.1 * scale)
    else:  # nobody is common, so that nothing shows how units keep what they do: said, not guessed
        assert true < -0.4 * scale
        assert np.mean(found) == 0


def test_a_known_covariance_makes_the_error_of_a_difference() -> None:
    former, later = (cells(("ccas", "01", p, 0.04, "V"), ("ccas", "02", p, 0.04, "V")) for p in (0.5, 0.6))
    known = former[KEYS].head(1).assign(covariance=0.0012)
    found = evolution(former, later, COMPARABLE, known).set_index("area_code")
    assert found["error_basis"].to_dict() == {"01": "covariance", "02": "independent"}
    assert found.at["01", "standard_error"] == pytest.approx(np.sqrt(2 * 0.0016 - 2 * 0.0012))
    avoiding = former[KEYS].assign(covariance=-0.0008)
    larger = evolution(former, later, COMPARABLE, avoiding)["standard_error"]
    assert (larger > np.hypot(0.04, 0.04)).all()


def test_false_discovery_rates_are_those_of_r() -> None:
    # R 4.2: p.adjust(c(.01, .02, .03, .04, .05, NA), "BH"), and p.adjust(c(.001, .5, .03, .8), "BH")
    assert false_discovery_rates(np.array([0.01, 0.02, 0.03, 0.04, 0.05, np.nan]))[:5].tolist() == (
        pytest.approx([0.05] * 5)
    )
    assert false_discovery_rates(np.array([0.001, 0.5, 0.03, 0.8])).tolist() == pytest.approx(
        [0.004, 2 / 3, 0.06, 0.8]
    )
    families = np.array(["a", "a", "b"])
    assert false_discovery_rates(np.array([0.04, 0.9, 0.04]), families).tolist() == [0.08, 0.9, 0.04]


def test_a_list_of_nothing_but_chance_keeps_almost_nothing() -> None:
    generator = np.random.default_rng(6)
    kept, intervals = [], []
    for _ in range(200):
        p = p_values(generator.normal(0, 1, 300), np.ones(300))
        kept.append((false_discovery_rates(p) < 0.05).any())
        intervals.append((p < 0.05).sum())
    assert np.mean(intervals) == pytest.approx(15, abs=1)  # 5 % of the list, every time
    assert np.mean(kept) < 0.09


def test_a_difference_without_error_is_certain_and_none_without_difference() -> None:
    p = p_values(np.array([0.0, 0.1, 1.96, np.nan]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert p[:3].tolist() == pytest.approx([1.0, 0.0, 0.05], abs=1e-4)
    assert np.isnan(p[3])
