"""The measures of non-response of a sample, and which of them alarm."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.estimation.nonresponse import _bounds, _late, _representativity, with_alarms


def sample_of(slope: float) -> pd.DataFrame:
    """Communes of two sizes in four départements; the larger ones answer more by the slope."""
    generator = np.random.default_rng(5)
    size = generator.choice(["1", "2"], 3000)
    chance = 1 / (1 + np.exp(-(0.3 + slope * (size == "2"))))
    return pd.DataFrame(
        {
            "size_class": size,
            "region_code": "84",
            "departement_code": generator.choice(["01", "03", "07", "15"], 3000),
            "epci_nature": "CC",
            "population": np.where(size == "2", 900.0, 200.0),
            "aid_spending": np.nan,
            "inclusion_probability": np.where(size == "2", 0.5, 0.2),
            "response_status": np.where(generator.random(3000) < chance, "respondent", "nonrespondent"),
        }
    )


@pytest.mark.parametrize(("slope", "alarming"), [(0.0, 0), (3.0, 1)])
def test_an_uneven_response_alarms(slope: float, alarming: int) -> None:
    rows = pd.DataFrame(_representativity(sample_of(slope)), columns=["measure", "category", "value"])
    table = with_alarms(rows.assign(q_value=np.nan)).set_index(["measure", "category"])
    assert table.at[("r_indicator", ""), "is_alarming"] == alarming
    assert table["is_alarming"].sum() == alarming
    partial = table.xs("partial_r")["value"]
    assert partial["region_code"] == partial["epci_nature"] == pytest.approx(0)
    assert (partial["size_class"] > partial["departement_code"]) == bool(alarming)


def test_a_sample_that_all_answered_has_a_rate_and_nothing_else() -> None:
    whole = sample_of(0.0).assign(response_status="respondent")
    assert list(_representativity(whole)) == [("response_rate", "", 1.0)]


def test_late_returns_that_answer_otherwise_alarm() -> None:
    generator = np.random.default_rng(2)
    days = np.arange(1000) // 10 * 1.0
    values = pd.DataFrame({f"y{k}": (generator.random(1000) < 0.5).astype(float) for k in range(20)})
    assert not with_alarms(_late(values, np.ones(1000), days))["is_alarming"].any()
    values["moved"] = (generator.random(1000) < np.where(days > 74, 0.2, 0.6)).astype(float)
    table = with_alarms(_late(values, np.ones(1000), days))
    assert table.loc[table["is_alarming"] == 1, "category"].tolist() == ["moved"]
    assert _late(values, np.ones(1000), np.full(1000, np.nan)).empty


def test_bounds_enclose_the_share_and_leave_out_what_nobody_answered() -> None:
    values = pd.DataFrame({"y": [1.0, 0.0, np.nan, 1.0], "open": np.nan})
    table = _bounds(values, np.array([1.0, 1.0, 5.0, 2.0]), 0.7).set_index("measure")["value"]
    assert len(table) == 2
    assert table["sensitivity_low"] < 0.75 < table["sensitivity_high"]
