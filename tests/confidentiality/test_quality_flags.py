"""Flags of released cells by the wave's thresholds: width, coefficient of variation, effective size."""

import pandas as pd

from asco_dagster.confidentiality.assets import _flags
from asco_dagster.waves import load_wave


def flag(statistic: str, **cell: float) -> str:
    whole = {"cv": 0.05, "effective_size": 40.0, "ci_low": 0.4, "ci_high": 0.44}
    row = pd.DataFrame([{"statistic": statistic, **whole, **cell}])
    return str(_flags(row, load_wave("2014").precision)[0])


def test_a_total_of_two_in_forty_is_unreliable_however_small_its_cv() -> None:
    assert flag("total") == "ok"
    assert flag("total", effective_size=29.9) == "low_precision"
    assert flag("total", effective_size=2.0) == "unreliable"


def test_a_share_is_judged_by_the_width_of_its_interval_and_its_effective_size() -> None:
    assert flag("share", ci_low=0.4, ci_high=0.54) == "ok"
    assert flag("share", ci_low=0.4, ci_high=0.56) == "low_precision"
    assert flag("population_share", ci_low=0.3, ci_high=0.6) == "unreliable"
    assert flag("share", effective_size=9.0) == "unreliable"


def test_what_is_known_of_every_unit_is_reliable_however_few_they_are() -> None:
    assert flag("share", effective_size=float("inf"), ci_low=0.5, ci_high=0.5) == "ok"
    assert flag("share", effective_size=float("nan"), ci_low=float("nan")) == "unreliable"
