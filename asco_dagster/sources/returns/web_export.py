"""Returns of the web questionnaire: one row of an export is one return, refused or kept by itself.

Two exports: this project's (``unit_code;submitted_at;version``, one column per question) and LimeSurvey's
response export (codes as headings, short answers). A file that is wrong as a whole is an error; a row with an
unknown unit or an impossible answer goes to quarantine like a workbook. Contact columns are dropped before
anything is read.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.delimited import DelimitedRows, check_header, read_rows
from asco_dagster.sources.readers.encoding import decode, read_bytes
from asco_dagster.sources.returns.answer_values import moment_of, value_of
from asco_dagster.sources.returns.questionnaire_form import Expected, Return, require_unit
from asco_dagster.sources.returns.refusals import Refusal, RefusedReturnError
from asco_dagster.sources.returns.settling import Record

_KEYS = ("unit_code", "submitted_at", "version")
_SYSTEM = re.compile(
    r"id|submitdate|lastpage|startlanguage|seed|startdate|datestamp|ipaddr|refurl|token|unitcode|version"
    r"|interviewtime|(group|question)time.*|firstname|lastname|email|attribute\d+",
    re.IGNORECASE,
)
_NOT_A_LETTER = re.compile(r"[^0-9A-Za-z]+")
# LimeSurvey's free texts and counts, in small letters, which no code of a sub-question may have.
_BESIDE = re.compile(r".*(?:other|comment|filecount)\]?")
_ANONYMISED = "1980-01-01"
_ZEROS = re.compile(r"(\.\d*?)0+$")


@dataclass(frozen=True)
class Export:
    """An export of the web questionnaire.

    Attributes:
        records: one a row, read as they are taken; a row that is refused is one all the same.
        left_out: names of the columns that are no question; nothing of them is read.
    """

    records: Iterator[Record]
    left_out: list[str]


def read_export(path: Path, expected: Expected, *, content: bytes | None = None) -> Export:
    """Read this project's export, one return at a time.

    Args:
        path: CSV, ``;``, UTF-8: ``unit_code;submitted_at;version``, then one column per question and the
            contact columns, in any order.
        expected: what returns look like.
        content: bytes of the file, when it is not a file.

    Raises:
        SourceError: missing, unknown or repeated column, ragged or undecodable file.
    """
    found = read_rows(path, content=content)
    questions = [place.question for place in expected.places]
    if not {*_KEYS, *questions} & {*found.header}:
        # What is there instead is never named: without its header an export begins with someone's answers.
        raise SourceError(
            "the first row does not name the columns",
            file=path,
            row=1,
            expected=f"{', '.join(_KEYS)} and the codes of the questions",
            remedy="deliver the export with its header",
        )
    check_header(
        found.header,
        required=[*_KEYS, *questions],
        known=lambda name: name in expected.contact,
        path=path,
    )
    columns = [found.header.index(question) for question in questions]
    unit, moment, version = (found.header.index(key) for key in _KEYS)

    def read(row: Sequence[str]) -> Return:
        answers = [row[column] for column in columns]
        stated = row[version].strip() or None
        return _return(expected, row[unit].strip(), stated, moment_of(row[moment].strip()), answers)

    return Export(_records(found, read, tuple(questions), expected), [])


def read_limesurvey(path: Path, expected: Expected, *, content: bytes | None = None) -> Export:
    """Read LimeSurvey's response export, one return at a time: CSV, codes as headings, short answers.

    LimeSurvey's codes have no underscore and sub-questions are in brackets, so codes are compared without
    either: ``ORG[CCAS]``, ``ORGCCAS`` and ``ORG_CCAS`` are one question. The unit is the column ``unit_code``
    where there is one, else the participant's ``token``. A response without ``submitdate`` was not finished:
    its moment is that of its last page, and whether it counts is a matter of its completeness.

    A survey holds more than questions: displayed texts, equations, free texts beside a choice (``[other]``,
    ``[comment]``), uploaded files and their number. Such columns are named and not read.

    Args:
        path: the file, or only a name when ``content`` is given.
        expected: what returns look like.
        content: bytes of an export that came through the API.

    Raises:
        SourceError: no such export, a question without column, or with two.
    """
    content = read_bytes(path) if content is None else content
    found = read_rows(path, content=content, separator=_separator(decode(content, path), path))
    questions = [place.question for place in expected.places]
    by_name, left_out = _limesurvey_columns(found.header, questions, expected, path)
    columns = [by_name[_plain(question)] for question in questions]
    headers = tuple(found.header[column] for column in columns)
    unit, version = by_name["UNITCODE" if "UNITCODE" in by_name else "TOKEN"], by_name.get("VERSION")
    moments = [by_name[name] for name in ("SUBMITDATE", "DATESTAMP") if name in by_name]

    def read(row: Sequence[str]) -> Return:
        given = [moment for column in moments if (moment := moment_of(row[column].strip()))]
        # An anonymised survey dates each response so; the date of its last page may be true all the same.
        moment = next((m for m in given if not m.startswith(_ANONYMISED)), given[0] if given else None)
        stated = None if version is None else row[version].strip() or None
        answers = [_limesurvey_cell(row[column]) for column in columns]
        return _return(expected, row[unit].strip(), stated, moment, answers)

    return Export(_records(found, read, headers, expected, by_name["ID"]), left_out)


def _return(
    expected: Expected,
    unit: str,
    version: str | None,
    moment: str | None,
    answers: Sequence[str],
) -> Return:
    """One row as a return; the answers in the order of the questions."""
    require_unit(unit, expected)
    places, values = [], []
    try:
        if version is not None and version != expected.version:
            raise RefusedReturnError("foreign_version", expected=expected.version)
        for number, cell in enumerate(answers):
            text = cell.strip()
            if text:
                value = _value(text, expected, number)
                if value is not None:
                    places.append(number)
                    values.append(value)
    except RefusedReturnError as refused:
        raise refused.of_unit(unit) from None
    if not places:
        raise RefusedReturnError("nothing_answered").of_unit(unit)
    return Return.of(expected, unit, moment, places, values, version=version)


def _value(text: str, expected: Expected, number: int) -> str | None:
    try:
        return value_of(text, expected.questions[number], expected.meanings[number])
    except RefusedReturnError as refused:
        refusal = refused.refusal
        question = expected.questions[number].code
        raise RefusedReturnError(refusal.reason, cell=question, expected=refusal.expected) from None


def _records(
    found: DelimitedRows,
    read: Callable[[Sequence[str]], Return],
    headers: tuple[str, ...],
    expected: Expected,
    response: int | None = None,
) -> Iterator[Record]:
    """Every row as a record, in the order of the file; ``response`` is the column of its number, if any."""
    for number, row in found.rows:
        outcome: Return | Refusal
        try:
            outcome = read(row)
        except RefusedReturnError as refused:
            outcome = refused.refusal
        number_given = "" if response is None else row[response].strip()
        yield Record(
            found.path.name,
            expected.unit_type,
            outcome,
            row=number,
            headers=headers,
            response=int(number_given) if number_given.isdecimal() else None,
        )


def _plain(name: str) -> str:
    return _NOT_A_LETTER.sub("", name).upper()


def _separator(text: str, path: Path) -> str:
    """Comma from LimeSurvey's pages, semicolon from its API; both start with the quoted column ``id``."""
    first = text.split("\n", 1)[0]
    match = re.match(r'"?id"?([,;\t])', first)
    if match is None:
        raise SourceError(
            "this is not a response export of LimeSurvey",
            file=path,
            row=1,
            expected="a first column “id”",
            remedy="export responses as CSV, headings “question code”, answers “answer codes”",
        )
    return match[1]


