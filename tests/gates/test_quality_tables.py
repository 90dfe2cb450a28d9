"""Published figures and drift: what the comparisons call too far."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.confidentiality.drift import drift
from asco_dagster.estimation.published import compare_published
from asco_dagster.waves.statistics import PublishedFigure

FIGURE = PublishedFigure(
    unit_type="commune", indicator="ccas", published=0.75, tolerance=0.02, source="a newspaper"
)
KEY = {"unit_type": "commune", "indicator": "ccas", "size_class": "total"}


def _estimates(estimate: float, error: float = 0.01) -> pd.DataFrame:
    row = {**KEY, "statistic": "share", "geography": "france"}
    return pd.DataFrame([{**row, "estimate": estimate, "standard_error": error}])


def test_an_estimate_within_tolerance_and_sampling_error_is_not_in_excess() -> None:
    assert compare_published([FIGURE], _estimates(0.75 + 0.02 + 0.0195))["excess"].item() == 0


def test_an_estimate_in_per_cent_is_in_excess() -> None:
    assert compare_published([FIGURE], _estimates(75.0))["excess"].item() == pytest.approx(74.2104)


def test_a_figure_without_an_estimate_is_reported_as_missing() -> None:
    assert compare_published([FIGURE], _estimates(0.7).head(0))["estimate"].isna().all()


def test_a_wave_without_published_figures_has_an_empty_table() -> None:
    assert compare_published([], _estimates(0.7)).empty


def _cells(share: float, total: float, status: str = "V") -> pd.DataFrame:
    row = {**KEY, "geography": "france", "area_code": "FR", "standard_error": 0.01, "status": status}
    return pd.DataFrame(
        [{**row, "statistic": "share", "estimate": share}, {**row, "statistic": "total", "estimate": total}]
    )


def test_small_moves_are_allowed() -> None:
    moved = drift(_cells(0.70, 100), _cells(0.72, 120), share=0.05, total=1.5)
    assert moved["excess"].tolist() == [0, 0]
    assert moved["standard_errors"].iloc[0] == pytest.approx(0.02 / np.hypot(0.01, 0.01))


def test_a_share_that_leaps_and_a_total_in_thousands_are_in_excess() -> None:
    moved = drift(_cells(0.70, 100_000), _cells(0.80, 100), share=0.05, total=1.5)
    assert moved["excess"].tolist() == pytest.approx([0.05, np.log(1000 / 1.5)])


def test_a_total_that_falls_to_nought_is_in_excess() -> None:
    assert drift(_cells(0.7, 100), _cells(0.7, 0), share=0.05, total=1.5)["excess"].iloc[1] == np.inf


def test_what_was_or_is_suppressed_is_not_compared() -> None:
    assert drift(_cells(0.7, 100, "D"), _cells(0.7, 100), share=0.05, total=1.5).empty
    assert drift(_cells(0.7, 100), _cells(0.7, 100, "A"), share=0.05, total=1.5).empty
