"""Every metadata file of a wave that really ran to a release is accepted by its standard's judge."""

import re
import sys
from pathlib import Path

import pytest
from small_wave import SmallWave

sys.path.insert(0, str(Path(__file__).parent))
from metadata_validators import release_faults

pytestmark = pytest.mark.xdist_group("small_wave")


def test_each_file_of_the_release_is_accepted(small_wave: SmallWave) -> None:
    judged = release_faults(small_wave.places.releases("2014") / "1.0.0")
    assert {path: faults for path, faults in judged.items() if faults} == {}
    assert {"catalog.jsonld", "provenance.jsonld", "sdmx/structure.json", "ddi/epci_2014.xml"} <= set(judged)


def test_each_file_that_the_page_names_is_in_the_release(small_wave: SmallWave) -> None:
    release = small_wave.places.releases("2014") / "1.0.0"
    lists = re.findall(r"filesList: \{(.*?)\}", (release / "index.html").read_text(), re.DOTALL)
    french, english = (set(re.findall(r'"([^"]+)": "', told)) for told in lists)
    assert french == english
    assert [name for name in sorted(french) if not (release / name).is_file()] == []
