"""INSEE's table of passage to the communes of 2025, from the codes that these have swallowed.

Belongs here: the layout of the workbook and which codes it leads from. Does not belong here: which of them
were communes in the former wave (its legal populations, ``territory_files``).
"""

from pathlib import Path

import pandas as pd

from asco_dagster.demonstration.archives import Cell, write_workbook
from asco_dagster.demonstration.frame import TERRITORY, Territory
from asco_dagster.waves.wave import Delivery


def write_passage(path: Path, territory: Territory, delivery: Delivery) -> None:
    """Write the table: every commune of today under its own code, and every code that it has swallowed.

    Args:
        path: the file to write.
        territory: the communes of today.
        delivery: its vintage, which names the columns.
    """
    listed = pd.concat([territory.members, territory.populations]).drop_duplicates("commune_code")
    names = listed.set_index("commune_code")["commune_name"]
    swallowed = pd.read_parquet(TERRITORY / "former_codes_2025.parquet")
    swallowed = swallowed[swallowed["commune_code"].isin(names.index)]
    own = pd.DataFrame({"former_code": names.index, "commune_code": names.index})
    table = pd.concat([own, swallowed]).sort_values(["former_code", "commune_code"], ignore_index=True)
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
