"""The edit models on hand-made answers: what cannot be is set to missing and logged, the rest stays."""

import pandas as pd
import pytest

from asco_dagster.orchestration.dbt_run import build
from asco_dagster.questionnaires.tables import edits_table, questions_table
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, read_table, write_table
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.slow

WAVE = load_wave("2014")
MODELS = ["stg_asco__given", "stg_asco__edit_log", "stg_asco__answers"]
POPULATION = 1000

# One commune a case: what it answers, the rules that it breaks, and the edit status of some answers.
CASES = {
    "nothing_wrong": (
        {"BEN_IN_KIND": "1", "BEN_IN_KIND_EUR": "1000,50", "BEN_IN_KIND_N": "20"},
        set(),
        {"BEN_IN_KIND_EUR": "answered", "BEN_VOUCHER": "item_nonresponse"},
    ),
    "behind_a_no": (
        {"BEN_IN_KIND": "0", "BEN_IN_KIND_EUR": "1000", "BEN_IN_KIND_N": "0"},
        {"filter:BEN_IN_KIND_EUR"},
        {"BEN_IN_KIND_EUR": "set_missing", "BEN_IN_KIND_N": "not_asked", "BEN_IN_KIND_RULE": "not_asked"},
    ),
    "behind_a_no_further_up": (
        {"ACT_ELDERLY": "0"},
        set(),
        {"ELD_MEALS": "not_asked", "ELD_MEALS_N": "not_asked"},
    ),
    "not_a_choice": ({"ORG_CCAS": "1", "ORG_CCAS_ROLE": "some"}, {"choice:ORG_CCAS_ROLE"}, {}),
    "not_a_number": ({"ORG_STAFF_FTE": "two"}, {"type:ORG_STAFF_FTE"}, {"ORG_STAFF_FTE": "set_missing"}),
    "not_finite": ({"ORG_STAFF_FTE": "inf"}, {"type:ORG_STAFF_FTE"}, {"ORG_STAFF_FTE": "set_missing"}),
    "not_whole": ({"EST_ELDERLY": "1.5"}, {"type:EST_ELDERLY"}, {"EST_ELDERLY": "set_missing"}),
    "out_of_range": ({"EST_ELDERLY": "501"}, {"range:EST_ELDERLY"}, {"EST_ELDERLY": "set_missing"}),
    "parts_above_total": (
        {"ORG_STAFF_FTE": "2", "STAFF_SOCIAL_FTE": "3"},
        {"staff_within_total"},
        {"ORG_STAFF_FTE": "set_missing", "STAFF_SOCIAL_FTE": "set_missing"},
    ),
    "zero_euros": (
        {"BEN_IN_KIND": "1", "BEN_IN_KIND_EUR": "0", "BEN_IN_KIND_N": "20"},
        {"in_kind_eur_positive", "in_kind_eur_per_person"},
        {"BEN_IN_KIND_EUR": "set_missing", "BEN_IN_KIND_N": "answered"},
    ),
    "too_many_people": (
        {"BEN_IN_KIND": "1", "BEN_IN_KIND_N": "2001"},
        {"in_kind_persons_per_inhabitant"},
        {"BEN_IN_KIND_N": "set_missing"},
    ),
    "places_without_establishment": (
        {"EST_ELDERLY": "0", "EST_ELDERLY_PLACES": "10"},
        {"no_places_elderly"},
        {"EST_ELDERLY": "set_missing", "EST_ELDERLY_PLACES": "set_missing"},
    ),
    "unusual_amount": (
        {"BEN_IN_KIND": "1", "BEN_IN_KIND_EUR": "70000", "BEN_IN_KIND_N": "20"},
        {"in_kind_eur_per_person", "in_kind_eur_per_inhabitant"},
        {"BEN_IN_KIND_EUR": "answered"},
    ),
    "all_by_the_ccas_and_a_service": (
        {"ORG_CCAS": "1", "ORG_CCAS_ROLE": "all", "ORG_SERVICE": "1"},
        {"ccas_all_and_service"},
        {"ORG_SERVICE": "answered"},
    ),
    "total_open": ({"STAFF_SOCIAL_FTE": "3"}, set(), {"STAFF_SOCIAL_FTE": "answered"}),
}


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    places = Places(tmp_path_factory.mktemp("edits"))
    units = pd.DataFrame({"unit_id": list(CASES), "unit_type": "commune", "unit_code": list(CASES)})
    units["population"] = POPULATION
    answers = [
        {"unit_type": "commune", "unit_code": case, "question": question, "value": value}
        for case, (given, _, _) in CASES.items()
        for question, value in given.items()
    ]
    with open_database(places.database("2014")) as database:
        write_table(database, "stg_asco__units", units)
        write_table(database, "stg_asco__returns", units[["unit_id"]])
        write_table(database, "stg_asco__questions", questions_table(WAVE))
        write_table(database, "raw_asco__edits", edits_table(WAVE))
        write_table(database, "raw_asco__answers", pd.DataFrame(answers))
    results = build(MODELS, wave=WAVE, places=places)
    failed = [r for r in results if r.status in ("error", "fail") and "relationships" not in r.unique_id]
    assert not failed, failed
    with open_database(places.database("2014"), read_only=True) as database:
        return {name: read_table(database, name) for name in MODELS}


@pytest.mark.parametrize("case", CASES)
def test_a_case_breaks_its_rules_and_no_other(edited: dict[str, pd.DataFrame], case: str) -> None:
    log = edited["stg_asco__edit_log"]
    assert set(log.loc[log["unit_id"] == case, "edit"]) == CASES[case][1]


@pytest.mark.parametrize("case", CASES)
def test_answers_of_a_case_have_their_status(edited: dict[str, pd.DataFrame], case: str) -> None:
    answers = edited["stg_asco__answers"].set_index(["unit_id", "question"])
    for question, status in CASES[case][2].items():
        row = answers.loc[(case, question)]
        assert row["edit_status"] == status, question
        assert pd.notna(row["value"]) == (status == "answered"), question


def test_every_question_of_every_return_is_judged_once(edited: dict[str, pd.DataFrame]) -> None:
    answers = edited["stg_asco__answers"]
    asked = questions_table(WAVE)["unit_type"].eq("commune").sum()
    assert len(answers) == asked * len(CASES)
    assert not answers.duplicated(["unit_id", "question"]).any()


def test_nothing_is_changed_but_set_to_missing(edited: dict[str, pd.DataFrame]) -> None:
    kept = edited["stg_asco__answers"].dropna(subset=["value"])
    for row in kept.itertuples():
        assert row.value == CASES[row.unit_id][0][row.question].replace(",", ".")


def test_the_log_says_what_was_read_and_done(edited: dict[str, pd.DataFrame]) -> None:
    log = edited["stg_asco__edit_log"].set_index(["unit_id", "edit"])
    row = log.loc[("zero_euros", "in_kind_eur_positive")]
    assert row["answers"] == "BEN_IN_KIND=1 BEN_IN_KIND_EUR=0"
    assert (row["severity"], row["action"], row["cleared"]) == ("hard", "set_missing", "BEN_IN_KIND_EUR")
    soft = log.loc[("unusual_amount", "in_kind_eur_per_person")]
    assert (soft["severity"], soft["action"]) == ("soft", "to_check")
    assert pd.isna(soft["cleared"])
