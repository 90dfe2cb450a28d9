"""Derives the compact territory tables from an unpacked ``@etalab/decoupage-administratif`` package.

Run once a geography: ``python -m asco_dagster.demonstration.territory.derive PACKAGE YEAR``, where PACKAGE is
the folder that ``npm pack`` unpacks to.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).parent
MAYOTTE = "976"


def communes_table(data: Path) -> pd.DataFrame:
    """The communes of the package, each with its EPCI.

    Args:
        data: folder ``data`` of the package.

    Returns:
        One row per commune by code: ``commune_code``, ``commune_name``, ``departement_code``,
        ``region_code``, ``population`` (inhabitants, null where the package has none), ``epci_siren``,
        ``epci_name``, ``epci_nature`` (null outside any EPCI). Collectivités d'outre-mer, associated and
        delegated communes and municipal arrondissements are not in it.
    """
    departements = {row["code"] for row in _read(data, "departements") if row.get("zone") != "com"}
    rows = [
        (row["code"], row["nom"], row["departement"], row["region"], row.get("population"))
        for row in _read(data, "communes")
        if row.get("type") == "commune-actuelle" and row.get("departement") in departements
    ]
    names = ["commune_code", "commune_name", "departement_code", "region_code", "population"]
    communes = pd.DataFrame(rows, columns=names)
    communes["population"] = communes["population"].astype("Int32")
    members = pd.DataFrame(
        [
            (member["code"], body["code"], body["nom"], body["type"])
            for body in _read(data, "epci")
            for member in body["membres"]
        ],
        columns=["commune_code", "epci_siren", "epci_name", "epci_nature"],
    )
    table = communes.merge(members, on="commune_code", how="left", validate="one_to_one")
    return table.sort_values("commune_code", ignore_index=True)


def departements_table(data: Path) -> pd.DataFrame:
    """The départements with their régions since 2016: code and name of both, Corsica's between 19 and 21."""
    regions = {row["code"]: row["nom"] for row in _read(data, "regions")}
    rows = [
        (row["code"], row["nom"], row["region"], regions[row["region"]])
        for row in _read(data, "departements")
        if row.get("zone") != "com"
    ]
    names = ["departement_code", "departement_name", "region_code", "region_name"]
    rows.sort(key=lambda row: row[0].replace("2A", "20A").replace("2B", "20B"))
    return pd.DataFrame(rows, columns=names)


def former_codes_table(data: Path) -> pd.DataFrame:
    """The codes that communes of today have swallowed: ``former_code``, ``commune_code``, by both."""
    departements = {row["code"] for row in _read(data, "departements") if row.get("zone") != "com"}
    rows = [
        (former, row["code"])
        for row in _read(data, "communes")
        if row.get("type") == "commune-actuelle" and row.get("departement") in departements
        for former in row.get("anciensCodes", [])
    ]
    return pd.DataFrame(sorted(rows), columns=["former_code", "commune_code"])


def with_mayotte(communes: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Give the communes of Mayotte, which have no population in the table of 2019, that of a later table."""
    known = later.set_index("commune_code")["population"]
    lacking = communes["population"].isna() & communes["departement_code"].eq(MAYOTTE)
    found = communes.loc[lacking, "commune_code"].map(known)
    return communes.assign(population=communes["population"].mask(lacking, found).fillna(0).astype("int32"))


def main(package: str, year: str) -> None:
    """Write ``communes_<year>.parquet``; for 2025, to be derived first, départements and former codes too."""
    data = Path(package) / "data"
    communes = communes_table(data)
    if year == "2025":
        departements_table(data).to_csv(FOLDER / "departements.csv", index=False)
        former = FOLDER / "former_codes_2025.parquet"
        former_codes_table(data).to_parquet(former, compression="zstd", compression_level=19, index=False)
        later = communes
    else:
        later = pd.read_parquet(FOLDER / "communes_2025.parquet")
    communes = with_mayotte(communes, later)
    target = FOLDER / f"communes_{year}.parquet"
    communes.to_parquet(target, compression="zstd", compression_level=19, index=False)
    sys.stdout.write(f"{target.name}: {len(communes)} communes, {communes['epci_siren'].nunique()} EPCI\n")


def _read(data: Path, name: str) -> list[dict[str, Any]]:
    return json.loads((data / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
