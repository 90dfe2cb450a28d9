"""The list and the populations put together: small files written for each case, and the real ones."""

from collections.abc import Mapping

import pandas as pd
import pytest

from asco_dagster.errors import SourceError
from asco_dagster.territory.codes import MUNICIPAL_ARRONDISSEMENTS
from asco_dagster.territory.matching import Growth, match_parts
from asco_dagster.territory.vintages import KINDS, OUT_OF_FRAME, Reconciled, reconcile

YEAR = 2024
BODY = "200000001"
# Communes that nothing happens to, so that the two files are seen to be of one vintage.
STILL = {f"85{number:03d}": 1000 + number for number in range(1, 10)}


def put_together(
    listed: Mapping[str, int],
    counted: Mapping[str, int],
    passage: list[tuple[str, str]] | None = None,
    *,
    year: int = YEAR,
    renamed: tuple[str, ...] = (),
) -> Reconciled:
    members = pd.DataFrame({"commune_code": list(listed), "population": list(listed.values())})
    members = members.assign(commune_name="C" + members["commune_code"], epci_siren=BODY, epci_nature="CC")
    legal = pd.DataFrame({"commune_code": list(counted), "population": list(counted.values())})
    name = "C" + legal["commune_code"]
    legal["commune_name"] = name.where(~legal["commune_code"].isin(renamed), name + " en Plaine")
    pairs = pd.DataFrame(passage or [], columns=["former_code", "commune_code"], dtype="object")
    return reconcile(members, legal, pairs, list_year=year)


def populations(found: Reconciled) -> dict[str, int]:
    frame = found.communes.set_index("commune_code")["population"].astype(int)
    return {code: value for code, value in frame.to_dict().items() if code not in STILL}


def cases(found: Reconciled) -> list[tuple[str, str, str | None, str]]:
    columns = ["kind", "commune_code", "other_code", "found_by"]
    return [
        tuple(None if pd.isna(cell) else cell for cell in row)
        for row in found.cases[columns].itertuples(index=False)
    ]


def shares(code: str) -> dict[str, int]:
    return {
        part: 10_000 + n for n, (part, whole) in enumerate(MUNICIPAL_ARRONDISSEMENTS.items()) if whole == code
    }


@pytest.mark.parametrize(("commune", "parts"), [("75056", 20), ("69123", 9), ("13055", 16)])
def test_municipal_arrondissements_are_their_commune(commune: str, parts: int) -> None:
    of_town = shares(commune)
    assert len(of_town) == parts
    found = put_together({**STILL, commune: 1}, {**STILL, **of_town})
    assert populations(found) == {commune: sum(of_town.values())}
    assert found.communes.set_index("commune_code").loc[commune, "epci_siren"] == BODY
    assert cases(found) == [("arrondissement_folded", code, commune, "code") for code in sorted(of_town)]


def test_a_town_beside_its_arrondissements_counts_once() -> None:
    found = put_together({**STILL, "69123": 1}, {**STILL, **shares("69123"), "69123": 90_100})
    assert populations(found) == {"69123": 90_100}
    assert {kind for kind, *_ in cases(found)} == {"arrondissement_beside_commune"}
    assert len(cases(found)) == 9


def test_a_town_of_which_an_arrondissement_is_missing_is_refused() -> None:
    of_town = shares("13055")
    del of_town["13207"]
    with pytest.raises(SourceError) as caught:
        put_together({**STILL, "13055": 1}, {**STILL, **of_town})
    assert str(caught.value) == (
        "the populations have 15 of the 16 municipal arrondissements of commune 13055, and not the commune; "
        "13207 missing; expected all of them, or the commune. "
        "Deliver INSEE's file of legal populations whole."
    )


def test_overseas_collectivities_are_no_units() -> None:
    found = put_together({**STILL, "98718": 5000}, {**STILL, "98718": 5000, "97501": 600, "97701": 9000})
    assert populations(found) == {}
    assert cases(found) == [("outside_survey", code, None, "code") for code in ("97501", "97701", "98718")]


def test_restored_communes_leave_the_one_that_counted_them() -> None:
    """85084 of the populations of 2021 holds two communes that the list of 2024 knows again."""
    found = put_together({**STILL, "85084": 6807, "85165": 1259, "85212": 1333}, {**STILL, "85084": 9399})
    assert populations(found) == {"85084": 6807, "85165": 1259, "85212": 1333}
    assert cases(found) == [
        ("counted_within", "85165", "85084", "populations"),
        ("counted_within", "85212", "85084", "populations"),
        ("recounted", "85084", None, "populations"),
    ]