def _limesurvey_columns(
    header: Sequence[str], questions: Sequence[str], expected: Expected, path: Path
) -> tuple[dict[str, int], list[str]]:
    """The column of each question and key, by its plain name, and the names of those that are no question."""
    wanted = {_plain(question) for question in questions}
    if len(wanted) < len(questions):
        raise SourceError("two questions differ by an underscore only", file=path, remedy="rename one")
    keys = {"ID", "UNITCODE", "TOKEN", "VERSION", "SUBMITDATE", "DATESTAMP"}
    found: dict[str, int] = {}
    twice, others = [], []
    for number, name in enumerate(header):
        plain = _plain(name)
        if plain not in wanted | keys or _BESIDE.fullmatch(name):
            others.append(name)
        elif plain in found:
            twice.append(name)
        else:
            found[plain] = number
    missing = [question for question in questions if _plain(question) not in found]
    if "UNITCODE" not in found and "TOKEN" not in found:
        missing.append("unit_code or token")
    contact = {_plain(name) for name in expected.contact}
    unknown = [name for name in others if _plain(name) not in contact and not _SYSTEM.fullmatch(_plain(name))]
    faults = [
        f"missing {', '.join(missing)}" if missing else "",
        f"unknown {', '.join(unknown)}" if missing and unknown else "",
        f"two columns of one name: {', '.join(twice)}" if twice else "",
    ]
    if any(faults):
        raise SourceError(
            f"the columns are not those of this questionnaire: {'; '.join(filter(None, faults))}",
            file=path,
            row=1,
            remedy="export with question codes as headings, from the survey made of this codebook",
        )
    return found, unknown


def _limesurvey_cell(cell: str) -> str:
    """A cell as this project's export would have it: Y and N are 1 and 0, decimals lose their zeros."""
    text = cell.strip()
    if text in ("Y", "N"):
        return "1" if text == "Y" else "0"
    if re.fullmatch(r"-?\d*\.\d{10}", text):  # LimeSurvey stores numbers with ten decimals
        return _ZEROS.sub(r"\1", text).rstrip(".") or "0"
    return text
