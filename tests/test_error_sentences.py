"""An error is reported as sentences: what and where, then what to do, which begins with a capital."""

from asco_dagster.errors import AscoError


def test_the_remedy_is_a_sentence_of_its_own() -> None:
    fault = AscoError("the workbook is damaged", file="a/age.xlsx", remedy="fetch the file again")
    assert fault.sentence() == "file age.xlsx: the workbook is damaged. Fetch the file again."


def test_a_remedy_that_begins_with_a_command_keeps_its_spelling() -> None:
    fault = AscoError("no version 9.0.0 is released", remedy="“asco releases” lists them")
    assert fault.sentence() == "no version 9.0.0 is released. “asco releases” lists them."
