"""INSEE's table of passage to the communes of the wave, from the codes that those of 2025 have absorbed."""

from pathlib import Path

import pandas as pd

from asco_dagster.demonstration.archives import Cell, write_workbook
from asco_dagster.demonstration.frame import TERRITORY, Territory
from asco_dagster.territory.codes import MUNICIPAL_ARRONDISSEMENTS
from asco_dagster.waves.wave import Delivery


def write_passage(path: Path, territory: Territory, delivery: Delivery) -> None:
    """Write the table: every commune of today under its code, and every code that it has absorbed.

    Args:
        path: the file to write.
        territory: the communes of today.
        delivery: its vintage, which names the columns.
    """
    listed = pd.concat([territory.members, territory.populations]).drop_duplicates("commune_code")
    names = listed.set_index("commune_code")["commune_name"]
    table = passage_pairs(territory)
    rows: list[list[Cell]] = [
        [f"Table de passage entre les communes, vers la géographie au 1er janvier {delivery.vintage}"],
        ["Démonstration, d'après le paquet @etalab/decoupage-administratif 5.3.0 (Licence Ouverte)"],
        ["Champ : France"],
        [],
        ["Code commune au cours du temps", "Code commune", "Libellé"],
        ["CODGEO_INI", f"CODGEO_{delivery.vintage}", f"LIBGEO_{delivery.vintage}"],
    ]
    rows += [[old, code, names[code]] for old, code in table.itertuples(index=False)]
    write_workbook(path, [("COM", rows), ("Documentation", [["CODGEO_INI : code de la commune"]])])


def passage_pairs(territory: Territory) -> pd.DataFrame:
    """Every code and the commune that holds it in the geography of the territory's list.

    The list may be older than 2025: communes that merged since are communes in it, and a new commune of 2025
    that took over the code of a former one is under that of its part in the list.

    Args:
        territory: members and populations; a commune of the populations that another has absorbed is none.

    Returns:
        ``former_code``, ``commune_code``, by both.
    """
    absorbed = pd.read_parquet(TERRITORY / "former_codes_2025.parquet")
    members = set(territory.members["commune_code"])
    alone = set(territory.populations["commune_code"]) - set(absorbed["former_code"]) - members
    standing = members | {code for code in alone if code not in MUNICIPAL_ARRONDISSEMENTS}
    later = absorbed[absorbed["former_code"].isin(members) & ~absorbed["commune_code"].isin(standing)]
    then = later.drop_duplicates("commune_code", keep=False).set_index("commune_code")["former_code"]
    taken_over = pd.DataFrame({"former_code": then.index, "commune_code": then.to_numpy()})
    moved = absorbed[~absorbed["former_code"].isin(standing)]
    moved = moved.assign(commune_code=moved["commune_code"].replace(then.to_dict()))
    moved = moved[moved["commune_code"].isin(standing)]
    same = pd.DataFrame({"former_code": sorted(standing), "commune_code": sorted(standing)})
    pairs = pd.concat([same, moved, taken_over]).drop_duplicates()
    return pairs.sort_values(["former_code", "commune_code"], ignore_index=True)
