"""Weights, estimates and standard errors against those of R's survey (``tests/methods/reference``)."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.calibration import calibrate
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.precision import SurveyDesign
from asco_testing.methods.reference_design import BOUNDS, FOLDER, margins, respondents

METHODS = {"linear": None, "raking": None, "logit": BOUNDS}


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    return respondents()


@pytest.fixture(scope="module")
def r_weights(units: pd.DataFrame) -> pd.DataFrame:
    table = pd.read_csv(FOLDER / "reference_weights.csv.gz")
    assert table["unit_id"].tolist() == units["unit_id"].tolist()
    return table


@pytest.fixture(scope="module")
def r_estimates() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "reference_estimates.csv.gz")


def calibrated(units: pd.DataFrame, method: str) -> np.ndarray:
    x, totals, names = margins(units)
    initial = units["initial_weight"].to_numpy()
    return calibrate(initial, x, totals, method=method, bounds=METHODS[method], names=names).weights


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_those_of_r(units: pd.DataFrame, r_weights: pd.DataFrame, method: str) -> None:
    np.testing.assert_allclose(calibrated(units, method), r_weights[method], rtol=1e-6, atol=0)


def test_truncated_linear_weights_are_those_of_r(units: pd.DataFrame, r_weights: pd.DataFrame) -> None:
    x, totals, names = margins(units)
    initial = units["initial_weight"].to_numpy()
    result = calibrate(initial, x, totals, method="linear", bounds=BOUNDS, names=names)
    np.testing.assert_allclose(result.weights, r_weights["truncated_linear"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_estimates_and_errors_are_those_of_r(
    units: pd.DataFrame, r_estimates: pd.DataFrame, method: str
) -> None:
    joined = compared(units, r_estimates[r_estimates["method"] == method], method)
    assert joined["indicator"].nunique() == 60
    assert joined[["geography", "domain"]].drop_duplicates().shape[0] >= 126
    np.testing.assert_allclose(joined["estimate"], joined["estimate_r"], rtol=1e-9, atol=1e-12)
    # An error that is 0 (everybody says yes, or all answered) is rounding in both: relative to the estimate.
    floor = 1e-12 * joined["estimate_r"].abs()
    np.testing.assert_array_less(
        (joined["standard_error"] - joined["standard_error_r"]).abs(),
        1e-6 * joined["standard_error_r"] + floor + 1e-15,
    )


def compared(units: pd.DataFrame, r_table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Our estimates beside R's, for all that R has."""
    x, _, _ = margins(units)
    indicators = [name for name in units if name.startswith(("share_", "amount_"))]
    kinds = {name: "share" if name.startswith("share_") else "amount" for name in indicators}
    design = SurveyDesign(
        weights=calibrated(units, method),
        initial_weights=units["initial_weight"].to_numpy(),
        x=x,
        stratum=units["stratum"].to_numpy(),
        stratum_population=units["stratum_population"].to_numpy(),
    )
    ours = estimate(
        design,
        units[indicators],
        kinds,
        estimation_domains(units),
        population=units["population"].to_numpy(),
    )
    ours["domain"] = ours["area_code"] + "|" + ours["size_class"]
    ours["statistic"] = ours["statistic"].replace("share", "mean")
    keys = ["indicator", "statistic", "geography", "domain"]
    joined = r_table.merge(ours, on=keys, how="left", suffixes=("_r", ""), validate="one_to_one")
    assert joined["estimate"].notna().all()
    return joined
