"""Returns of the web questionnaire: this project's export and LimeSurvey's, a row a return."""

import csv
import io
from pathlib import Path

import pytest

from asco_dagster.errors import SourceError
from asco_dagster.sources.returns.reading import Delivered, Returns
from asco_testing.sources.limesurvey import CONTACT, QUESTIONS, limesurvey_answers, limesurvey_export
from asco_testing.sources.made_returns import (
    OTHER_UNIT,
    PHONE,
    STRANGER,
    UNIT,
    answers,
    codebook,
    read,
    workbook,
    zipped,
)


def _export(path: Path, rows: list[dict[str, str]]) -> Path:
    out = io.StringIO()
    writer = csv.DictWriter(
        out, ["unit_code", "submitted_at", "version", *CONTACT, *QUESTIONS], delimiter=";", restval=""
    )
    writer.writeheader()
    for row in rows:
        contact = dict.fromkeys(CONTACT, PHONE)
        writer.writerow(
            {"submitted_at": "2025-10-02T08:00:00", "version": codebook().version, **contact, **row}
        )
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def _limesurvey(path: Path, content: bytes) -> Returns:
    path.write_bytes(content)
    return read([Delivered(path, "limesurvey", "commune")])


def _values(found: Returns) -> dict[str, dict[str, str]]:
    told = found.answers.table().to_pandas()
    return {
        unit: dict(zip(own["question"], own["value"], strict=True)) for unit, own in told.groupby("unit_code")
    }


def test_an_export_and_a_workbook_reach_the_same_tables(tmp_path: Path) -> None:
    export = _export(tmp_path / "e.csv", [{"unit_code": OTHER_UNIT, **answers()}])
    books = zipped(tmp_path / "r.zip", {"a.xlsx": workbook(UNIT)})
    found = read([Delivered(export, "export", "commune"), Delivered(books, "workbooks", "commune")])
    assert _values(found) == {UNIT: answers(), OTHER_UNIT: answers()}
    assert list(found.returns["way"]) == ["web", "workbook"]
    web = found.answers.table().to_pandas().query("unit_code == @OTHER_UNIT")
    assert web["source_cell"].isna().all()
    assert list(web["source_column"]) == list(web["question"])
    assert set(web["source_row"]) == {2}


def test_a_row_is_refused_alone_and_reported_without_its_answers(tmp_path: Path) -> None:
    number = next(question.code for question in codebook().questions if question.type == "integer")
    rows = [
        {"unit_code": UNIT, **answers()},
        {"unit_code": "999", **answers()},
        {"unit_code": STRANGER, **answers()},
        {"unit_code": OTHER_UNIT, **answers(), number: "environ douze"},
        {"unit_code": "01002", **answers(), "version": "1999.1"},
    ]
    quarantine = tmp_path / "q"
    quarantine.mkdir()
    deliveries = [Delivered(_export(tmp_path / "e.csv", rows), "export", "commune")]
    for _ in range(2):  # a second run tells nothing twice
        found = read(deliveries, quarantine)
        assert found.counts == {"accepted": 1, "superseded": 0, "refused": 4, "ignored": 0}
        assert list(found.returns["source_row"]) == [2, 3, 4, 5, 6]
        reasons = ["unknown_unit", "unit_outside_sample", "text_in_number", "foreign_version"]
        assert list(found.returns["reason"].dropna()) == reasons
        assert found.returns.loc[3, "cell"] == number
        kept = sorted(path.name for path in quarantine.iterdir())
        assert len(kept) == 4
    assert all(
        PHONE not in path.read_text() and "environ" not in path.read_text() for path in quarantine.iterdir()
    )


def test_a_unit_that_answers_twice_counts_once(tmp_path: Path) -> None:
    rows = [
        {"unit_code": UNIT, **answers()},
        {"unit_code": UNIT, **answers(), "submitted_at": "2025-12-01T08:00:00"},
        {"unit_code": UNIT, **answers(share=0.2), "submitted_at": "2026-01-01T08:00:00"},
    ]
    found = read([Delivered(_export(tmp_path / "e.csv", rows), "export", "commune")])
    assert list(found.returns["status"]) == ["superseded", "accepted", "superseded"]


@pytest.mark.parametrize(("separator", "brackets"), [(",", True), (";", True), (",", False), ("\t", False)])
def test_limesurvey_says_the_same(separator: str, brackets: bool, tmp_path: Path) -> None:
    rows = [{"token": UNIT, **limesurvey_answers()}, {"token": OTHER_UNIT, **limesurvey_answers()}]
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export(rows, separator=separator, brackets=brackets))
    assert _values(found) == {UNIT: answers(), OTHER_UNIT: answers()}
    assert set(found.returns["submitted_at"]) == {"2025-10-02T08:00:00"}


def test_a_response_left_before_its_end_yields_to_a_complete_one(tmp_path: Path) -> None:
    first = dict(list(limesurvey_answers().items())[:20])
    rows = [
        {"token": UNIT, **limesurvey_answers()},
        {"token": UNIT, **first, "submitdate": "", "datestamp": "2025-11-11 11:11:11"},
    ]
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export(rows))
    assert list(found.returns["status"]) == ["accepted", "superseded"]
    assert found.returns.loc[1, "submitted_at"] == "2025-11-11T11:11:11"
    alone = _limesurvey(tmp_path / "m.csv", limesurvey_export(rows[1:]))
    assert list(alone.returns["status"]) == ["accepted"]
    assert 0 < alone.returns.loc[0, "completeness"] < 0.5


