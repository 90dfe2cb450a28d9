"""The full demonstration's release in other hands: its metadata are accepted, other programs read the same.

LibreOffice and R's arrow are asked where they are installed; the others always.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from asco_testing.publication.metadata_validators import release_faults
from asco_testing.publication.other_programs import PROGRAMS, AbsentError


@pytest.fixture(scope="module")
def release(released: tuple[Path, str]) -> Path:
    """The first version, whatever other tests have run since."""
    return released[0] / "releases" / "2014" / "1.0.0"


def test_each_metadata_file_is_accepted_by_its_standards_judge(release: Path) -> None:
    judged = release_faults(release)
    assert {path: faults for path, faults in judged.items() if faults} == {}
    assert {"catalog.jsonld", "provenance.jsonld", "sdmx/structure.json", "ddi/epci_2014.xml"} <= set(judged)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_reads_the_same_numbers(name: str, release: Path, tmp_path: Path) -> None:
    try:
        found = PROGRAMS[name](release, tmp_path)
    except AbsentError as absent:
        pytest.skip(str(absent))
    assert {one.file: one.differing for one in found if one.differing} == {}
    assert sum(int((~np.isnan(one.said)).sum()) for one in found) > 10_000


def test_each_file_that_the_page_names_is_in_the_release(release: Path) -> None:
    lists = re.findall(r"filesList: \{(.*?)\}", (release / "index.html").read_text(), re.DOTALL)
    french, english = (set(re.findall(r'"([^"]+)": "', told)) for told in lists)
    assert french == english
    assert [name for name in sorted(french) if not (release / name).is_file()] == []
