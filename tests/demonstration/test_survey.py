"""Sample, returns and the truth behind them: sizes, formats, filters, and the published figures."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asco_dagster.demonstration.answers import true_answers
from asco_dagster.demonstration.frame import commune_frame, epci_frame, invented_territory
from asco_dagster.demonstration.geography import departement_scores
from asco_dagster.demonstration.sample import draw_sample
from asco_dagster.errors import EstimationError
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook, Module, Question
from asco_dagster.waves import Wave
from asco_dagster.waves.form import Text

UNIT_TYPES = ("commune", "epci")


def read_export(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep=";", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def communes(truth: pd.DataFrame) -> pd.DataFrame:
    return truth[truth["unit_type"] == "commune"].reset_index(drop=True)


@pytest.fixture(scope="module")
def sample(deliveries: dict[str, Path]) -> pd.DataFrame:
    return read_export(deliveries["asco-sample-2014.csv"])


def test_the_sample_has_the_published_sizes(sample: pd.DataFrame) -> None:
    assert list(sample) == ["unit_type", "unit_code", "stratum"]
    assert sample["unit_type"].value_counts().to_dict() == {"commune": 8600, "epci": 1400}
    assert not sample["unit_code"].duplicated().any()


def test_strata_are_named_by_geography_and_size(sample: pd.DataFrame, truth: pd.DataFrame) -> None:
    both = sample.merge(truth, on=["unit_type", "unit_code"], validate="one_to_one")
    area = both["departement_code"].where(both["unit_type"] == "commune", both["region_code"])
    assert len(both) == len(sample)
    assert (both["stratum"] == both["unit_type"] + ":" + area + ":" + both["size_class"]).all()


def test_large_units_are_all_taken_and_no_stratum_is_too_small(
    wave: Wave, sample: pd.DataFrame, truth: pd.DataFrame
) -> None:
    taken = set(sample["unit_code"])
    for unit_type in ("commune", "epci"):
        units = truth[truth["unit_type"] == unit_type]
        design = wave.design(unit_type)
        large = units.loc[units["population"] >= design.take_all_from, "unit_code"]
        assert set(large) <= taken
        drawn = sample[sample["unit_type"] == unit_type].groupby("stratum").size()
        area = units["departement_code"] if unit_type == "commune" else units["region_code"]
        there = units.groupby(unit_type + ":" + area + ":" + units["size_class"]).size()
        assert (drawn >= there.clip(upper=design.minimum_per_stratum)).all()


def test_a_small_scale_keeps_the_minima(small_demonstration: Any) -> None:
    table = read_export(next(path for path in small_demonstration.paths if "sample" in path.name))
    sizes = table["unit_type"].value_counts()
    assert 900 < sizes["commune"] < 8600 * 0.4
    assert 200 < sizes["epci"] < 1400 * 0.4


def test_take_all_units_beyond_the_size_are_refused(wave: Wave) -> None:
    frame = pd.DataFrame(
        {
            "unit_code": [f"{number:05d}" for number in range(50)],
            "stratum": "commune:01:5_ge10000",
            "population": 20_000,
        }
    )
    design = wave.sampling.commune.model_copy(update={"size": 40})
    with pytest.raises(EstimationError, match="too small"):
        draw_sample(frame, design, scale=1.0, seed=1)


def test_take_all_units_inside_a_size_class_make_a_stratum_of_their_own(wave: Wave) -> None:
    frame = pd.DataFrame(
        {
            "unit_code": [f"{number:05d}" for number in range(50)],
            "stratum": "commune:01:5_ge10000",
            "population": [90_000] * 3 + [20_000] * 47,
        }
    )
    design = wave.sampling.commune.model_copy(update={"size": 20, "take_all_from": 50_000})
    drawn = draw_sample(frame, design, scale=1.0, seed=1)
    assert {"00000", "00001", "00002"} <= set(drawn["unit_code"])
    assert drawn["stratum"].value_counts().to_dict() == {
        "commune:01:5_ge10000": 17,
        "commune:01:5_ge10000:all": 3,
    }


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
def test_returns_have_the_columns_of_the_codebook(
    exports: dict[str, Path], wave: Wave, unit_type: str, sample: pd.DataFrame
) -> None:
    codebook = load_questionnaire(wave.questionnaire).codebooks[unit_type]
    table = read_export(exports[unit_type])
    questions = [question.code for question in codebook.questions]
    assert list(table) == ["unit_code", "submitted_at", "version", *questions, *codebook.contact]
    assert set(table["version"]) == {codebook.version}
    assert set(table["unit_code"]) < set(sample.loc[sample["unit_type"] == unit_type, "unit_code"])
    moments = pd.to_datetime(table["submitted_at"], format="%Y-%m-%dT%H:%M:%S")
    assert moments.dt.date.between(dt.date(2015, 9, 1), dt.date(2016, 3, 31)).all()


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
def test_answers_are_coded_as_the_export_codes_them(
    exports: dict[str, Path], wave: Wave, unit_type: str
) -> None:
    patterns = {"boolean": "[01]", "integer": r"\d+", "decimal": r"\d+,\d", "amount": r"\d+,\d\d"}
    table = read_export(exports[unit_type])
    for question in load_questionnaire(wave.questionnaire).codebooks[unit_type].questions:
        choices = "|".join(choice.code for choice in question.choices)
        pattern = patterns.get(question.type, choices)
        assert table[question.code].str.fullmatch(f"(?:{pattern})?").all(), question.code
        if question.asked_if is not None:
            assert (table.loc[table[question.asked_if] != "1", question.code] == "").all(), question.code


def test_response_follows_size(exports: dict[str, Path], sample: pd.DataFrame, truth: pd.DataFrame) -> None:
    answered = {code for name in UNIT_TYPES for code in read_export(exports[name])["unit_code"]}
    units = sample.merge(truth[["unit_code", "size_class"]], on="unit_code")
    units["answered"] = units["unit_code"].isin(answered)
    rates = units.groupby("unit_type")["answered"].mean()
    assert rates["commune"] == pytest.approx(0.74, abs=0.02)
    assert rates["epci"] == pytest.approx(0.80, abs=0.03)
    by_size = units[units["unit_type"] == "commune"].groupby("size_class")["answered"].mean()
    assert by_size.iloc[0] == pytest.approx(0.65, abs=0.03)
    assert by_size.iloc[-1] == pytest.approx(0.92, abs=0.02)


def test_few_asked_cells_are_empty_more_of_them_amounts(exports: dict[str, Path]) -> None:
    table = read_export(exports["commune"])
    assert 0.005 < (table["ACT_ELDERLY"] == "").mean() < 0.02
    asked = table[table["BEN_IN_KIND"] == "1"]
    assert 0.04 < (asked["BEN_IN_KIND_EUR"] == "").mean() < 0.08


def test_contacts_cannot_be_taken_for_true_ones(exports: dict[str, Path]) -> None:
    for name in UNIT_TYPES:
        table = read_export(exports[name])
        assert table["CONTACT_NAME"].str.fullmatch(r"Contact Démo \d{5}").all()
        assert table["CONTACT_PHONE"].str.fullmatch(r"01 99 00 \d\d \d\d").all()
        assert table["CONTACT_EMAIL"].str.fullmatch(r"contact-\d{5}@demo\.invalid").all()


def test_returns_hold_the_truth_where_they_answer(exports: dict[str, Path], communes: pd.DataFrame) -> None:
    table = read_export(exports["commune"]).merge(
        communes[["unit_code", "ACT_ELDERLY", "ORG_STAFF_FTE"]], on="unit_code", suffixes=("", "_true")
    )
    told = table[(table["ACT_ELDERLY"] != "") & (table["ORG_STAFF_FTE"] != "")]
    assert (told["ACT_ELDERLY"].astype(int) == told["ACT_ELDERLY_true"]).all()
    staff = told["ORG_STAFF_FTE"].str.replace(",", ".").astype(float)
    assert np.allclose(staff, told["ORG_STAFF_FTE_true"])


@pytest.mark.parametrize(
    ("question", "share", "tolerance"),
    [
        ("ACT_ELDERLY", 0.67, 0.01),
        ("ACT_YOUTH_FAMILY", 0.39, 0.02),
        ("ACT_POVERTY", 0.37, 0.02),
        ("BEN_IN_KIND", 0.63, 0.02),
        ("BEN_NON_REPAYABLE", 0.54, 0.02),
        ("BEN_REPAYABLE", 0.10, 0.01),
        ("BEN_VOUCHER", 0.05, 0.01),
        ("ORG_CCAS", 0.75, 0.01),
        ("ORG_INSTRUCTS", 0.10, 0.015),
    ],
)
def test_truth_is_close_to_the_published_share_of_communes(
    communes: pd.DataFrame, question: str, share: float, tolerance: float
) -> None:
    assert communes[question].mean() == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize(
    ("question", "share"),
    [("ACT_ELDERLY", 0.90), ("ACT_YOUTH_FAMILY", 0.80), ("ACT_POVERTY", 0.80), ("ORG_INSTRUCTS", 0.50)],
)
def test_truth_is_close_to_the_published_share_of_population(
    communes: pd.DataFrame, question: str, share: float
) -> None:
    weight = communes["population"] / communes["population"].sum()
    assert (communes[question].astype(float) * weight).sum() == pytest.approx(share, abs=0.04)


def test_truth_follows_the_published_numbers_of_sectors(communes: pd.DataFrame) -> None:
    sectors = communes[[name for name in communes if name.startswith("ACT_")]].sum(axis=1)
    active = (sectors > 0).groupby(communes["size_class"]).mean()
    assert active.to_list() == pytest.approx([0.72, 0.90, 0.99, 1.0, 1.0], abs=0.02)
    assert (sectors > 0).mean() == pytest.approx(0.825, abs=0.015)
    assert (sectors >= 7).mean() == pytest.approx(0.20, abs=0.03)
    small = communes["population"] < 1500
    assert sectors[small].between(1, 6).mean() == pytest.approx(0.67, abs=0.03)
    assert (sectors[~small] >= 7).mean() == pytest.approx(0.67, abs=0.04)
    competent = communes["ORG_EPCI_COMPETENT"] == 1
    assert ((sectors == 0) & competent).mean() == pytest.approx(0.06, abs=0.01)
    assert ((sectors == 0) & ~competent).mean() == pytest.approx(0.12, abs=0.01)
    benefits = communes[["BEN_IN_KIND", "BEN_NON_REPAYABLE", "BEN_REPAYABLE", "BEN_VOUCHER"]].max(axis=1)
    assert benefits.mean() == pytest.approx(0.75, abs=0.03)


def test_a_commune_and_its_epci_agree_on_competence(wave: Wave, truth: pd.DataFrame) -> None:
    frame = commune_frame(invented_territory(wave, wave.sampling.seed), wave)
    bodies = truth[truth["unit_type"] == "epci"].set_index("unit_code")["ORG_COMPETENCE"]
    told = truth[truth["unit_type"] == "commune"].set_index("unit_code")["ORG_EPCI_COMPETENT"]
    wanted = frame.set_index("unit_code")["epci_siren"].map(bodies).fillna(0)
    assert (told == wanted).all()


def test_answers_do_not_depend_on_the_sample(small_demonstration: Any, truth: pd.DataFrame) -> None:
    again = pd.read_parquet(small_demonstration.places.demonstration / "2014-truth.parquet")
    pd.testing.assert_frame_equal(again, truth)


@pytest.mark.slow
def test_a_question_that_is_not_known_gets_an_answer_by_its_type(wave: Wave) -> None:
    label = Text(fr="?", en="?")
    new = [
        Question(code="NEW_YES", label=label, type="boolean"),
        Question(code="NEW_COUNT", label=label, type="integer", asked_if="NEW_YES", range=(0, 2)),
        Question(code="NEW_SIZE", label=label, type="decimal", range=(0, 5)),
        Question(code="NEW_EUROS", label=label, type="amount"),
        Question(code="NEW_CHOICE", label=label, type="choice", choices=[_choice("a"), _choice("b")]),
    ]
    territory = invented_territory(wave, 1)
    communes = commune_frame(territory, wave)
    epci = epci_frame(communes, territory, wave)
    books = load_questionnaire(wave.questionnaire).codebooks
    scores = departement_scores(wave, territory, 1)
    before = true_answers(communes, epci, books, scores, wave="2014", seed=1)["commune"]
    longer: Codebook = books["commune"].model_copy(
        update={"modules": [*books["commune"].modules, Module(code="NEW", label=label, questions=new)]}
    )
    longer_books = books | {"commune": longer}
    after = true_answers(communes, epci, longer_books, scores, wave="2014", seed=1)["commune"]
    assert after["NEW_YES"].isin([0, 1]).all()
    assert after["NEW_COUNT"].notna().eq(after["NEW_YES"] == 1).all()
    assert after["NEW_COUNT"].dropna().between(0, 2).all()
    assert after["NEW_SIZE"].between(0, 5).all()
    assert (after["NEW_EUROS"] > 0).all()
    assert set(after["NEW_CHOICE"]) == {"a", "b"}
    pd.testing.assert_frame_equal(after[list(before)], before)


def _choice(code: str) -> dict[str, object]:
    return {"code": code, "label": {"fr": code, "en": code}}
