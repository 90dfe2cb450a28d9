"""National estimates compared with the figures that the publisher has printed of the same wave."""

from collections.abc import Sequence

import pandas as pd

from asco_dagster.orchestration.wave_step import WaveStep, wave_asset
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves.statistics import PublishedFigure

CONFIDENCE = 1.96  # normal quantile of a 95 % interval
KEYS = ["unit_type", "indicator", "statistic", "size_class"]


@wave_asset(deps=["est_asco__estimates"])
def est_quality__published(step: WaveStep) -> pd.DataFrame:
    """One row per published figure: its estimate, and how far it goes beyond what is tolerated."""
    columns = [*KEYS, "geography", "estimate", "standard_error"]
    estimates = read_table(step.database, "est_asco__estimates", columns)
    return compare_published(step.wave.published, estimates)


def compare_published(figures: Sequence[PublishedFigure], estimates: pd.DataFrame) -> pd.DataFrame:
    """Compare each published figure with its estimate.

    Args:
        figures: what was published, as shares between 0 and 1.
        estimates: ``est_asco__estimates``; only France is looked at.

    Returns:
        One row per figure, in their order: keys, ``published``, ``tolerance``, ``source``, ``estimate`` and
        ``standard_error`` (missing where nothing was estimated), ``difference`` (estimate minus published),
        ``excess`` (how far the difference goes beyond tolerance and sampling error; 0 where it does not).
    """
    rows = pd.DataFrame(
        [figure.model_dump() for figure in figures],
        columns=[*KEYS, "published", "tolerance", "source"],
    )
    rows = rows.astype({**dict.fromkeys([*KEYS, "source"], str), "published": float, "tolerance": float})
    national = estimates[estimates["geography"] == "france"].drop(columns="geography")
    rows = rows.merge(national, on=KEYS, how="left", validate="one_to_one")
    rows["difference"] = rows["estimate"] - rows["published"]
    allowed = rows["tolerance"] + CONFIDENCE * rows["standard_error"]
    rows["excess"] = (rows["difference"].abs() - allowed).clip(lower=0)
    return rows
