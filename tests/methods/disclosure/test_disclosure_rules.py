"""Primary rules, composition of cells, breakdowns and settings, on cases small enough to check by hand."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.errors import ConfigurationError, DisclosureError
from asco_dagster.methods.disclosure.areas import AreaGroup, Areas, is_released, layout
from asco_dagster.methods.disclosure.contributions import contributions
from asco_dagster.methods.disclosure.family import same_respondents
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import ATTACKED, AUXILIARY, CELL, KEYS, DisclosureRules
from asco_testing.worlds.true_size_respondents import AREAS, OVERSEAS, PARIS, REGIONS, composed, survey, table

RULES = DisclosureRules()


def units(*rows):
    columns = ["unit_id", "region_code", "departement_code", "size_class", "population", "weight"]
    return pd.DataFrame(rows, columns=columns).assign(unit_type="commune")


def test_contributions_by_hand():
    respondents = units(
        ("u1", "11", "77", "a", 100, 2.0), ("u2", "11", "75", "b", 300, 1.5), ("u3", "94", "2A", "a", 50, 4.0)
    )
    answers = pd.DataFrame(
        [
            ("u1", "YES", 1.0, "binary"),
            ("u2", "YES", 0.0, "binary"),
            ("u3", "YES", np.nan, "binary"),
            ("u1", "EUR", 10.0, "amount"),
            ("u2", "EUR", 30.0, "amount"),
        ],
        columns=["unit_id", "indicator", "value", "kind"],
    )
    made = contributions(respondents, answers, AREAS["commune"]).set_index(list(KEYS))
    yes = made.loc[("commune", "YES", "population_share", "france", "FR", "total")]
    assert yes[["respondents", "positive_respondents"]].tolist() == [2, 1]
    assert yes["numerator"] == 200.0
    assert yes["denominator"] == 2 * 100 + 1.5 * 300
    assert yes["weighted_units"] == 3.5
    # the largest population, whatever its answer: its own rule needs it
    assert yes[["largest", "largest_weighted", "second_largest"]].tolist() == [300.0, 450.0, 100.0]
    euro = made.loc[("commune", "EUR", "total", "france", "FR", "total")]
    amounts = ["numerator", "largest", "largest_weighted", "second_largest"]
    assert euro[amounts].tolist() == [65.0, 30.0, 45.0, 10.0]
    assert euro["respondents"] == 2  # u3 was not asked
    assert ("commune", "EUR", "share", "france", "FR", "total") not in made.index
    assert ("commune", "YES", "total", "france", "FR", "total") not in made.index
    assert ("commune", "YES", "share", "departement", "PPC", "total") in made.index
    assert ("commune", "YES", "share", "departement", "75", "total") not in made.index
    below = made.reset_index().query("statistic == 'population_share'")["geography"]
    assert set(below) == {"france"}


@pytest.mark.slow
def test_equal_respondents_have_equal_counts_to_the_last_bit():
    respondents, answers = survey(indicators=6, communes=300, epci=60)
    made = composed(respondents, answers, AREAS)
    counts = made.groupby(["unit_type", "statistic", *CELL])["weighted_units"].nunique()
    assert (counts == 1).all()


def cell(**changes):
    base = {
        "unit_type": "commune", "indicator": "I", "statistic": "total", "geography": "france",
        "area_code": "FR", "size_class": "total", "respondents": 11, "weighted_units": 20.0,
        "positive_respondents": 6, "numerator": 100.0, "denominator": 200.0, "largest": 40.0,
        "largest_weighted": 60.0,
        "second_largest": 20.0,
    }  # fmt: skip
    return pd.DataFrame([base | changes])


SHARE = {"statistic": "share"}
PEOPLE = {"statistic": "population_share"}


@pytest.mark.parametrize(
    ("changes", "rules", "status", "reason"),
    [
        ({}, {}, "V", ""),
        ({"respondents": 2}, {}, "A", "fewer respondents"),
        ({"respondents": 3}, {}, "V", ""),
        ({"largest": 85.0, "largest_weighted": 85.0}, {}, "V", ""),
        ({"largest": 85.1, "largest_weighted": 85.1}, {}, "B", "dominance"),
        ({"largest": 20.0, "largest_weighted": 90.0}, {}, "B", "dominance"),
        ({"largest": 90.0, **SHARE}, {}, "V", ""),
        ({"numerator": 0.0, "respondents": 9, **SHARE}, {}, "A", "group"),
        ({"numerator": 0.0, "respondents": 10, **SHARE}, {}, "V", ""),
        ({"numerator": 200.0, "respondents": 9, **SHARE}, {}, "A", "group"),
        ({"numerator": 200.0, "respondents": 10, **SHARE}, {}, "V", ""),
        ({"numerator": 200.0, "respondents": 9, **SHARE}, {"group_threshold": 0}, "V", ""),
        ({"numerator": 0.0, "respondents": 9, "largest": 0.0, "largest_weighted": 0.0}, {}, "A", "group"),
        ({"respondents": 1, "largest": 100.0}, {}, "A", "fewer respondents"),
        # a population above that of those who say yes said no, above that of those who say no said yes
        ({"largest": 99.0, "largest_weighted": 60.0, **PEOPLE}, {}, "V", ""),
        ({"largest": 100.0, **PEOPLE}, {}, "B", "the largest population decides"),
        ({"numerator": 150.0, "largest": 51.0, **PEOPLE}, {}, "B", "the largest population decides"),
        ({"numerator": 150.0, "largest": 49.0, "largest_weighted": 49.0, **PEOPLE}, {}, "V", ""),
        ({"numerator": 150.0, "largest": 20.0, "largest_weighted": 51.0, **PEOPLE}, {}, "B", "the largest"),
        # all alike on enough respondents: the group says so, not the largest of it
        ({"numerator": 200.0, "largest": 150.0, **PEOPLE}, {}, "V", ""),
        ({"numerator": 200.0, "largest": 150.0, "respondents": 9, **PEOPLE}, {}, "A", "group"),
    ],
)
def test_primary_rules(changes, rules, status, reason):
    done = primary(cell(**changes), DisclosureRules(**rules)).iloc[0]
    assert done["status"] == status
    assert done["reason"].startswith(reason)
    assert bool(done["reason"]) == bool(reason)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (cell().drop(columns="largest"), "the cells lack largest"),
        (
            pd.concat([cell(), cell()]),
            "1 cells appear twice, first commune × I × total × france × FR × total",
        ),
        (cell(numerator=np.nan), "the cells have no value in numerator"),
    ],
)
def test_frames_that_the_rules_cannot_judge_are_refused(frame, message):
    with pytest.raises(DisclosureError, match=message):
        primary(frame, RULES)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0}, {"dominance": 1.2}, {"protection": 0.0}, {"group_threshold": -1}, {"step": 0.5}],
)
def test_rules_that_protect_nothing_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=f"the disclosure rule {next(iter(wrong))} is"):
        DisclosureRules(**wrong)


def domains():
    """Every cell that the territory could have: 6 + 18 × 6 + 101."""
    sizes = ("total", "a", "b", "c", "d", "e")
    rows = [("france", "FR", size) for size in sizes]
    rows += [("region", region, size) for region in dict.fromkeys(REGIONS.values()) for size in sizes]
    return rows + [("departement", departement, "total") for departement in REGIONS]


def test_sums_of_the_released_breakdowns():
    made = layout(domains(), Areas(REGIONS))
    assert len(made.cells) == 6 + 18 * 6 + 101
    # France by class and by région, five classes by région, eighteen régions by class and by département.
    assert made.matrix.shape == (1 + 1 + 5 + 18 + 18, 215)
    assert (made.matrix.max(axis=1) == 1).all()
    with pytest.raises(DisclosureError, match="département 99 belongs to no région"):
        layout([("region", "11", "total"), ("departement", "99", "total")], Areas(REGIONS))
    with pytest.raises(
        DisclosureError, match="the geography “commune” of cell commune × 1 × total is unknown"
    ):
        layout([("commune", "1", "total")], Areas(REGIONS))


def test_areas_that_are_shown_together_are_one_cell_of_their_sums():
    areas = Areas(REGIONS, (OVERSEAS, PARIS))
    frame = pd.DataFrame(domains(), columns=list(CELL)).assign(statistic="share")
    groups = [("region", "OM", size) for size in ("total", *"abcde")] + [("departement", "PPC", "total")]
    frame = pd.concat([frame, pd.DataFrame(groups, columns=list(CELL)).assign(statistic="share")])
    shown = frame[is_released(frame, areas)]
    cells = set(zip(*(shown[key] for key in CELL), strict=True))
    assert ("region", "01", "total") in cells
    assert ("region", "01", "a") not in cells
    assert ("region", "OM", "a") in cells
    assert ("region", "OM", "total") not in cells
    assert ("departement", "PPC", "total") in cells
    assert ("departement", "75", "total") not in cells
    made = layout(cells, areas)
    order = made.index()
    rows = {tuple(np.flatnonzero(row > 0)): set(np.flatnonzero(row < 0)) for row in made.matrix}
    overseas = tuple(sorted(order["region", code, "total"] for code in OVERSEAS.areas))
    assert rows[overseas] == {order["region", "OM", size] for size in "abcde"}
    paris = [
        set(np.flatnonzero(row < 0)) for row in made.matrix if row[order["departement", "PPC", "total"]] < 0
    ]
    own = {order["departement", code, "total"] for code in ("77", "78", "91", "95", "PPC")}
    assert paris == [own]


def test_a_group_of_two_regions_is_refused():
    areas = Areas(REGIONS, (AreaGroup("X", "departement", ("75", "01")),))
    with pytest.raises(DisclosureError, match="the départements of X are in several régions"):
        areas.region_of("X")


@pytest.mark.parametrize(("respondents", "largest", "status"), [(10, 20.0, "V"), (9, 150.0, "B")])
def test_a_class_of_one_answer_gives_its_largest_town_away_and_not_the_total(respondents, largest, status):
    """All of the largest class say yes: with enough respondents that is published, the town's answer too."""
    rows = [
        cell(size_class="small", denominator=100.0, numerator=60.0, largest=20.0, **PEOPLE),
        cell(size_class="large", denominator=200.0, numerator=200.0, largest=150.0, **PEOPLE),
        cell(denominator=300.0, numerator=260.0, largest=150.0, respondents=50, **PEOPLE),
    ]
    rows[1]["respondents"] = respondents
    cells = pd.concat(rows, ignore_index=True).assign(largest_weighted=20.0)
    total = primary(cells, DisclosureRules()).iloc[2]
    assert (total["largest"], total["status"]) == (largest, status)


