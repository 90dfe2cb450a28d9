"""Weighted population beside the census: worked out on paper, and gaps that close the gate."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.gates.validation import run_suite
from asco_dagster.methods.population_coverage import ERRORS, TOLERANCE, population_coverage
from asco_dagster.waves import load_wave


def units(departement: str, size: str, people: list[float], weight: float = 1.0) -> pd.DataFrame:
    rows = pd.DataFrame({"population": people, "weight": weight})
    return rows.assign(departement_code=departement, stratum=f"{departement}|{size}")


def test_a_gap_and_its_expected_error_worked_out_on_paper() -> None:
    frame = units("34", "1", [100.0, 200.0, 300.0, 400.0])
    respondents = units("34", "1", [200.0, 400.0], weight=2.0)
    row = population_coverage(frame, respondents, "departement_code").iloc[0]
    assert row["gap"] == pytest.approx(0.2)  # 1,200 of 1,000
    # S² = 16,666.7: 4·(4 − 2)·S²/2, the root over 1,000.
    assert row["expected_error"] == pytest.approx(np.sqrt(4 * 2 * 50_000 / 3 / 2) / 1000)
    assert row["excess"] == 0


def test_a_census_has_neither_gap_nor_error() -> None:
    frame = pd.concat([units("01", "1", [5.0, 9.0]), units("02", "5", [70.0])])
    table = population_coverage(frame, frame, "departement_code")
    assert table[["gap", "expected_error", "errors", "excess"]].to_numpy().tolist() == [[0.0] * 4] * 2


def test_a_departement_without_a_respondent_is_a_gap_of_all_of_it() -> None:
    frame = pd.concat([units("01", "1", [5.0, 9.0]), units("02", "5", [70.0, 70.0])])
    table = population_coverage(frame, units("01", "1", [5.0, 9.0]), "departement_code").set_index(
        "area_code"
    )
    assert table.at["02", "gap"] == -1
    assert table.at["02", "respondents"] == 0
    assert table.at["02", "excess"] > 0.8


@pytest.mark.slow
def test_the_expected_error_is_that_of_samples() -> None:
    generator = np.random.default_rng(4)
    frame = pd.concat(
        [
            units("01", "1", list(generator.lognormal(5, 0.6, 80))),
            units("01", "2", list(generator.lognormal(8, 0.4, 20))),
        ],
        ignore_index=True,
    )
    gaps, errors = [], []
    for _ in range(400):
        kept = frame.groupby("stratum").sample(frac=0.25, random_state=generator).assign(weight=4.0)
        row = population_coverage(frame, kept, "departement_code").iloc[0]
        gaps.append(row["gap"])
        errors.append(row["expected_error"])
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.1)


def test_towns_that_weigh_more_than_themselves_close_the_gate() -> None:
    """Eleven towns that answered whole and count 18, as a response group shared with villages made them."""
    generator = np.random.default_rng(7)
    frame = pd.concat(
        [units("34", "1", list(generator.lognormal(6, 0.3, 100))), units("34", "5", [30_000.0] * 11)]
    )
    sound = pd.concat(
        [units("34", "1", list(frame["population"][:50]), 2.0), units("34", "5", [30_000.0] * 11)]
    )
    inflated = sound.assign(weight=np.where(sound["stratum"] == "34|5", 18 / 11, sound["weight"]))
    suite, wave = load_suite("est_quality__population"), load_wave("2014")
    made = [population_coverage(frame, rows, "departement_code") for rows in (sound, inflated)]
    closed = []
    for table in made:
        with duckdb.connect() as database:
            database.register("rows", table)
            database.execute(f"create schema estimation; create table estimation.{suite.asset} as from rows")
            closed.append(run_suite(suite, database, wave)[1].closed)
    assert closed == [False, True]
    assert made[1]["gap"].iloc[0] > TOLERANCE + ERRORS * made[1]["expected_error"].iloc[0]