def test_the_contact_of_a_response_is_not_read(tmp_path: Path) -> None:
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export([{"token": UNIT, **limesurvey_answers()}]))
    assert PHONE not in found.answers.table().to_pandas().to_csv() + found.returns.to_csv()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace(b'"token"', b'"jeton"'), "unit_code or token"),
        (lambda text: text.replace(b'"id"', b'"no"'), "not a response export"),
        (
            lambda text: text.replace(b'"ORG[CCAS]"', b'"ORG[CIAS]"'),
            r"missing ORG_CCAS; unknown ORG\[CIAS\]",
        ),
        (lambda text: text.replace(b'"ORG[CCAS]"', b'"ORG[comment]"'), "missing ORG_CCAS"),
        (lambda text: text.replace(b'"seed"', b'"ORGCCAS"'), r"two columns of one name: ORG\[CCAS\]"),
        (lambda text: text[: len(text) - 40], "cannot be split|has .* cells"),
        (lambda text: text.decode().encode("utf-16"), "not UTF-8|zero byte"),
    ],
)
def test_another_file_is_no_export(change, told: str, tmp_path: Path) -> None:
    content = limesurvey_export([{"token": UNIT, **limesurvey_answers()}])
    with pytest.raises(SourceError, match=told):
        _limesurvey(tmp_path / "l.csv", change(content))


BESIDE = [
    "ACCUEIL",
    "ORG[other]",
    "ORG[CCAScomment]",
    "ORG_comment",
    "EQTOTAL",
    "PIECE",
    "PIECE[filecount]",
    "Q99",
]


@pytest.mark.parametrize("separator", [",", ";"])
def test_columns_that_are_no_question_are_named_once_and_never_stored(separator: str, tmp_path: Path) -> None:
    plain = limesurvey_export(
        [{"token": UNIT, **limesurvey_answers()}, {"token": OTHER_UNIT, **limesurvey_answers()}],
        separator=separator,
    )
    rows = list(csv.reader(io.StringIO(plain.decode()), delimiter=separator))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow([*rows[0][:9], *BESIDE, *rows[0][9:]])
    for row in rows[1:]:
        writer.writerow([*row[:9], *["Mme Dupont, " + PHONE] * len(BESIDE), *row[9:]])
    found = _limesurvey(tmp_path / "l.csv", out.getvalue().encode())
    assert _values(found) == {UNIT: answers(), OTHER_UNIT: answers()}
    assert found.left_out == {"l.csv": BESIDE}
    stored = found.answers.table().to_pandas().to_csv() + found.returns.to_csv()
    assert "Dupont" not in stored and PHONE not in stored


def test_a_free_text_beside_a_choice_is_not_the_question_of_that_code(tmp_path: Path) -> None:
    """EST_OTHER is a question; ``EST[other]`` is what LimeSurvey adds to a list of choices."""
    content = limesurvey_export([{"token": UNIT, **limesurvey_answers()}])
    with_text = content.replace(b'"seed"', b'"EST[other]"')
    found = _limesurvey(tmp_path / "l.csv", with_text)
    assert _values(found) == {UNIT: answers()}
    assert found.left_out == {"l.csv": ["EST[other]"]}


def test_a_plain_export_leaves_nothing_out(tmp_path: Path) -> None:
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export([{"token": UNIT, **limesurvey_answers()}]))
    assert found.left_out == {}


def test_an_anonymised_survey_is_undated_and_the_later_response_counts(tmp_path: Path) -> None:
    """LimeSurvey dates every response of an anonymised survey 1980-01-01 00:00:00, whatever the row order."""
    number = next(q.code for q in codebook().questions if q.type == "integer")
    rows = [
        {"token": UNIT, **limesurvey_answers(), number: "99", "id": "12"},
        {"token": OTHER_UNIT, **limesurvey_answers(), "id": "3"},
        {"token": UNIT, **limesurvey_answers(), number: "5", "id": "7"},
    ]
    rows = [{**row, "submitdate": "1980-01-01 00:00:00", "datestamp": "1980-01-01 00:00:00"} for row in rows]
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export(rows))
    assert found.returns["submitted_at"].isna().all()
    assert list(found.returns["claimed_at"]) == ["1980-01-01T00:00:00"] * 3
    assert list(found.returns["moment_flag"]) == ["before_collection"] * 3
    assert list(found.returns["status"]) == ["accepted", "accepted", "superseded"]
    assert list(found.returns["decided_by"]) == ["later_response", "only", "later_response"]
    assert found.returns["superseded_by"].tolist()[2] == "l.csv, row 2"
    assert _values(found)[UNIT][number] == "99"


def test_the_date_of_the_last_page_holds_where_only_the_submission_is_anonymised(tmp_path: Path) -> None:
    rows = [
        {
            "token": UNIT,
            **limesurvey_answers(),
            "submitdate": "1980-01-01 00:00:00",
            "datestamp": "2025-10-05 09:00:00",
        }
    ]
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export(rows))
    assert list(found.returns["submitted_at"]) == ["2025-10-05T09:00:00"]


def test_a_clock_of_2099_does_not_beat_a_later_correction(tmp_path: Path) -> None:
    rows = [
        {"token": UNIT, **limesurvey_answers(), "submitdate": "2099-01-01 08:00:00"},
        {"token": UNIT, **limesurvey_answers(), "submitdate": "2025-11-02 08:00:00"},
    ]
    found = _limesurvey(tmp_path / "l.csv", limesurvey_export(rows))
    assert list(found.returns["status"]) == ["superseded", "accepted"]
    assert list(found.returns["moment_flag"]) == ["after_collection", "in_collection"]
    assert list(found.returns["decided_by"]) == ["dated", "dated"]