def test_shares_of_population_are_released_for_france_only():
    rows = pd.DataFrame([("france", "FR", "a"), ("region", "11", "total"), ("departement", "77", "total")],
                        columns=list(CELL))  # fmt: skip
    assert is_released(rows.assign(statistic="population_share"), AREAS["commune"]).tolist() == [
        True,
        False,
        False,
    ]
    assert is_released(rows.assign(statistic="share"), AREAS["commune"]).all()


def test_a_total_with_a_single_part_holds_the_same_respondents():
    frame = table([[5.0, 1.0], [2.0, 3.0]], [[1.0, 0.0], [4.0, 6.0]], [[2.0, 0.0], [9.0, 8.0]])
    made = layout(zip(*(frame[key] for key in CELL), strict=True), Areas({}))
    respondents = np.array([frame.set_index(list(CELL)).loc[c, "respondents"] for c in made.cells])
    classes = dict(zip(made.cells, same_respondents(made, respondents), strict=True))
    assert classes["region", "r0", "total"] == classes["region", "r0", "c0"]
    assert classes["region", "r1", "total"] != classes["region", "r1", "c0"]


def test_what_is_released_carries_no_number_of_a_suppressed_cell_nor_its_rule():
    frame = table(np.full((3, 3), 20.0), np.where(np.eye(3) > 0, 2.0, 40.0))
    done = protect(primary(frame, RULES), {"commune": Areas({})}, RULES).cells
    assert {"A", "D"} <= set(done["status"])
    public = released(done)
    assert set(public["status"]) == {"V", "c"}
    assert not (set(AUXILIARY) - {"denominator"}) & set(public.columns)
    assert "reason" not in public.columns
    hidden = public[public["status"] != "V"]
    numbers = [name for name in public.columns if name not in (*KEYS, "status")]
    assert set(numbers) == set(ATTACKED)
    assert len(hidden) >= 3
    assert hidden[numbers].isna().all(axis=None)
    assert public.loc[public["status"] == "V", numbers].notna().all(axis=None)
