"""The demonstration's answers differ between areas as much as it says, beyond size."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asco_dagster.demonstration.frame import invented_territory, real_territory
from asco_dagster.demonstration.geography import (
    BY_PROFILE,
    DEPARTEMENT,
    OF_AMOUNTS,
    REGION,
    departement_scores,
)
from asco_dagster.waves import Wave

# Of every unit of the frame, without a filter; the rarer ones have too few yes in small communes.
QUESTIONS = ["ORG_CCAS", "ORG_SERVICE", "ORG_ELECTED", "ORG_RECEPTION", "PART_DEPARTEMENT", "PART_CAF"]
CLASSES = ["1_lt500", "2_500_1499"]
LEAST = 60
"""Communes of a class in a département, for its logit to be read from them."""


@pytest.fixture(scope="module")
def logits(truth: pd.DataFrame) -> pd.DataFrame:
    """Logit of each share by département and class, less that of the class, and its binomial variance."""
    communes = truth[(truth["unit_type"] == "commune") & truth["size_class"].isin(CLASSES)]
    answers = communes.melt(
        ["size_class", "region_code", "departement_code"], QUESTIONS, "question", "yes"
    ).astype({"yes": float})
    national = answers.groupby(["question", "size_class"])["yes"].mean()
    keys = ["question", "size_class", "region_code", "departement_code"]
    cells = answers.groupby(keys)["yes"].agg(["mean", "size"]).reset_index()
    cells["national"] = pd.MultiIndex.from_frame(cells[["question", "size_class"]]).map(national)
    cells = cells[
        (cells["size"] >= LEAST) & cells["mean"].between(0.02, 0.98) & cells["national"].between(0.1, 0.9)
    ]
    odds = cells["mean"] / (1 - cells["mean"])
    return cells.assign(
        logit=np.log(odds) - np.log(cells["national"] / (1 - cells["national"])),
        noise=1 / (cells["size"] * cells["mean"] * (1 - cells["mean"])),
    )


def test_departements_and_regions_differ_as_much_as_is_said(logits: pd.DataFrame) -> None:
    by_question = logits.groupby(["question", "size_class"])
    total = (by_question["logit"].var() - by_question["noise"].mean()).mean()
    assert np.sqrt(total) == pytest.approx(np.hypot(DEPARTEMENT, REGION), rel=0.12)
    within = logits.groupby(["question", "size_class", "region_code"]).filter(lambda rows: len(rows) > 1)
    by_region = within.groupby(["question", "size_class", "region_code"])
    squares = by_region["logit"].transform("var") - by_region["noise"].transform("mean")
    assert np.sqrt(squares.mean()) == pytest.approx(DEPARTEMENT, rel=0.12)


def test_departements_differ_with_their_profile(logits: pd.DataFrame, wave: Wave) -> None:
    scores = departement_scores(wave, invented_territory(wave, wave.sampling.seed), wave.sampling.seed)
    found = np.corrcoef(logits["logit"], logits["departement_code"].map(scores))[0, 1]
    assert found == pytest.approx(BY_PROFILE * DEPARTEMENT / np.hypot(DEPARTEMENT, REGION), abs=0.12)


def test_euros_differ_less_than_answers(truth: pd.DataFrame) -> None:
    communes = truth[(truth["unit_type"] == "commune") & (truth["size_class"] == CLASSES[-1])]
    asked = communes[communes["SPEND_ELDERLY_EUR"] > 0]
    logs = np.log(asked["SPEND_ELDERLY_EUR"].astype(float) / asked["population"])
    by_area = logs.groupby(asked["departement_code"]).agg(["mean", "var", "size"]).query("size >= @LEAST")
    spread = by_area["mean"].var() - (by_area["var"] / by_area["size"]).mean()
    assert np.sqrt(spread) == pytest.approx(OF_AMOUNTS * np.hypot(DEPARTEMENT, REGION), rel=0.25)


@pytest.mark.real
def test_the_profile_of_the_real_territory_is_read_from_its_files(wave: Wave, real_files: Path) -> None:
    territory = real_territory(wave, real_files)
    scores = departement_scores(wave, territory, 1, real_files)
    assert set(scores.index) == set(territory.populations["departement_code"])
    assert scores["23"] > 1  # Creuse: old, and with much assistance per inhabitant
    assert scores["78"] < -1
