"""Allocation and draw: golden cases, and what must hold of every allocation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asco_dagster.errors import EstimationError
from asco_dagster.methods.sampling import allocate, draw, power_sizes

GOLDEN = Path(__file__).parent / "fixtures" / "allocation"
CASES = {
    "proportional_with_take_all_and_minimum": {"n": 60, "minimum_per_stratum": 2},
    "neyman_capped_by_population": {"n": 40, "minimum_per_stratum": 1, "method": "neyman"},
    "ties_go_to_the_first_stratum_code": {"n": 10, "minimum_per_stratum": 1},
}


@pytest.mark.parametrize("case", CASES)
def test_golden_allocation(case: str) -> None:
    strata = pd.read_csv(GOLDEN / f"{case}_input.csv")
    expected = pd.read_csv(GOLDEN / f"{case}_expected.csv")
    spread = strata.set_index("stratum")["spread"] if "spread" in strata else None
    pd.testing.assert_frame_equal(allocate(strata, spread=spread, **CASES[case]), expected)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_allocation_sums_exactly_within_its_limits(data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.floats(0, 50)), min_size=1, max_size=40)
    )
    strata = pd.DataFrame(rows, columns=["population", "take_all", "spread"])
    strata.insert(0, "stratum", [f"s{i:02d}" for i in range(len(rows))])
    minimum = data.draw(st.integers(0, 5))
    method = data.draw(st.sampled_from(["proportional", "neyman"]))
    low = np.where(strata["take_all"], strata["population"], np.minimum(strata["population"], minimum))
    n = data.draw(st.integers(int(low.sum()), int(strata["population"].sum())))
    spread = strata.set_index("stratum")["spread"]
    shuffled = strata.sample(frac=1, random_state=1)
    options = {"minimum_per_stratum": minimum, "method": method, "spread": spread}
    result = allocate(strata, n, **options)
    assert result["sample"].sum() == n
    assert (result["sample"] >= low).all()
    assert (result["sample"] <= strata["population"]).all()
    pd.testing.assert_frame_equal(allocate(shuffled, n, **options), result)


def strata_of(*populations: int) -> pd.DataFrame:
    codes = [f"s{i}" for i in range(len(populations))]
    return pd.DataFrame({"stratum": codes, "population": populations, "take_all": False})


@pytest.mark.parametrize(("power", "sample"), [(1.0, [72, 24, 24]), (0.5, [60, 20, 40]), (0.0, [45, 15, 60])])
def test_areas_share_a_power_allocation_by_that_power_of_their_units(power: float, sample: list[int]) -> None:
    """Areas of 400 and 100 units share 120 as 4 : 1, 2 : 1 and 1 : 1; the strata of one by their units."""
    strata = strata_of(300, 100, 100)
    strata["size_measure"] = power_sizes(strata["population"], pd.Series(["a", "a", "b"]), power)
    assert allocate(strata, 120, minimum_per_stratum=1)["sample"].tolist() == sample


@pytest.mark.parametrize(
    ("n", "told"), [(31, "larger than the frame"), (5, "too small.*expected at least 6 units")]
)
def test_impossible_sizes_are_refused(n: int, told: str) -> None:
    with pytest.raises(EstimationError, match=told):
        allocate(strata_of(10, 20), n, minimum_per_stratum=3)


def test_neyman_without_spread_is_refused() -> None:
    with pytest.raises(EstimationError, match="no spread"):
        allocate(strata_of(10, 20), 5, method="neyman")
    with pytest.raises(EstimationError, match="stratum s1 has no spread"):
        allocate(strata_of(10, 20), 5, method="neyman", spread=pd.Series({"s0": 1.0}))


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"unit_id": [f"u{i:03d}" for i in range(200)], "stratum": ["a"] * 150 + ["b"] * 50})


def test_draw_depends_on_seed_and_units_not_on_row_order(frame: pd.DataFrame) -> None:
    allocation = pd.DataFrame({"stratum": ["a", "b"], "population": [150, 50], "sample": [30, 50]})
    sample = draw(frame, allocation, seed=7)
    pd.testing.assert_frame_equal(draw(frame.sample(frac=1, random_state=3), allocation, seed=7), sample)
    assert set(draw(frame, allocation, seed=8)["unit_id"]) != set(sample["unit_id"])
    assert sample.groupby("stratum").size().to_dict() == {"a": 30, "b": 50}
    assert sample.groupby("stratum")["inclusion_probability"].first().to_dict() == {"a": 0.2, "b": 1.0}
    assert (sample.groupby("stratum")["stratum_population"].first() == [150, 50]).all()


@pytest.mark.slow
def test_every_unit_is_drawn_as_often_as_its_probability_says(frame: pd.DataFrame) -> None:
    allocation = pd.DataFrame({"stratum": ["a", "b"], "population": [150, 50], "sample": [30, 25]})
    counts = pd.Series(0, index=frame["unit_id"])
    for seed in range(300):
        counts[draw(frame, allocation, seed)["unit_id"]] += 1
    share = counts / 300
    # Five standard deviations of a binomial share of 300 draws.
    assert share[:150].between(0.2 - 0.116, 0.2 + 0.116).all()
    assert share[150:].between(0.5 - 0.145, 0.5 + 0.145).all()


def test_draw_refuses_another_frame(frame: pd.DataFrame) -> None:
    allocation = pd.DataFrame({"stratum": ["a", "b"], "population": [150, 51], "sample": [30, 25]})
    with pytest.raises(EstimationError, match=r"1 strata differ.* b with 50 units; expected 51"):
        draw(frame, allocation, seed=1)
    with pytest.raises(EstimationError, match="u000 is in the frame twice"):
        draw(pd.concat([frame, frame.head(1)]), allocation, seed=1)
