"""The research file in a release: its tables, and what ``asco verify`` asks of them.

Its files are written and described like those of every released table (``assets``, ``columns.yaml``).
Verification reads the folder alone and trusts nothing that the file was made with. How the rows are made
stands in ``methods.disclosure.microdata``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.methods.disclosure.microdata import ROW
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.warehouse import read_table

if TYPE_CHECKING:
    import pandas as pd

STEM, RISK_STEM = "research_file", "research_file_risk"
ROWS = f"tables/{STEM}.parquet"


@wave_asset(deps=["sec_asco__research_file"])
def pub_asco__research_file(step: WaveStep) -> Table:
    """One row a record and answer of the released research file; none where the wave asks for none."""
    return released_rows(step)


def released_rows(step: WaveStep) -> Table:
    """The rows that leave, without what the gate before judged them by, and their measures of risk."""
    from asco_dagster.methods.disclosure.microdata_risk import risk

    rows = read_table(step.database, "sec_asco__research_file", list(ROW))
    if rows.empty:
        return Table(rows, {"asked for": "no"})
    measured = risk(rows)
    told = dict(zip(measured["measure"], measured["value"].astype(float), strict=True))
    return Table(rows, {"asked for": "yes", **told})


def research_tables(step: WaveStep) -> "dict[str, pd.DataFrame]":
    """The released research file and its measures of risk, by stem; none where the wave asks for none."""
    from asco_dagster.methods.disclosure.microdata_risk import risk

    if step.wave.disclosure.research_file is None:
        return {}
    rows = read_table(step.database, "pub_asco__research_file", list(ROW))
    return {STEM: rows, RISK_STEM: risk(rows)}


def research_faults(
    release: Path, manifest: Mapping[str, Any], cells: "pd.DataFrame", regions: Mapping[str, str]
) -> Iterator[str]:
    """What does not hold of the research file of a release folder, as sentences.

    Args:
        release: the folder.
        manifest: its manifest, for the rules.
        cells: its released cells.
        regions: département code → région code.
    """
    import pandas as pd

    from asco_dagster.methods.disclosure.microdata_risk import risk, shortfalls, told_counts
    from asco_dagster.methods.disclosure.tables import label

    asked, there = manifest["rules"].get("research_file"), (release / ROWS).is_file()
    if bool(asked) != there:
        yield f"{ROWS} is {'there though' if there else 'not there, but'} the rules ask for " + (
            "none." if there else "it."
        )
    if not asked or not there:
        return
    rows = pd.read_parquet(release / ROWS)
    if list(rows.columns) != list(ROW):
        yield f"{ROWS} has the columns {', '.join(rows.columns)}, not {', '.join(ROW)}."
        return
    few, poor = shortfalls(rows, asked["k"], asked["diversity"])
    if len(few):
        yield f"{ROWS}: {len(few)} classes hold fewer than {asked['k']} records alike."
    if len(poor):
        yield f"{ROWS}: {len(poor)} answers have too few values in a class that shows them."
    for row in told_counts(rows, cells, regions).to_dict("records"):
        place = label((row["geography"], row["area_code"], row["size_class"]))
        yield f"{ROWS} tells the respondents of a suppressed cell: {row['unit_type']}, {place}."
    beside = pd.read_parquet(release / f"tables/{RISK_STEM}.parquet")
    if not beside.equals(risk(rows)):
        yield f"tables/{RISK_STEM}.parquet does not hold the measures of {ROWS}."
