"""The indicators of the quality report, from the wave's tables, its file and its earlier releases.

Named after the quality and performance indicators of the European Statistical System (ESS guidelines for the
implementation of the ESS quality and performance indicators, Eurostat, 2014): coverage, unit and item
non-response, imputation, sampling error, revision, timeliness and punctuality, coherence; besides them edits,
weighting, disclosure and burden.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from asco_dagster.publication.quality_report.earlier import beside, other_cells
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.waves import Wave, readable_waves

if TYPE_CHECKING:
    import duckdb

COLUMNS = ["concept", "indicator", "unit_type", "breakdown", "category", "value"]
DECIMALS = 6
RESULTS = ("share ", "revision ")
"""How the names of those key figures begin that are results of the survey."""
_COUNTS = Path(__file__).with_name("counts.sql")


def quality_indicators(
    database: "duckdb.DuckDBPyConnection", wave: Wave, store: ReleaseStore
) -> pd.DataFrame:
    """Every indicator of the report.

    Args:
        database: the wave's database, up to its released cells.
        wave: the wave.
        store: its versions.

    Returns:
        One row per indicator, type of unit (``all`` for the wave as a whole), breakdown and category:
        ``concept``, ``indicator``, ``unit_type``, ``breakdown``, ``category``, ``value``. Rates and
        coefficients of variation are shares (0.1 is 10 %), lags are days.
    """
    counted = database.execute(_COUNTS.read_text(encoding="utf-8")).df()
    cells = database.table("publication.pub_asco__cells").df()
    rest = [*_timeliness(wave), *_comparability(wave), *_completeness(cells), *_revisions(cells, store)]
    rows = pd.concat([counted, pd.DataFrame(rest, columns=COLUMNS)], ignore_index=True)
    rows["value"] = rows["value"].astype(float).round(DECIMALS)
    return rows.sort_values(COLUMNS[:5], kind="stable", ignore_index=True)


def key_figures(indicators: pd.DataFrame, database: "duckdb.DuckDBPyConnection") -> dict[str, float]:
    """The figures that are followed from run to run: indicators without a breakdown, shares over France.

    Args:
        indicators: the table of ``quality_indicators``.
        database: the wave's database, of which only released cells are read.

    Returns:
        Values by name, such as ``unit_response rate, commune`` and ``share ccas, commune``.
    """
    whole = indicators[(indicators["breakdown"] == "total") & (indicators["category"] == "")]
    names = whole["concept"] + " " + whole["indicator"] + ", " + whole["unit_type"]
    figures = dict(zip(names, whole["value"].astype(float).tolist(), strict=True))
    shares = database.execute(
        """
        select 'share ' || indicator || ', ' || unit_type, estimate
        from publication.pub_asco__cells
        where
            status = 'V' and statistic = 'share' and geography = 'france' and size_class = 'total'
            and estimate is not null
        order by all
        """
    ).fetchall()
    return {**figures, **dict(shares)}


def without_results(figures: Mapping[str, float]) -> dict[str, float]:
    """The key figures of quality: no share, and no revision, which would give the new share away."""
    return {name: value for name, value in figures.items() if not name.startswith(RESULTS)}


def published_beside_estimates(database: "duckdb.DuckDBPyConnection") -> pd.DataFrame:
    """Published figures of the wave beside those of its estimates that are released.

    Returns:
        ``indicator``, ``statistic``, ``size_class``, ``published``, ``estimate``, ``standard_error``,
        ``source`` and ``label_fr``, ``label_en``; estimates are missing where the cell is suppressed.
    """
    return database.execute(
        """
        select
            figures.indicator,
            figures.statistic,
            figures.size_class,
            figures.published,
            round(cells.estimate, 4) as estimate,
            round(cells.standard_error, 4) as standard_error,
            figures.source,
            labels.label_fr,
            labels.label_en
        from estimation.est_quality__published as figures
        left join publication.pub_asco__cells as cells
            on
                figures.unit_type = cells.unit_type
                and figures.indicator = cells.indicator
                and figures.statistic = cells.statistic
                and figures.size_class = cells.size_class
                and cells.geography = 'france'
        left join (
            select distinct unit_type, indicator, label_fr, label_en from staging.stg_asco__indicators
        ) as labels
            on figures.unit_type = labels.unit_type and figures.indicator = labels.indicator
        order by figures.indicator, figures.statistic, figures.size_class
        """
    ).df()


def _row(concept: str, indicator: str, value: float, category: str = "") -> list[Any]:
    return [concept, indicator, "all", "total", category, float(value)]


def _timeliness(wave: Wave) -> Iterator[list[Any]]:
    """Days between the reference year's end, the collection and the release: from the wave file alone."""
    reference = dt.date(wave.reference_year, 12, 31)
    yield _row("timeliness", "reference_to_collection", (wave.collection.start - reference).days)
    yield _row("timeliness", "collection", (wave.collection.end - wave.collection.start).days)
    if wave.release.embargo is not None:
        yield _row("timeliness", "reference_to_release", (wave.release.embargo - reference).days)
        yield _row("timeliness", "collection_to_release", (wave.release.embargo - wave.collection.end).days)


def _comparability(wave: Wave) -> Iterator[list[Any]]:
    """How far back the series goes among the waves that this pipeline knows."""
    before = [other for other in readable_waves().waves if other.wave < wave.wave]
    yield _row("comparability", "earlier_waves", len(before))
    if before:
        yield _row("comparability", "years_since", wave.reference_year - before[-1].reference_year)


def _completeness(cells: pd.DataFrame) -> Iterator[list[Any]]:
    """Share of the planned cells that are released (data completeness)."""
    open_cells = cells["status"] == "V"
    yield _row("completeness", "cells", len(cells))
    yield _row("completeness", "share_released", open_cells.mean())
    national = cells["geography"] == "france"
    yield _row("completeness", "share_released_france", open_cells[national].mean())


def _revisions(cells: pd.DataFrame, store: ReleaseStore) -> Iterator[list[Any]]:
    """Shares of France against the newest earlier release whose cells are others than these."""
    for version, former in other_cells(cells, store, reversed(store.known())):
        both = beside(former, cells)
        both = both[(both["geography"] == "france") & both["statistic"].isin(["share", "population_share"])]
        moved = (both["estimate"] - both["estimate_former"]).dropna()
        yield _row("revision", "compared", len(moved), version)
        if len(moved):
            yield _row("revision", "mean", moved.mean(), version)
            yield _row("revision", "mean_absolute", moved.abs().mean(), version)
            yield _row("revision", "largest", moved.abs().max(), version)
        return
    yield _row("revision", "compared", 0)
