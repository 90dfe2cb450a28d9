"""The maps on the page of the quality report's asset are pictures that a browser can draw."""

import base64
from xml.etree import ElementTree

import pandas as pd

from asco_dagster.publication.quality_report.page import map_pictures, names
from asco_dagster.waves import load_wave

COLUMNS = ["concept", "indicator", "unit_type", "breakdown", "category", "value"]


def test_each_map_is_an_image_of_its_own() -> None:
    rows = [["unit_response", "rate", "commune", "departement", "75", 0.8]]
    pictures = map_pictures(pd.DataFrame(rows, columns=COLUMNS), load_wave("2014"))
    assert len(pictures) == len(names()["maps"])
    for picture in pictures.values():
        drawn = ElementTree.fromstring(base64.b64decode(picture))  # noqa: S314 (a picture that was just drawn)
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert drawn.get("viewBox")
