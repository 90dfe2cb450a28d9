"""Flags of released cells by the wave's thresholds: a total stands on those who contribute to it."""

import pandas as pd

from asco_dagster.confidentiality.assets import _flags
from asco_dagster.waves import load_wave


def flag(statistic: str, **cell: float) -> str:
    whole = {"cv": 0.05, "respondents": 40, "positive_respondents": 40, "ci_low": 0.4, "ci_high": 0.44}
    row = pd.DataFrame([{"statistic": statistic, **whole, **cell}])
    return str(_flags(row, load_wave("2014").precision)[0])


def test_a_total_of_two_in_forty_is_unreliable_however_small_its_cv() -> None:
    assert flag("total") == "ok"
    assert flag("total", positive_respondents=15) == "low_precision"
    assert flag("total", positive_respondents=2) == "unreliable"


def test_a_share_is_judged_by_all_who_answered() -> None:
    assert flag("share", positive_respondents=2) == "ok"
    assert flag("share", respondents=5) == "unreliable"
    assert flag("population_share", ci_low=0.3, ci_high=0.5) == "unreliable"
