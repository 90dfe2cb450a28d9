"""From the sample to weights: units that answered whole keep 1, the others meet the margins."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.estimation.weighting import calibration_variables, weigh
from asco_dagster.waves.statistics import Calibration

MARGINS = [
    {"total": "units", "by": ["region_code", "size_class"]},
    {"total": "population", "by": ["region_code"]},
]
CALIBRATION = Calibration.model_validate(
    {
        "minimum_respondents": 4,
        "maximum_adjustment": 3.0,
        "commune": {"method": "logit", "bounds": [0.3, 3.0], "margins": MARGINS},
        "epci": {"method": "logit", "bounds": [0.3, 3.0], "margins": MARGINS},
    }
)


def territory(silent_towns: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two départements of a région: 200 villages each, 40 sampled, and 12 towns each, all sampled.

    The first département's towns all answer; ``silent_towns`` of the second's do not.
    """
    generator = np.random.default_rng(3)
    rows = []
    for departement in ("01", "02"):
        for size, count, around in (("1", 200, 400), ("2", 12, 20_000)):
            for number in range(count):
                people = float(np.round(around * generator.uniform(0.5, 1.5)))
                rows.append((f"{departement}{size}{number:03d}", departement, size, people, number))
    frame = pd.DataFrame(rows, columns=["unit_id", "departement_code", "size_class", "population", "number"])
    frame = frame.assign(unit_type="commune", region_code="84", epci_nature="none")
    frame["stratum"] = frame["departement_code"] + "|" + frame["size_class"]
    town = frame["size_class"] == "2"
    sample = frame[town | (frame["number"] < 40)].copy()
    answers = np.where(sample["size_class"] == "1", sample["number"] % 4 > 0, True)
    answers &= ~((sample["stratum"] == "02|2") & (sample["number"] < silent_towns)).to_numpy()
    sample["response_status"] = np.where(answers, "respondent", "nonrespondent")
    sample["stratum_population"] = sample["stratum"].map(frame["stratum"].value_counts())
    sample["inclusion_probability"] = (
        sample["stratum"].map(sample["stratum"].value_counts()) / (sample["stratum_population"])
    )
    return sample, frame


@pytest.mark.parametrize("silent_towns", [0, 4, 5])
def test_units_of_complete_take_all_strata_weigh_exactly_one(silent_towns: int) -> None:
    sample, frame = territory(silent_towns)
    made = weigh(sample, frame, CALIBRATION, CALIBRATION.commune, "commune")
    towns = made.weights[made.weights["stratum"] == "01|2"]
    assert (towns["nonresponse_weight"] == 1.0).all()
    assert (towns["weight"] == 1.0).all()
    assert made.margins["gap"].abs().max() < 1e-9
    answering = made.weights.merge(frame[["unit_id", "population"]], on="unit_id")
    assert (answering["weight"] * answering["population"]).sum() == pytest.approx(frame["population"].sum())


def test_complete_units_are_calibrated_where_too_few_others_meet_a_margin() -> None:
    sample, frame = territory(silent_towns=10)  # two towns of twelve cannot represent the ten alone
    made = weigh(sample, frame, CALIBRATION, CALIBRATION.commune, "commune")
    assert made.margins["gap"].abs().max() < 1e-9
    # Their response weight is one all the same unless no other group of their class is left.
    towns = made.weights[made.weights["stratum"] == "01|2"]
    assert towns["nonresponse_weight"].tolist() == [1.0] * 12


def test_held_units_leave_the_calibration_and_their_part_of_the_totals() -> None:
    sample, frame = territory(silent_towns=4)
    respondents = sample[sample["response_status"] == "respondent"].reset_index(drop=True)
    respondents = respondents.assign(
        variance_stratum=respondents["stratum"], variance_population=respondents["stratum_population"]
    )
    made = calibration_variables(respondents, frame, CALIBRATION.commune.margins, CALIBRATION)
    assert (made.held == (respondents["stratum"] == "01|2")).all()
    assert not made.x[made.held].nnz
    assert made.names[-1].startswith("population_by_region_code")
    held = respondents.loc[made.held, "population"].sum()
    assert made.held_totals[-1] == held
    assert made.totals[-1] == frame["population"].sum() - held


def test_a_silent_unit_that_is_imputed_is_represented_by_nobody_else() -> None:
    sample, frame = territory(silent_towns=4)
    gone = sample.loc[(sample["stratum"] == "02|2") & (sample["number"] == 0), "unit_id"]
    flagged = frame.assign(is_imputed=frame["unit_id"].isin(gone))
    made = weigh(sample, flagged, CALIBRATION, CALIBRATION.commune, "commune")
    towns = made.weights[made.weights["stratum"] == "02|2"]
    assert made.weights["weight"].sum() == pytest.approx(len(frame) - 1)
    # Eight answers for the eleven others.
    assert towns["nonresponse_weight"].tolist() == pytest.approx([11 / 8] * 8)
    assert (towns["variance_population"] == 11).all()
    people = made.weights.merge(frame[["unit_id", "population"]], on="unit_id")
    others = frame.loc[~flagged["is_imputed"], "population"].sum()
    assert (people["weight"] * people["population"]).sum() == pytest.approx(others)
