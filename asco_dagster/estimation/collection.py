"""Collection monitoring: what has arrived so far, by day, stratum and département.

It reads nothing but staging, so that it can be made every day of the collection, long before the weighting.
"""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table

if TYPE_CHECKING:
    import dagster as dg

COLUMNS = ["unit_type", "breakdown", "category", "sampled", "returned", "returned_to_date", "response_rate"]
UNDATED = "undated"


@wave_asset(deps=["stg_asco__sample", "stg_asco__units", "stg_asco__returns"])
def est_asco__collection(step: WaveStep) -> Table:
    """One row per type of unit and day, stratum or département: sampled, returned, rate of response."""
    import dagster as dg

    from asco_dagster.estimation.collection_chart import as_markdown, draw

    sample = read_table(step.database, "stg_asco__sample", ["unit_id"])
    units = read_table(
        step.database, "stg_asco__units", ["unit_id", "unit_type", "stratum", "departement_code"]
    )
    returns = read_table(step.database, "stg_asco__returns", ["unit_id", "submitted_at"])
    sampled = sample.merge(units, on="unit_id", validate="one_to_one").merge(
        returns, on="unit_id", how="left"
    )
    sampled["returned"] = sampled["unit_id"].isin(returns["unit_id"])
    report = collection_report(sampled, step.wave.collection.start)
    metadata: dict[str, dg.MetadataValue] = {
        "response by day": dg.MetadataValue.md(as_markdown(draw(report, step.wave.label.fr))),
        "lowest départements": _lowest(report),
    }
    for unit_type, units in sampled.groupby("unit_type"):
        metadata[f"{unit_type} returned"] = dg.MetadataValue.text(
            f"{units['returned'].sum()} of {len(units)} sampled"
        )
    return Table(report, metadata)


def collection_report(sampled: pd.DataFrame, start: dt.date) -> pd.DataFrame:
    """Response of the sample so far.

    Args:
        sampled: one row per sampled unit: unit_type, stratum, departement_code, returned (boolean),
            submitted_at (NaT without a return, and for a return without a date).
        start: first day of the collection.

    Returns:
        One row per type of unit and category of each breakdown: ``day`` (ISO date, from the start or the
        first return to the last one, without a gap, then ``undated``), ``stratum``, ``departement``: sampled,
        returned, returned_to_date (days only), response_rate (between 0 and 1; of a day: to date).
    """
    tables = []
    for unit_type, units in sampled.groupby("unit_type", sort=True):
        tables.append(_by_day(units, start).assign(unit_type=unit_type, breakdown="day"))
        for breakdown, column in (("stratum", "stratum"), ("departement", "departement_code")):
            counts = units.groupby(column, sort=True)["returned"].agg(["size", "sum"])
            table = pd.DataFrame(
                {
                    "category": counts.index.astype(str),
                    "sampled": counts["size"].to_numpy(),
                    "returned": counts["sum"].to_numpy(),
                    "returned_to_date": pd.array([pd.NA] * len(counts), dtype="Int64"),
                    "response_rate": (counts["sum"] / counts["size"]).to_numpy(),
                }
            )
            tables.append(table.assign(unit_type=unit_type, breakdown=breakdown))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _by_day(units: pd.DataFrame, start: dt.date) -> pd.DataFrame:
    """Returns of each day and up to it, of one type of unit; one before the start is counted on its day."""
    arrived = units.loc[units["returned"], "submitted_at"].dt.normalize()
    dated = arrived.dropna()
    first = min([pd.Timestamp(start), *dated.to_list()])
    last = max([first, *dated.to_list()])
    days = pd.date_range(first, last, freq="D")
    counts = dated.value_counts().reindex(days, fill_value=0).to_numpy(dtype="int64")
    categories = [day.date().isoformat() for day in days]
    undated = int(arrived.isna().sum())
    if undated:
        categories, counts = [*categories, UNDATED], np.append(counts, undated)
    to_date = counts.cumsum()
    return pd.DataFrame(
        {
            "category": categories,
            "sampled": len(units),
            "returned": counts,
            "returned_to_date": pd.array(to_date, dtype="Int64"),
            "response_rate": to_date / len(units),
        }
    )


def _lowest(report: pd.DataFrame, shown: int = 10) -> "dg.TableMetadataValue":
    """The départements that answer least: where to call first."""
    import dagster as dg

    communes = report[(report["breakdown"] == "departement") & (report["unit_type"] == "commune")]
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "département": str(row["category"]),
                    "sampled communes": int(row["sampled"]),
                    "returned": int(row["returned"]),
                    "rate": f"{row['response_rate']:.1%}",
                }
            )
            for row in communes.sort_values(["response_rate", "category"]).head(shown).to_dict("records")
        ]
    )
