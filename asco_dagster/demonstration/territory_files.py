"""The DGCL's list of EPCI and INSEE's legal populations, in the layouts that both publish."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.archives import Cell, write_workbook, write_zip
from asco_dagster.demonstration.frame import Territory, departements
from asco_dagster.territory.codes import MUNICIPAL_ARRONDISSEMENTS
from asco_dagster.waves.wave import Delivery

COLUMNS_2014 = "siren;nom;nature;fiscalite;nb_com;ptot;pmun;insee;siren_com;nom_com;ptot_com;pmun_com"
COLUMNS_SINCE_2020 = (
    "dept;siren;raison_sociale;nature_juridique;mode_financ;nb_membres;total_pop_tot;total_pop_mun;"
    "dep_com;insee;siren_membre;nom_membre;ptot_{year};pmun_{year}"
)
# Régions before 2016 and their départements, as the population files of 2013 number them.
FORMER_REGIONS = {
    "11": "75 77 78 91 92 93 94 95",
    "21": "08 10 51 52",
    "22": "02 60 80",
    "23": "27 76",
    "24": "18 28 36 37 41 45",
    "25": "14 50 61",
    "26": "21 58 71 89",
    "31": "59 62",
    "41": "54 55 57 88",
    "42": "67 68",
    "43": "25 39 70 90",
    "52": "44 49 53 72 85",
    "53": "22 29 35 56",
    "54": "16 17 79 86",
    "72": "24 33 40 47 64",
    "73": "09 12 31 32 46 65 81 82",
    "74": "19 23 87",
    "82": "01 07 26 38 42 69 73 74",
    "83": "03 15 43 63",
    "91": "11 30 34 48 66",
    "93": "04 05 06 13 83 84",
    "94": "2A 2B",
}
ARRONDISSEMENTS_SINCE = 2021
CENSUSES_OVERSEAS = ("PSDC99", "PSDC90", "PSDC82", "PSDC74", "PSDC67", "PSDC61")


def write_members(path: Path, territory: Territory, delivery: Delivery) -> None:
    """Write the DGCL's list: CSV of 2014 for a name in ``.csv``, else the workbook since 2020.

    Args:
        path: the file to write.
        territory: whose members it lists.
        delivery: its vintage, which is the year of the population columns.
    """
    table = _memberships(territory)
    if delivery.address.endswith(".csv"):
        # A spreadsheet has eaten the zero of the first nine départements, as in the true file.
        table["insee"] = table["insee"].str.removeprefix("0")
        names = COLUMNS_2014.split(";")
        content = table[names].to_csv(sep=";", index=False, lineterminator="\n")
        path.write_bytes(content.encode())
        return
    header = COLUMNS_SINCE_2020.format(year=delivery.vintage).split(";")
    order = ["dept", "siren", "nom", "nature", "fiscalite", "nb_com", "ptot", "pmun"]
    order += ["dep_com", "insee", "siren_com", "nom_com", "ptot_com", "pmun_com"]
    write_workbook(path, [(f"EPCI {delivery.vintage}", _with_header(header, table[order]))])


def write_populations(path: Path, territory: Territory, delivery: Delivery) -> None:
    """Write legal populations in the layout that name and vintage imply.

    The zip since 2014; the CSV since 2021, in which Paris, Lyon and Marseille are their municipal
    arrondissements; or one of the two files of 2013 (métropole, ``-dom``).

    Args:
        path: the file to write.
        territory: whose populations it holds.
        delivery: its name, which implies the layout, and its vintage.
    """
    table = territory.populations
    if delivery.address.endswith(".zip"):
        write_zip(path, [("donnees_communes.csv", _text(_current_layout(table), "\n").encode())])
        return
    if delivery.vintage >= ARRONDISSEMENTS_SINCE:
        path.write_bytes(_text(_newer_layout(table), "\n").encode())
        return
    overseas = table["departement_code"].str.startswith("97")
    if delivery.address.endswith("-dom.csv"):
        content = _text(_overseas_layout(table[overseas], delivery.vintage), "\r\n")
    else:
        # The true file of métropole lacks its last line end.
        content = _text(_metropole_layout(table[~overseas], delivery.vintage), "\r\n").removesuffix("\r\n")
    path.write_bytes(content.encode())


def _memberships(territory: Territory) -> pd.DataFrame:
    """One row per membership with every column of both layouts, by SIREN and commune."""
    members = territory.members.sort_values(["epci_siren", "commune_code"], ignore_index=True)
    municipal = members["listed_population"]
    total = municipal + np.maximum(1, np.rint(municipal * 0.02)).astype("int64")
    body = members["epci_siren"]
    seats = members.sort_values(["listed_population", "commune_code"], ascending=[False, True])
    seat = seats.drop_duplicates("epci_siren").set_index("epci_siren")["departement_code"]
    return pd.DataFrame(
        {
            "dept": body.map(seat),
            "siren": body,
            "nom": members["epci_name"],
            "nature": members["epci_nature"],
            "fiscalite": np.where(body.map(_digit) < 4, "FA", "FPU"),
            "nb_com": body.groupby(body).transform("size"),
            "ptot": total.groupby(body).transform("sum"),
            "pmun": municipal.groupby(body).transform("sum"),
            "dep_com": members["departement_code"],
            "insee": members["commune_code"],
            "siren_com": members["commune_code"].map(commune_siren),
            "nom_com": members["commune_name"],
            "ptot_com": total,
            "pmun_com": municipal,
        }
    )


def commune_siren(code: str) -> str:
    """SIREN of a commune as the register builds it: 21, département, number, and Luhn's check digit."""
    digits = "21" + code.replace("2A", "20").replace("2B", "20")[:2] + code[2:].zfill(4)
    if code.startswith("97"):
        digits = "2197" + code[2:].rjust(4, "1")
    doubled = [int(d) * (1 + (position % 2)) for position, d in enumerate(digits)]
    return digits + str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def _digit(siren: str) -> int:
    return int(siren[-1])


