"""Filled questionnaires as LimeSurvey exports them."""

import csv
import io

from asco_testing.sources.made_returns import PHONE, answers, codebook

CONTACT = list(codebook().contact)
QUESTIONS = [question.code for question in codebook().questions]


def limesurvey_export(rows: list[dict[str, str]], *, separator: str = ",", brackets: bool = True) -> bytes:
    """LimeSurvey's response export: codes without underscores, sub-questions in brackets, Y and N."""
    first = ["id", "submitdate", "lastpage", "startlanguage", "seed", "token", "startdate", "datestamp"]

    def heading(code: str) -> str:
        head, _, tail = code.partition("_")
        return f"{head}[{tail.replace('_', '')}]" if tail and brackets else code.replace("_", "")

    out = io.StringIO()
    columns = [*first, *(heading(code) for code in CONTACT), *(heading(code) for code in QUESTIONS)]
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        given = {"id": str(number), "startlanguage": "fr", "submitdate": "2025-10-02 08:00:00", **row}
        given |= {code: row.get(code, PHONE) for code in CONTACT}
        writer.writerow([given.get(name, "") for name in (*first, *CONTACT, *QUESTIONS)])
    return out.getvalue().encode()


def limesurvey_answers() -> dict[str, str]:
    of_type = {question.code: question.type for question in codebook().questions}
    given = {}
    for code, value in answers().items():
        if of_type[code] == "boolean":
            given[code] = "Y" if value == "1" else "N"
        elif of_type[code] == "choice":
            given[code] = value.replace("_", "")
        else:
            given[code] = f"{float(value):.10f}" if of_type[code] != "integer" else value
    return given
