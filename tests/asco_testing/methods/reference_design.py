"""The design that R's survey was run on, read for the comparison. No estimate is made here."""

import numpy as np
import pandas as pd

from asco_dagster.methods.margins import MarginSpec, margin_matrix
from asco_testing import CHECKOUT

FOLDER = CHECKOUT / "tests" / "methods" / "reference"
CODES = {"region_code": str, "departement_code": str, "size_class": str}
SPECS = (
    MarginSpec("units", by=("region_code", "size_class")),
    MarginSpec("population", by=("region_code",), value="population"),
)
BOUNDS = (0.5, 2.5)


def respondents() -> pd.DataFrame:
    """Respondents with their stratum, initial weight and answers."""
    return pd.read_csv(FOLDER / "design.csv.gz", dtype=CODES)


def margins(units: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Calibration variables, totals and names."""
    x, names = margin_matrix(units, SPECS)
    totals = pd.read_csv(FOLDER / "totals.csv", dtype=CODES, keep_default_na=False)
    label = totals["margin"] + ":" + totals["region_code"]
    label = label.where(totals["size_class"] == "", label + "|" + totals["size_class"])
    return x, totals.set_index(label)["total"].reindex(names).to_numpy(dtype=float), names
