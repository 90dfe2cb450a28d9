"""A format that tells another number than the cells is seen, whichever it is."""

import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from asco_dagster.publication.assets import KINDS
from asco_dagster.releases.verify_formats import FRENCH, PAGE, SDMX, WORKBOOK, told_in_other_formats
from asco_testing.worlds.tiny_content import content


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    made = content()
    for kind in KINDS:
        kind(made, folder)
    return folder


@pytest.fixture
def release(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "release"))


def _faults(release: Path) -> list[str]:
    return list(told_in_other_formats(release, pd.read_parquet(release / "tables" / "asco_cells.parquet")))


def test_formats_that_say_the_same_are_in_order(whole) -> None:
    assert _faults(whole) == []


@pytest.mark.parametrize(("path", "old", "new"), [
    (FRENCH, ";;;;;;;;;c;", ";0,5;;;;;;;;c;"),
    (SDMX, ",,,,,,,,,C,", ",0.5,,,,,,,,C,"),
    (PAGE, 'null,null,null,"c",null', '0.5,null,null,"c",null'),
])  # fmt: skip
def test_a_number_in_a_suppressed_cell_is_seen(release, path, old, new) -> None:
    text = (release / path).read_text()
    assert old in text
    (release / path).write_text(text.replace(old, new, 1))
    assert [fault.split()[0] for fault in _faults(release)] == [path.split("/")[-1] if path == PAGE else path]


def test_a_number_in_the_workbook_that_no_cell_has_is_seen(release) -> None:
    book = openpyxl.load_workbook(release / WORKBOOK)
    cell = next(cell for row in book["T1"].iter_rows() for cell in row if cell.value == "s")
    cell.value = 12.3456
    book.save(release / WORKBOOK)
    assert _faults(release) == ["asco_tables.xlsx: sheet T1 holds 1 numbers that no released cell has."]
