"""The cell of each question in the Excel questionnaire, shared by those who write it and those who read it.

Tabs, rows and columns, and the words for coded answers; no Excel library. The blank workbook is written in
``workbook``, filled ones are read in ``sources/returns``.

A tab holds the questions of one module, one a row from ``FIRST_ROW``: code in column A, French wording in B,
answer in C. An answer is a number, or one of the words of :func:`words`. The hidden sheet ``META_SHEET`` says
in column B which questionnaire it is and whose, under the names of ``META_NAMES`` in column A; its further
columns hold the lists of the drop-downs. The moment of a return is in the workbook: ``dcterms:modified``
of ``docProps/core.xml``, which a spreadsheet writes on each save.
"""

from dataclasses import dataclass

from asco_dagster.questionnaires.questions import Codebook, Question

META_SHEET = "_asco"
META_NAMES = ("version", "unit_type", "unit_code", "wave", "questionnaire")  # A1..A5, their values in B1..B5
COVER_TAB = "Accueil"
INSTRUCTIONS_TAB = "Consignes"
CONTACT_TAB = "Contact"  # names, phones and addresses: never read
FRONT_TABS = (COVER_TAB, INSTRUCTIONS_TAB, CONTACT_TAB)
QUESTION_COLUMN, LABEL_COLUMN, ANSWER_COLUMN = 1, 2, 3
NOTE_COLUMN = 4  # unit and filter, for whoever fills it in
HEADER_ROW = 3
FIRST_ROW = 4
YES, NO = "Oui", "Non"


@dataclass(frozen=True)
class Place:
    """The cell that holds an answer.

    Attributes:
        question: code of the question.
        tab: name of the tab.
        row: row of the cell, from 1.
        column: column of the cell, from 1.
    """

    question: str
    tab: str
    row: int
    column: int


def layout(codebook: Codebook) -> tuple[Place, ...]:
    """The cell of every question, in the order of the questionnaire."""
    return tuple(
        Place(question.code, module.tab or module.code, FIRST_ROW + number, ANSWER_COLUMN)
        for module in codebook.modules
        for number, question in enumerate(module.questions)
    )


def tabs(codebook: Codebook) -> tuple[str, ...]:
    """The visible tabs, in order: cover, instructions, contact, then one a module."""
    return (*FRONT_TABS, *(module.tab or module.code for module in codebook.modules))


def words(question: Question) -> dict[str, str]:
    """Words that the cell of a closed question may hold, and the value of each; empty for a number.

    Returns:
        French word to stored value: ``Oui`` to ``1`` and ``Non`` to ``0``, or the French label of each choice
        to its code.
    """
    if question.type == "boolean":
        return {YES: "1", NO: "0"}
    return {choice.label.fr: choice.code for choice in question.choices}
