"""Large silent units: who is listed, who is imputed, and what that does to totals."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.model_errors import Units, model_errors
from asco_dagster.methods.precision import SurveyDesign
from asco_dagster.methods.silent_units import silent_units
from asco_dagster.methods.total_error import GRID, Thin, with_total_errors

KEY = ("euros", "total", "france", "FR", "total")
KEYS = ["indicator", "statistic", "geography", "area_code", "size_class"]


def test_only_certain_silent_and_large_units_are_listed() -> None:
    sample = pd.DataFrame(
        {
            "unit_id": ["city", "town", "village", "heard", "drawn"],
            "departement_code": "86",
            "region_code": "75",
            "size_class": "big",
            "population": [20_000, 3_000, 100, 50_000, 30_000],
            "response_status": ["nonrespondent"] * 3 + ["respondent", "nonrespondent"],
            "inclusion_probability": [1.0, 1.0, 1.0, 1.0, 0.5],
        }
    )
    frame = pd.DataFrame({"departement_code": ["86", "17"], "population": [100_000, 9]})
    listed = silent_units(sample, frame, "departement_code")
    assert listed[["unit_id", "share_of_area", "is_imputed"]].to_numpy().tolist() == [
        ["city", 0.2, True],
        ["town", 0.03, False],
    ]


@pytest.mark.parametrize(
    "alone", [{"departement_code": "17"}, {"region_code": "11"}, {"size_class": "small"}]
)
def test_a_unit_without_a_respondent_in_its_published_cells_is_listed_and_not_imputed(alone) -> None:
    place = {"departement_code": "86", "region_code": "75", "size_class": "big"}
    rows = [
        {**place, **alone, "unit_id": "city", "population": 20_000, "response_status": "nonrespondent"},
        {**place, "unit_id": "heard", "population": 50_000, "response_status": "respondent"},
    ]
    sample = pd.DataFrame(rows).assign(inclusion_probability=1.0)
    frame = pd.DataFrame({"departement_code": ["86", "17"], "population": [100_000, 100_000]})
    [[listed, imputed]] = silent_units(sample, frame, "departement_code")[
        ["unit_id", "is_imputed"]
    ].to_numpy()
    assert listed == "city"
    assert not imputed


def world(generator: np.random.Generator) -> pd.DataFrame:
    """Three hundred towns of a few thousand inhabitants and one city of 400,000; euros follow inhabitants."""
    people = np.append(np.round(generator.lognormal(8, 0.5, 300)), 400_000.0)
    frame = pd.DataFrame({"population": people, "size_class": "big", "region_code": "84"})
    frame["departement_code"] = np.where(np.arange(301) % 2, "01", "02")
    frame["euros"] = people * generator.lognormal(1, 0.4, 301)
    return frame


def described(units: pd.DataFrame, frame: pd.DataFrame) -> Units:
    return Units(
        units["size_class"].to_numpy(), units["population"].to_numpy(), estimation_domains(units, frame)
    )


def published(frame: pd.DataFrame, heard: np.ndarray, weights: np.ndarray, imputed: np.ndarray) -> pd.Series:
    """The published total of euros when some units answer and others are imputed."""
    sample = frame[heard].reset_index(drop=True)
    design = SurveyDesign(
        weights,
        weights,
        np.zeros((len(sample), 0)),
        np.zeros(len(sample)),
        np.full(len(sample), weights.sum()),
    )
    here, whole = described(sample, frame), described(frame, frame)
    values, kinds = sample[["euros"]], {"euros": "amount"}
    table = estimate(design, values, kinds, here.domains)
    added = model_errors(
        weights, np.full(len(sample), 0.5), values, kinds, here, whole, imputed_units=imputed
    )
    return with_total_errors(table, added, Thin(50, 10.0)).set_index(KEYS).loc[KEY]


@pytest.mark.slow
def test_a_silent_city_is_imputed_with_an_error_that_covers_the_truth() -> None:
    covered, weighted_away = [], []
    city = np.arange(301) == 300
    for seed in range(60):
        generator = np.random.default_rng(seed)
        frame = world(generator)
        heard = (generator.permutation(301) < 150) & ~city
        true = frame["euros"].sum()
        with_city = published(frame, heard, np.full(heard.sum(), 300 / heard.sum()), city)
        covered.append(with_city["ci_low"] <= true <= with_city["ci_high"])
        if seed < 15:
            away = published(frame, heard, np.full(heard.sum(), 301 / heard.sum()), np.zeros(301, dtype=bool))
            weighted_away.append(away["estimate"] / true - 1)
        assert with_city["imputed_total"] > 0.1 * with_city["estimate"]
    assert np.mean(covered) >= 0.9
    assert np.mean(weighted_away) < -0.15  # its euros are missed


def test_what_is_imputed_is_no_report() -> None:
    frame = world(np.random.default_rng(1))
    city = np.arange(301) == 300
    row = published(frame, ~city, np.ones(300), city)
    assert row["reported"] == pytest.approx(frame.loc[~city, "euros"].sum())
    assert row["estimate"] == pytest.approx(row["reported"] + row["imputed_total"])


def test_a_total_starts_near_what_was_reported_and_never_shows_it_exactly() -> None:
    frame = world(np.random.default_rng(2))
    heard = np.arange(301) % 20 > 0
    frame.loc[~heard, "population"] = 90_000.0  # fifteen silent cities: an error as large as the total
    row = published(frame, heard, np.full(heard.sum(), 301 / heard.sum()), np.zeros(301, dtype=bool))
    assert row["estimate"] - 1.96 * row["standard_error"] < row["reported"] / GRID
    assert row["reported"] / GRID <= row["ci_low"] <= row["reported"]
    assert np.log(row["ci_low"]) / np.log(GRID) == pytest.approx(round(np.log(row["ci_low"]) / np.log(GRID)))