def test_merged_communes_leave_the_frame() -> None:
    found = put_together({**STILL, "25060": 2114}, {**STILL, "25060": 694, "25282": 791, "25549": 629})
    assert populations(found) == {"25060": 2114}
    assert cases(found) == [
        ("listed_within", "25282", "25060", "populations"),
        ("listed_within", "25549", "25060", "populations"),
        ("recounted", "25060", None, "populations"),
    ]


def test_the_passage_shares_out_what_the_populations_count() -> None:
    """Of another vintage than the list: shares of the list, inhabitants of the populations."""
    grown = {code: round(value * 1.02) for code, value in STILL.items()}
    passage = [("85084", "85084"), ("85084", "85165"), ("85041", "85292"), ("85292", "85292")]
    found = put_together(
        {**STILL, "85084": 600, "85165": 300, "85292": 1500},
        {**grown, "85084": 901, "85041": 297, "85292": 1210},
        passage,
    )
    assert populations(found) == {"85084": 601, "85165": 300, "85292": 1507}
    assert cases(found) == [
        ("counted_within", "85165", "85084", "passage"),
        ("listed_within", "85041", "85292", "passage"),
        ("recounted", "85084", None, "passage"),
        ("recounted", "85292", None, "passage"),
    ]


def test_a_passage_that_says_a_commune_stands_keeps_it_outside_any_epci() -> None:
    found = put_together(STILL, {**STILL, "85400": 40}, [("85400", "85400")])
    assert populations(found) == {"85400": 40}
    assert cases(found) == [("outside_epci", "85400", None, "passage")]


def test_only_four_islands_may_lie_outside_any_epci_since_2017() -> None:
    found = put_together(STILL, {**STILL, "85113": 4877, "85400": 40})
    assert populations(found) == {"85113": 4877}
    assert cases(found) == [("outside_epci", "85113", None, "law"), ("unplaced", "85400", None, "law")]
    before = put_together(STILL, {**STILL, "85113": 4877, "85400": 40}, year=2014)
    assert populations(before) == {"85113": 4877, "85400": 40}


def test_a_departement_without_legal_populations_keeps_those_of_the_list() -> None:
    found = put_together({**STILL, "97608": 17831}, STILL)
    assert populations(found) == {"97608": 17831}
    assert cases(found) == [("not_counted", "97608", None, "files")]


def test_between_two_vintages_only_what_growth_does_not_explain_is_moved() -> None:
    grown = {
        code: round(value * (1.01 + number % 3 / 100)) for number, (code, value) in enumerate(STILL.items())
    }
    listed = {**STILL, "85300": 245, "85301": 209, "85302": 406, "85303": 800}
    counted = {**grown, "85300": 860, "85303": 845}
    found = put_together(listed, counted, renamed=("85300",), year=2014)
    assert populations(found) == {"85300": 245, "85301": 209, "85302": 406, "85303": 845}
    assert [case[:3] for case in cases(found)] == [
        ("counted_within", "85301", "85300"),
        ("counted_within", "85302", "85300"),
        ("recounted", "85300", None),
    ]


def test_no_inhabitant_is_lost_or_made() -> None:
    found = put_together({**STILL, "25060": 2114}, {**STILL, "25060": 694, "25282": 791, "25549": 629})
    assert int(found.communes["population"].sum()) == sum(STILL.values()) + 694 + 791 + 629


def test_every_kind_of_case_has_words() -> None:
    assert set(KINDS) > OUT_OF_FRAME


def test_two_parts_are_placed_where_they_fit_together() -> None:
    parts = pd.Series({"a": 249.0, "b": 136.0, "c": 837.0, "d": 209.0})
    gaps = pd.Series({"x": 1086.0, "y": 136.0, "z": 5.0})
    deviations = pd.Series({"x": 0.1, "y": 0.1, "z": 0.1})
    assert match_parts(parts, gaps, deviations) == {"a": "x", "c": "x", "b": "y"}


def test_equal_populations_are_of_one_vintage() -> None:
    before = pd.Series([300.0, 400.0, 500.0])
    assert Growth.between(before, pd.Series([300.0, 400.0, 540.0])).exact
    grown = Growth.between(before, before * 1.1)
    assert not grown.exact
    assert grown.rate == pytest.approx(0.1)
