"""Change between waves: only what both released, with an error that is never too small."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.evolution import KEYS, evolution

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


def test_the_bound_is_not_below_the_true_error_of_overlapping_samples() -> None:
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
