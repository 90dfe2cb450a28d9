"""Gates over confidential numbers tell keys and counts, never a value: checks are seen in the UI."""

import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.layers import LAYERS
from asco_dagster.waves import load_wave
from asco_testing.gates.judged_frame import validate

OBSERVING = ("max", "min", "mean", "median", "sum", "stdev", "quantile", "most_common", "distinct", "kl")
CONFIDENTIAL = sorted(
    path.stem
    for layer in ("confidentiality", "publication")
    for path in (EXPECTATIONS / layer).glob("*.json")
)


@pytest.mark.parametrize("asset", CONFIDENTIAL)
def test_no_expectation_reports_an_aggregate_of_a_column(asset: str) -> None:
    assert "confidentiality" in LAYERS
    for expectation in load_suite(asset).expectations:
        kind = expectation["type"].removeprefix("expect_column_")
        assert not kind.startswith(OBSERVING), f"{asset}: {expectation['type']} shows what it saw"


def test_an_offending_cell_is_named_by_its_key_and_its_number_is_not_shown() -> None:
    key = {
        "unit_type": "commune", "indicator": "ccas", "statistic": "share", "geography": "departement",
        "area_code": "75", "size_class": "total",
    }  # fmt: skip
    cell = {"status": "A", "reason": "fewer respondents", "quality_flag": "ok", "respondents": -7712345}
    frame = pd.DataFrame([{**key, **cell}])
    result = validate(load_suite("sec_asco__cells"), frame, load_wave("2014"))
    # the expectation about open cells is closed too: the frame has none, and no row is named for that
    (verdict,) = [
        verdict for verdict in result.verdicts if verdict.column == "respondents" and verdict.offending
    ]
    assert verdict.column == "respondents"
    assert verdict.offending == [" ".join(f"{name}={value}" for name, value in key.items())]
    assert "7712345" not in str(result)