def _current_layout(table: pd.DataFrame) -> pd.DataFrame:
    counted_apart = np.rint(table["population"] * 0.02).astype("int64")
    return pd.DataFrame(
        {
            "REG": table["region_code"],
            "DEP": table["departement_code"],
            "CODCOM": table["commune_code"].str[-3:],
            "COM": table["commune_code"],
            "Commune": table["commune_name"],
            "PMUN": table["population"],
            "PCAP": counted_apart,
            "PTOT": table["population"] + counted_apart,
        }
    )


def _newer_layout(table: pd.DataFrame) -> pd.DataFrame:
    """The layout since 2021; the population of a town is shared out among its arrondissements."""
    table = pd.concat([_without_towns(table), *_arrondissements(table)]).sort_values("commune_code")
    regions = departements().set_index("region_code")["region_name"].drop_duplicates()
    layout = _current_layout(table)
    layout.insert(1, "Région", table["region_code"].map(regions))
    layout.insert(3, "CODARR", "1")
    layout.insert(4, "CODCAN", "01")
    return layout


def _without_towns(table: pd.DataFrame) -> pd.DataFrame:
    return table[~table["commune_code"].isin(set(MUNICIPAL_ARRONDISSEMENTS.values()))]


def _arrondissements(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of the municipal arrondissements, town by town: the first ones are the smallest."""
    towns = table.set_index("commune_code")
    for commune in dict.fromkeys(MUNICIPAL_ARRONDISSEMENTS.values()):
        if commune not in towns.index:
            continue
        codes = [code for code, whole in MUNICIPAL_ARRONDISSEMENTS.items() if whole == commune]
        town = towns.loc[commune]
        steps = np.cumsum(np.arange(1, len(codes) + 1)) / (len(codes) * (len(codes) + 1) / 2)
        population = np.diff(np.rint(steps * town["population"]).astype("int64"), prepend=0)
        names = [
            f"{town['commune_name']} {n}{'er' if n == 1 else 'e'} Arrondissement"
            for n in range(1, len(codes) + 1)
        ]
        rows = pd.DataFrame({"commune_code": codes, "commune_name": names, "population": population})
        yield rows.assign(departement_code=town["departement_code"], region_code=town["region_code"])


def _metropole_layout(table: pd.DataFrame, vintage: int) -> pd.DataFrame:
    former = {dep: region for region, deps in FORMER_REGIONS.items() for dep in deps.split()}
    departement = table["departement_code"]
    return pd.DataFrame(
        {
            "DEPCOM": table["commune_code"],
            "REG": departement.map(former),
            "DEP": departement,
            "DEPARR": departement + "1",
            "DEPPCT": departement + "01",
            "LIBMIN": table["commune_name"],
            f"PMUN{vintage % 100:02d}": table["population"],
            f"PMUN{(vintage - 5) % 100:02d}": _earlier(table["population"], 5),
        }
    )


def _overseas_layout(table: pd.DataFrame, vintage: int) -> pd.DataFrame:
    layout = pd.DataFrame(
        {
            "DEPCOM": table["commune_code"],
            "REG": table["region_code"],
            "ZE94": table["departement_code"],
            "DEP": table["region_code"],  # the true file numbers overseas départements as régions
            "ARR": "1",
            "CAN": "01",
            "LIBMIN": table["commune_name"],
            f"PMUN{vintage % 100:02d}": table["population"],
            f"PMUN{(vintage - 5) % 100:02d}": _earlier(table["population"], 5),
        }
    )
    for name in CENSUSES_OVERSEAS:
        layout[name] = _earlier(table["population"], vintage - 1900 - int(name[-2:]))
    return layout


def _earlier(population: pd.Series, years: int) -> pd.Series:
    """The population some years earlier, had it grown by 0.5 % a year."""
    return np.rint(population * 0.995**years).astype("int64")


def _text(table: pd.DataFrame, line_end: str) -> str:
    buffer = io.StringIO(newline="")
    table.to_csv(buffer, sep=";", index=False, lineterminator=line_end)
    return buffer.getvalue()


def _with_header(header: list[str], table: pd.DataFrame) -> Iterator[list[Cell]]:
    yield list(header)
    yield from table.to_numpy(dtype=object).tolist()
