"""The same tabulation, by this project and as pandas users write it: ``tabulate.py own|pandas FILE OUT``."""

import sys
from pathlib import Path

import pandas as pd

LIVING = {
    "11": "child_of_couple", "12": "child_of_single_parent", "21": "couple_without_children",
    "22": "couple_with_children", "23": "single_parent", "31": "outside_family", "32": "alone",
    "40": "outside_household",
}  # fmt: skip
KEYS = ["departement_code", "sex", "age_band", "living"]


def own(path: Path) -> pd.DataFrame:
    """As the asset does it."""
    from asco_dagster.sources.census_individuals import tabulate_individuals

    return tabulate_individuals(path, vintage=2014)[[*KEYS, "records", "population"]]


def with_pandas(path: Path) -> pd.DataFrame:
    """As a statistician does it: read the columns, recode, group."""
    rows = pd.read_parquet(path, columns=["DEPT", "AGED", "SEXE", "MOCO", "IPONDI"])
    age = rows["AGED"].astype(int)
    rows["age_band"] = pd.cut(age, [*range(0, 96, 5), 200], right=False).cat.codes
    rows["living"] = rows["MOCO"].map(LIVING)
    rows["sex"] = rows["SEXE"].map({"1": "M", "2": "F"})
    groups = rows.groupby(["DEPT", "sex", "age_band", "living"])["IPONDI"].agg(["size", "sum"]).reset_index()
    groups.columns = [*KEYS, "records", "population"]
    bands = [f"{first:02d}_{first + 4:02d}" for first in range(0, 95, 5)] + ["95_plus"]
    return groups.assign(age_band=groups["age_band"].map(dict(enumerate(bands))))


if __name__ == "__main__":
    made = {"own": own, "pandas": with_pandas}[sys.argv[1]](Path(sys.argv[2]))
    made.astype(dict.fromkeys(KEYS, "object")).sort_values(KEYS).to_csv(sys.argv[3], index=False)
