"""Which sheets of the DREES *Aide sociale* workbooks are tables, and what each one measures.

Names, matched without regard to case and blanks. A sheet of another name that holds a table by département or
région is an error, so that a new table is never lost in silence; one without is a page of explanations.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asco_dagster.errors import SourceError

Measure = Literal["beneficiaries", "spending_keur", "staff"]

NOT_TABLES = frozenset(
    {
        "présentation et méthode",
        "corrections déc 21",
        "sommaire",
        "descriptif",
        "données nationales",
        "données nationales - métro",
        "ipc",
    }
)
"""Sheets without a value by département: method, contents, national series, consumer prices."""

_TABLES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "beneficiaries": (
        (r"Tab ?\d+[a-z]? ?[-_] ?pa", "elderly", "beneficiaries"),
        (r"Tab ?\d+[a-z]? ?[-_] ?ph", "disability", "beneficiaries"),
        (r"Tab ?\d+[a-z]? ?[-_] ?ase", "child", "beneficiaries"),
    ),
    "spending_keur": (
        (r"Tot-tab\d+", "total", "spending_keur"),
        (r"autres-tab\d+", "total", "spending_keur"),
        (r"PA-tab\d+", "elderly", "spending_keur"),
        (r"PH-tab\d+", "disability", "spending_keur"),
        (r"ASE-tab\d+", "child", "spending_keur"),
        (r"RSA-RMI tab\d+", "inclusion", "spending_keur"),
    ),
    "staff": (
        (r"eff - .+", "staff", "staff_headcount"),
        (r"etp - .+", "staff", "staff_fte"),
    ),
}


@dataclass(frozen=True)
class TableSheet:
    """One sheet that holds a table.

    Attributes:
        sheet: its name letter for letter, blanks included.
        table_id: its name without blanks at the ends.
        domain: ``elderly``, ``disability``, ``child``, ``inclusion``, ``total`` or ``staff``.
        measure: ``beneficiaries``, ``spending_keur``, ``staff_headcount`` or ``staff_fte``.
    """

    sheet: str
    table_id: str
    domain: str
    measure: str


def table_sheets(
    names: list[str], *, measure: Measure, path: Path, has_table: Callable[[str], bool]
) -> list[TableSheet]:
    """Sort the sheets of a workbook into tables and others.

    Args:
        names: sheet names in the order of the workbook.
        measure: what the workbook is said to hold.
        path: the file, for the error.
        has_table: whether a sheet of an unknown name holds a table by département or région.

    Returns:
        One entry a table, in the order of the workbook.

    Raises:
        SourceError: a sheet of an unknown name holds a table, or there is no table of this measure.
    """
    if measure not in _TABLES:
        raise ValueError(f"measure {measure!r} is none of {', '.join(_TABLES)}")
    found = []
    for name in names:
        table_id = name.strip()
        plain = re.sub(r"\s+", " ", table_id)
        match = next((row for row in _TABLES[measure] if re.fullmatch(row[0], plain, re.IGNORECASE)), None)
        if match:
            found.append(TableSheet(name, table_id, match[1], match[2]))
        elif table_id.casefold() not in NOT_TABLES and has_table(name):
            raise SourceError(
                f"the sheet is neither a known table of “{measure}” nor a known page of explanations",
                file=path,
                sheet=name,
                expected=f"names such as {', '.join(f'“{row[0]}”' for row in _TABLES[measure])}",
                remedy="check that the file goes with its measure; a new table is added to drees_sheets.py",
            )
    if not found:
        raise SourceError(
            f"no sheet of the workbook is a table of “{measure}”",
            file=path,
            expected=f"names such as {', '.join(f'“{row[0]}”' for row in _TABLES[measure])}",
            remedy="check that the file goes with its measure",
        )
    return found
