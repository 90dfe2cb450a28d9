"""Three hundred surveys of known truths: intervals cover as often, and errors are as large, as they say.

Ten truths with effects of départements and régions; each is surveyed thirty times, with silence by size and
département and 6 % of the amounts imputed. A cell of a domain is judged over all surveys, truths together: a
model's error is right on average over what it models, not for one truth.
"""

import numpy as np
import pandas as pd
import pytest

from asco_testing.worlds.simulated_surveys import simulated, truths

pytestmark = pytest.mark.long

TRUTHS, SURVEYS = 10, 30
COLUMNS = ["estimate", "true", "standard_error", "ci_low", "ci_high", "respondents", "population"]


@pytest.fixture(scope="module", params=["commune", "epci"])
def surveys(request: pytest.FixtureRequest) -> pd.DataFrame:
    """Estimates of the released breakdowns of every survey, with ``level``."""
    made = [
        simulated(truth, 1000 * number + survey)[COLUMNS]
        for number, truth in enumerate(truths(request.param, TRUTHS))
        for survey in range(SURVEYS)
    ]
    rows = pd.concat(made).reset_index()
    by_size = rows["size_class"] != "total"
    released = (rows["statistic"] != "mean") & ~((rows["geography"] == "departement") & by_size)
    people = (rows["statistic"] == "population_share") & (rows["geography"] != "france")
    rows = rows[released & ~people & (rows["respondents"] > 0)]
    return rows.assign(level=rows["geography"] + np.where(by_size[rows.index], " by size", ""))


def test_intervals_cover_the_truth(surveys: pd.DataFrame) -> None:
    rounding = 1e-9 * surveys["true"].abs()
    held = surveys["true"].between(surveys["ci_low"] - rounding, surveys["ci_high"] + rounding)
    coverage = held.groupby([surveys["statistic"], surveys["level"]]).mean()
    print(f"\n{coverage.round(3).to_dict()}")
    totals = coverage.index.get_level_values("statistic") == "total"
    assert coverage[~totals].between(0.94, 0.97).all(), coverage[~totals]
    assert coverage[totals].between(0.93, 0.98).all(), coverage[totals]


def test_errors_are_as_large_as_they_say(surveys: pd.DataFrame) -> None:
    """Root mean squares over the cells of a level and all surveys, of totals per inhabitant of the cell."""
    inhabitants = surveys["population"].where(surveys["statistic"] == "total", 1.0)
    squares = surveys.assign(
        said=(surveys["standard_error"] / inhabitants) ** 2,
        found=((surveys["estimate"] - surveys["true"]) / inhabitants) ** 2,
    )
    pooled = squares.groupby(["statistic", "level", "indicator"])[["said", "found"]].mean()
    ratio = np.sqrt(pooled["said"] / pooled["found"])
    print(f"\n{ratio.round(2).to_string()}")
    by_level = ratio.groupby(["statistic", "level"]).mean()
    print(f"\n{by_level.round(2).to_string()}")
    assert by_level.between(0.9, 1.25).all(), by_level
