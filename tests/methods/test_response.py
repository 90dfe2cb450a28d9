"""Response groups, the weights they give, and variance strata."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from asco_dagster.errors import EstimationError
from asco_dagster.methods.response import nonresponse_weights, response_groups
from asco_dagster.methods.strata import group_populations, variance_strata

GOLDEN = Path(__file__).parent / "fixtures" / "response_groups"
CASES = [
    "weak_stratum_joins_neighbouring_size_class",
    "then_same_size_class_of_the_region",
    "then_the_size_class_nationally",
]


def sample_of(strata: pd.DataFrame) -> pd.DataFrame:
    """One row per sampled unit; the first ones of a stratum respond."""
    units = strata.loc[strata.index.repeat(strata["sampled"])].copy()
    units["responded"] = units.groupby("stratum").cumcount() < units["respondents"]
    units["stratum_population"] = units["sampled"] * units["design_weight"]
    return units.reset_index(drop=True)


def golden(case: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_csv(GOLDEN / f"{case}_input.csv", dtype={"size_class": str}), pd.read_csv(
        GOLDEN / f"{case}_expected.csv", keep_default_na=False
    )


@pytest.mark.parametrize("case", CASES)
def test_golden_groups(case: str) -> None:
    strata, expected = golden(case)
    sample = sample_of(strata)
    groups, log = response_groups(sample, minimum_respondents=3, maximum_adjustment=3.0)
    found = groups.groupby(sample["stratum"]).first()
    assert found.to_dict() == expected.set_index("stratum")["response_group"].to_dict()
    told = log.set_index("group")["rule"].to_dict()
    assert told == {s: r for s, r in zip(expected["stratum"], expected["rule"], strict=True) if r}


def test_a_large_adjustment_collapses_even_with_enough_respondents() -> None:
    strata, _ = golden("weak_stratum_joins_neighbouring_size_class")
    strata.loc[0, "sampled"] = 80  # 8 of 80 respond: an adjustment of 10
    groups, log = response_groups(sample_of(strata), minimum_respondents=1, maximum_adjustment=6.0)
    assert log[["group", "merged_into", "adjustment"]].to_numpy().tolist() == [["01|1", "01|2", 10.0]]
    assert groups.nunique() == 3


def test_units_taken_with_certainty_that_all_answer_stay_alone() -> None:
    strata, _ = golden("weak_stratum_joins_neighbouring_size_class")
    strata.loc[2, ["sampled", "respondents", "design_weight"]] = 1
    _, log = response_groups(sample_of(strata), minimum_respondents=3, maximum_adjustment=3.0)
    assert log.empty


def towns(*rows: tuple[str, str, str, str, int, int, float]) -> pd.DataFrame:
    """Strata: code, région, département, size class, sampled, respondents, design weight."""
    columns = ["stratum", "region_code", "departement_code", "size_class"]
    return sample_of(pd.DataFrame(rows, columns=[*columns, "sampled", "respondents", "design_weight"]))


def test_a_complete_take_all_stratum_keeps_weight_one_beside_a_weak_neighbour() -> None:
    sample = towns(
        ("34|4", "91", "34", "4", 4, 1, 3.0),
        ("34|5", "91", "34", "5", 11, 11, 1.0),
        ("30|4", "91", "30", "4", 9, 8, 3.0),
        ("30|3", "91", "30", "3", 9, 8, 5.0),
    )
    groups, log = response_groups(sample, minimum_respondents=5, maximum_adjustment=3.0)
    assert log[["group", "merged_into", "rule"]].to_numpy().tolist() == [["34|4", "30|4", "region"]]
    weights = nonresponse_weights(sample, groups)
    assert (weights[sample["stratum"] == "34|5"] == 1.0).all()


def test_an_incomplete_take_all_stratum_is_grouped_within_region_and_class() -> None:
    sample = towns(
        ("30|5", "91", "30", "5", 9, 7, 1.0),
        ("34|4", "91", "34", "4", 9, 8, 3.0),
        ("34|5", "91", "34", "5", 4, 2, 1.0),
        ("75|5", "11", "75", "5", 3, 1, 1.0),
    )
    log = response_groups(sample, minimum_respondents=5, maximum_adjustment=3.0).log
    assert log[["group", "merged_into", "rule"]].to_numpy().tolist() == [
        ["75|5", "34|5", "france"],
        ["34|5", "30|5", "region"],
    ]


def test_without_one_of_its_kind_a_group_takes_the_other_kind_and_a_complete_one_last() -> None:
    mixed = towns(("34|4", "91", "34", "4", 9, 8, 3.0), ("34|5", "91", "34", "5", 4, 2, 1.0))
    log = response_groups(mixed, minimum_respondents=5, maximum_adjustment=3.0).log
    assert log[["group", "merged_into", "rule"]].to_numpy().tolist() == [["34|5", "34|4", "departement"]]
    lonely = towns(("30|5", "91", "30", "5", 9, 9, 1.0), ("34|5", "91", "34", "5", 4, 2, 1.0))
    groups, log = response_groups(lonely, minimum_respondents=5, maximum_adjustment=3.0)
    assert log["rule"].tolist() == ["complete"]
    assert groups.nunique() == 1


def test_groups_do_not_depend_on_the_order_of_rows() -> None:
    strata, _ = golden("weak_stratum_joins_neighbouring_size_class")
    sample = sample_of(strata)
    first = response_groups(sample, minimum_respondents=7, maximum_adjustment=1.3)
    second = response_groups(
        sample.sample(frac=1, random_state=2), minimum_respondents=7, maximum_adjustment=1.3
    )
    pd.testing.assert_series_equal(second.groups.sort_index(), first.groups)
    pd.testing.assert_frame_equal(second.log, first.log)


def test_no_partner_left_is_an_error_that_names_the_group() -> None:
    strata, _ = golden("then_the_size_class_nationally")
    with pytest.raises(EstimationError, match=r"response group 01\|1 has 1 respondents"):
        response_groups(sample_of(strata.head(2)), minimum_respondents=3, maximum_adjustment=3.0)


def test_weights_of_respondents_stand_for_all_sampled() -> None:
    strata, _ = golden("weak_stratum_joins_neighbouring_size_class")
    sample = sample_of(strata)
    groups = response_groups(sample, minimum_respondents=3, maximum_adjustment=3.0).groups
    weights = nonresponse_weights(sample, groups)
    np.testing.assert_allclose(
        weights.groupby(groups).sum(), sample["design_weight"].groupby(groups).sum(), rtol=1e-14
    )
    assert (weights[~sample["responded"]] == 0).all()
    # Group 01|2: 10 units of weight 4 and 4 of weight 2, of which 9 and 1 respond.
    merged = weights[(sample["stratum"] == "01|3") & sample["responded"]]
    assert merged.tolist() == pytest.approx([2 * 48 / 38])


def test_out_of_scope_units_are_resolved_and_shrink_the_population() -> None:
    sample = pd.DataFrame(
        {
            "stratum": "s",
            "stratum_population": 100,
            "design_weight": 10.0,
            "responded": [True] * 6 + [False] * 4,
            "out_of_scope": [False] * 6 + [True] * 2 + [False] * 2,
        }
    )
    groups = pd.Series("s", index=sample.index)
    weights = nonresponse_weights(sample, groups)
    assert weights.tolist() == [12.5] * 8 + [0.0, 0.0]
    # Six of eight resolved units are in scope: 75 of the 100 of the frame.
    assert weights[:6].sum() == pytest.approx(75)
    assert group_populations(sample, groups).to_dict() == {"s": pytest.approx(75)}


def test_a_group_without_respondents_cannot_be_weighted() -> None:
    sample = pd.DataFrame({"design_weight": [1.0, 1.0], "responded": [True, False]})
    with pytest.raises(EstimationError, match="group b has no respondent"):
        nonresponse_weights(sample, pd.Series(["a", "b"]))


def test_single_respondents_are_collapsed_and_certainties_left() -> None:
    groups = pd.Series(["a", "b", "c", "c", "d", "e", "e", "f"])
    populations = pd.Series({"a": 1.0, "b": 5.0, "c": 9.0, "d": 4.0, "e": 6.0, "f": 3.0})
    strata, log = variance_strata(groups, populations)
    assert strata["variance_stratum"].tolist() == ["a", "b", "b", "b", "d", "d", "d", "d"]
    assert strata["stratum_population"].tolist() == [1.0] + [14.0] * 3 + [13.0] * 4
    assert log[["group", "merged_into"]].to_numpy().tolist() == [["b", "c"], ["d", "e"], ["f", "d"]]


def test_a_lonely_group_does_not_merge_with_one_that_answered_whole() -> None:
    groups = pd.Series(["a", "b", "b", "c", "c"])
    strata, log = variance_strata(groups, pd.Series({"a": 4.0, "b": 2.0, "c": 7.0}))
    assert strata["variance_stratum"].tolist() == ["a", "b", "b", "a", "a"]
    assert strata["stratum_population"].tolist() == [11.0, 2.0, 2.0, 11.0, 11.0]
    assert log[["group", "merged_into"]].to_numpy().tolist() == [["a", "c"]]


def test_one_respondent_in_all_is_refused() -> None:
    with pytest.raises(EstimationError, match="one respondent in all"):
        variance_strata(pd.Series(["a"]), pd.Series({"a": 9.0}))
