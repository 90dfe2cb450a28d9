"""Modelled estimates beside direct ones, from released tables."""

from asco_dagster.publication.quality_report.modelled import modelled_beside_direct
from asco_testing.worlds.tiny_content import cells, models


def test_flags_are_counted_where_there_is_one() -> None:
    modelled = models()
    rows = modelled_beside_direct(cells(), modelled)
    assert [(row["unit_type"], row["statistic"]) for row in rows] == [("commune", "share"), ("epci", "share")]
    assert sum(row["estimates"] for row in rows) == len(modelled)
    assert sum(row["direct"] for row in rows) == modelled["direct_estimate"].notna().sum()
    assert sum(row["synthetic"] for row in rows) == (modelled["method"] == "synthetic").sum() > 0
    assert all(row["unreliable"] == 0 and 0 < row["direct_unreliable"] < 1 for row in rows)
