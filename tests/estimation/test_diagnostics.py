"""What the page of the weights shows: tables of ratios and margins, and a picture of both."""

import base64
import io

import numpy as np
import pandas as pd
from PIL import Image

from asco_dagster.estimation.diagnostics import diagnostics_metadata, diagnostics_plot


def test_the_page_has_its_tables_and_its_picture() -> None:
    weights = pd.DataFrame(
        {
            "unit_type": ["commune"] * 3 + ["epci"] * 2,
            "nonresponse_weight": [2.0, 2.0, 2.0, 1.0, 1.0],
            "weight": [2.2, 2.0, 1.8, 1.0, 1.0],
        }
    )
    margins = pd.DataFrame(
        {
            "unit_type": ["commune", "commune", "epci"],
            "margin": ["units", "population", "units"],
            "total": [6.0, 0.0, 2.0],
            "before": [5.0, 0.0, 2.0],
            "after": [6.0, 0.0, 2.0],
            "gap": [0.0, 0.0, 0.0],
        }
    )
    log = pd.DataFrame(
        [("epci", 1, "calibration", "dropped_collinear", "units_by_size_class:4")],
        columns=["unit_type", "step", "stage", "action", "detail"],
    )
    told = diagnostics_metadata(weights, margins, log, {"commune": 0.5, "epci": 0.0})
    (commune, epci) = [record.data for record in told["weight ratios"].records]
    assert (commune["min"], commune["max"], commune["distance"]) == (0.9, 1.1, 0.5)
    assert epci["spread"] == 0
    assert told["margins"].records[0].data["margin"] == "units"
    assert told["decisions"].records[0].data["detail"] == "units_by_size_class:4"
    picture = base64.b64decode(told["plot"].md_str.split("base64,")[1].rstrip(")"))
    assert Image.open(io.BytesIO(picture)).size == (920, 480)


def test_a_picture_of_ratios_that_are_all_one() -> None:
    drawn = Image.open(io.BytesIO(diagnostics_plot({"all the same": np.ones(5)})))
    assert drawn.size == (460, 240)
    assert len(drawn.convert("RGB").getcolors(1 << 16) or []) > 3
