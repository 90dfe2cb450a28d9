"""Whether the other formats of a release folder tell no number that its cells do not tell.

Belongs here: the French file, the workbook, the SDMX data and the page, each read from the folder alone. What
does not belong here: hashes and the attack (``verify``).
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_calamine import CalamineError

from asco_dagster.releases.contract import descriptions

if TYPE_CHECKING:
    import pandas as pd

FRENCH = "tables/fr/asco_cells.csv"
SDMX = "sdmx/data.csv"
WORKBOOK = "tables/asco_tables.xlsx"
PAGE = "index.html"
# What the readers of these formats raise of content that is not what the name of the file says.
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OSError, CalamineError)
SDMX_NUMBERS = {"OBS_VALUE": "estimate", "STANDARD_ERROR": "standard_error", "CI_LOW": "ci_low",
                "CI_HIGH": "ci_high", "CV": "cv", "RESPONDENTS": "respondents",
                "WEIGHTED_UNITS": "weighted_units", "DENOMINATOR": "denominator"}  # fmt: skip


def told_in_other_formats(release: Path, cells: "pd.DataFrame") -> Iterator[str]:
    """What a format says otherwise than the cells, as sentences; a format that is not there says nothing.

    Args:
        release: the release folder.
        cells: its cells, as the Parquet file has them.
    """
    french = {told.name_fr: name for name, told in descriptions()["asco_cells"].columns.items()}
    numbers = {column: name for column, name in french.items() if name in SDMX_NUMBERS.values()}
    readers: dict[str, Callable[[Path], Iterator[str]]] = {
        FRENCH: lambda path: _table(path, FRENCH, {"sep": ";", "decimal": ","}, numbers, cells),
        SDMX: lambda path: _table(path, SDMX, {}, SDMX_NUMBERS, cells),
        WORKBOOK: lambda path: _workbook(path, cells),
        PAGE: lambda path: _page(path, cells),
    }
    for name, read in readers.items():
        if (release / name).is_file():
            try:
                yield from read(release / name)
            except _UNREADABLE as error:
                yield f"{name} cannot be read ({type(error).__name__}). Take the release from its source."


def _table(
    path: Path, name: str, options: dict[str, Any], columns: dict[str, str], cells: "pd.DataFrame"
) -> Iterator[str]:
    """Every number of a table in the order of the cells."""
    if not _same(path, options, columns, cells):
        yield f"{name} does not say what the cells say."


def _same(path: Path, options: dict[str, Any], columns: dict[str, str], cells: "pd.DataFrame") -> bool:
    import numpy as np
    import pandas as pd

    read = pd.read_csv(path, usecols=list(columns), dtype=float, **options)
    own = cells[[columns[name] for name in read.columns]].astype(float)
    return read.shape == own.shape and np.allclose(read.to_numpy(), own.to_numpy(), rtol=1e-9, equal_nan=True)


def _workbook(path: Path, cells: "pd.DataFrame") -> Iterator[str]:
    """Every number of a thematic table is a released estimate."""
    from python_calamine import CalamineWorkbook

    shown = cells[cells["estimate"].notna()]
    shares = shown.loc[shown["statistic"] != "total", "estimate"]
    known = {round(100 * value, 4) for value in shares}
    known |= set(shown.loc[shown["statistic"] == "total", "estimate"])
    book = CalamineWorkbook.from_path(str(path))
    for name in book.sheet_names:
        found = {
            value
            for row in book.get_sheet_by_name(name).to_python()
            for value in row
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        strange = found - known
        if strange:
            yield f"{path.name}: sheet {name} holds {len(strange)} numbers that no released cell has."


def _page(path: Path, cells: "pd.DataFrame") -> Iterator[str]:
    """Cells of the page, suppressed ones without a number."""
    found = re.search(
        r'<script type="application/json" id="content">(.*?)</script>', path.read_text(), re.DOTALL
    )
    told = json.loads(found.group(1))["cells"] if found else {}
    rows = [cell for unit in told.values() for own in unit.values() for part in own.values() for cell in part]
    hidden = [cell for cell in rows if cell[6] != "V"]
    if len(rows) != len(cells) or len(hidden) != int((cells["status"] != "V").sum()):
        yield f"{path.name} does not hold the cells of the release."
    if any(value is not None for cell in hidden for value in cell[3:6]):
        yield f"{path.name} tells numbers of suppressed cells."
