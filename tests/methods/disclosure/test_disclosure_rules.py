"""Primary rules, composition of cells, relations and settings, on cases small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest
from made_up_wave import domains, survey, table

from asco_dagster.errors import ConfigurationError, DisclosureError
from asco_dagster.methods.disclosure import DisclosureRules, contributions, primary, protect, released
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS, AdditiveSet
from asco_dagster.methods.disclosure.tables import families, kin, layout


def units(*rows):
    columns = ["unit_id", "region_code", "departement_code", "size_class", "population", "weight"]
    return pd.DataFrame(rows, columns=columns).assign(unit_type="commune")


DOMAINS = pd.DataFrame(
    [
        ("france", "FR", "total"),
        ("region", "11", "total"),
        ("region", "11", "a"),
        ("departement", "75", "total"),
    ],
    columns=["geography", "area_code", "size_class"],
)


def test_contributions_by_hand():
    respondents = units(
        ("u1", "11", "75", "a", 100, 2.0), ("u2", "11", "75", "b", 300, 1.5), ("u3", "94", "2A", "a", 50, 4.0)
    )
    answers = pd.DataFrame(
        [
            ("u1", "YES", 1.0),
            ("u2", "YES", 0.0),
            ("u3", "YES", np.nan),
            ("u1", "EUR", 10.0),
            ("u2", "EUR", 30.0),
        ],
        columns=["unit_id", "indicator", "value"],
    )
    made = contributions(respondents, answers, DOMAINS).set_index(list(KEYS))
    yes = made.loc[("commune", "YES", "population_share", "region", "11", "total")]
    assert yes["respondents"] == 2
    assert yes["positive_respondents"] == 1
    assert yes["numerator"] == 200.0
    assert yes["denominator"] == 2 * 100 + 1.5 * 300
    assert yes["weighted_units"] == 3.5
    assert yes[["largest", "largest_weighted", "second_largest"]].tolist() == [100.0, 200.0, 0.0]
    euro = made.loc[("commune", "EUR", "total", "france", "FR", "total")]
    assert euro[["numerator", "largest", "largest_weighted", "second_largest"]].tolist() == [
        65.0,
        30.0,
        45.0,
        10.0,
    ]
    assert euro["respondents"] == 2  # u3 was not asked
    assert ("commune", "EUR", "share", "france", "FR", "total") not in made.index
    assert ("commune", "YES", "share", "region", "11", "a") in made.index


def test_equal_respondents_have_equal_counts_to_the_last_bit():
    respondents, answers = survey(indicators=6, communes=400, epci=60)
    made = contributions(respondents, answers, domains())
    counts = made.groupby(["unit_type", "geography", "area_code", "size_class"])["weighted_units"].nunique()
    assert (counts == 1).all()


def cell(**changes):
    base = {
        "unit_type": "commune", "indicator": "I", "statistic": "total", "geography": "france",
        "area_code": "FR", "size_class": "total", "respondents": 9, "weighted_units": 20.0,
        "positive_respondents": 6, "numerator": 100.0, "denominator": 200.0, "largest": 40.0,
        "largest_weighted": 60.0,
        "second_largest": 20.0,
    }  # fmt: skip
    return pd.DataFrame([base | changes])


@pytest.mark.parametrize(
    ("changes", "rules", "status", "reason"),
    [
        ({}, {}, "V", ""),
        ({"respondents": 2}, {}, "A", "fewer respondents"),
        ({"respondents": 3}, {}, "V", ""),
        ({"largest": 85.0, "largest_weighted": 85.0}, {}, "V", ""),
        ({"largest": 85.1, "largest_weighted": 85.1}, {}, "B", "dominance"),
        ({"largest": 20.0, "largest_weighted": 90.0}, {}, "B", "dominance"),
        ({"largest": 20.0, "largest_weighted": 90.0}, {"weighted_dominance": False}, "V", ""),
        ({"largest": 90.0, "statistic": "share"}, {}, "V", ""),
        (
            {"statistic": "share", "numerator": 0.0, "respondents": 4, "positive_respondents": 0},
            {},
            "A",
            "group",
        ),
        ({"statistic": "share", "numerator": 200.0, "respondents": 4}, {}, "A", "group"),
        ({"statistic": "share", "numerator": 200.0, "respondents": 5}, {}, "V", ""),
        ({"statistic": "share", "numerator": 200.0, "respondents": 4}, {"group_threshold": 0}, "V", ""),
        ({"statistic": "share", "positive_respondents": 2}, {}, "V", ""),
        ({"statistic": "share", "positive_respondents": 2}, {"minimum_positive": 3}, "A", "numerator or"),
        ({"statistic": "share", "positive_respondents": 7}, {"minimum_positive": 3}, "A", "numerator or"),
        ({"respondents": 1, "largest": 100.0}, {}, "A", "fewer respondents"),
    ],
)
def test_primary_rules(changes, rules, status, reason):
    done = primary(cell(**changes), DisclosureRules(**rules)).iloc[0]
    assert done["status"] == status
    assert done["reason"].startswith(reason)
    assert bool(done["reason"]) == bool(reason)


def test_dominance_concerns_the_magnitudes_named():
    dominated = cell(largest=99.0)
    assert primary(dominated, DisclosureRules(), magnitudes=["I"])["status"].item() == "B"
    assert primary(dominated, DisclosureRules(), magnitudes=["J"])["status"].item() == "V"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (cell().drop(columns="largest"), "the cells lack largest"),
        (pd.concat([cell(), cell()]), "stand twice"),
        (cell(numerator=np.nan), "empty values in numerator"),
        (cell(respondents=0), "no respondent"),
    ],
)
def test_frames_that_the_rules_cannot_judge_are_refused(frame, message):
    with pytest.raises(DisclosureError, match=message):
        primary(frame, DisclosureRules())


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"dominance": 1.2}, {"protection": 0.0}, {"information_loss": "value"}]
)
def test_rules_that_protect_nothing_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        DisclosureRules(**wrong)


def test_relations_of_the_released_breakdowns():
    from made_up_wave import REGIONS

    made = layout(map(tuple, domains().to_numpy()), REGIONS)
    assert len(made.cells) == 6 + 18 * 6 + 101
    # France by class and by région, five classes by région, eighteen régions by class and by département.
    assert made.matrix.shape == (1 + 1 + 5 + 18 + 18, 215)
    assert (made.matrix.max(axis=1) == 1).all()
    with pytest.raises(DisclosureError, match="département 99 belongs to no région"):
        layout([("departement", "99", "total")], REGIONS)


def test_kin_are_cells_of_one_and_the_same_respondent():
    frame = table([[5.0, 1.0], [2.0, 3.0]], [[1.0, 0.0], [4.0, 6.0]], [[2.0, 0.0], [9.0, 8.0]])
    made = layout(frame[["geography", "area_code", "size_class"]].itertuples(index=False, name=None), {})
    respondents = np.array(
        [frame.set_index(["geography", "area_code", "size_class"]).loc[c, "respondents"] for c in made.cells]
    )
    classes = dict(zip(made.cells, kin(made, respondents), strict=True))
    assert classes["region", "r0", "total"] == classes["region", "r0", "c0"]
    assert classes["region", "r1", "total"] != classes["region", "r1", "c0"]


def test_families_join_what_is_linked():
    joined = families("ABCDEF", [("A", "C"), ("X", "B")], [AdditiveSet(("C", "E"), "F")])
    assert joined == [("A", "C", "E", "F"), ("B",), ("D",)]


def test_what_is_released_carries_no_number_of_a_suppressed_cell():
    frame = table(np.full((3, 3), 20.0), np.where(np.eye(3) > 0, 2.0, 40.0))
    done = protect(primary(frame, DisclosureRules()), {}, DisclosureRules())
    public = released(done)
    assert not set(AUXILIARY) & set(public.columns)
    assert "reason" not in public.columns
    hidden = public[public["status"] != "V"]
    numbers = ["estimate", "standard_error", "ci_low", "ci_high", "cv", "respondents", "weighted_units"]
    assert len(hidden) >= 3
    assert hidden[numbers].isna().all(axis=None)
    assert public.loc[public["status"] == "V", numbers].notna().all(axis=None)
