"""Collection monitoring on a half-finished collection, and its curve."""

import base64
import datetime as dt
import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from asco_dagster.estimation.collection import collection_report
from asco_dagster.estimation.collection_chart import as_markdown, draw

START = dt.date(2015, 9, 1)


def sampled(moments: list[str | None], unit_type: str = "commune") -> pd.DataFrame:
    count = len(moments)
    return pd.DataFrame(
        {
            "unit_type": unit_type,
            "stratum": [f"s{number % 2}" for number in range(count)],
            "departement_code": ["01", "02", "02", "02"][:count],
            "returned": [moment is not None for moment in moments],
            "submitted_at": pd.to_datetime([None if moment == "?" else moment for moment in moments]),
        }
    )


def rates(report: pd.DataFrame, breakdown: str) -> dict[str, float]:
    own = report[report["breakdown"] == breakdown]
    return dict(zip(own["category"], own["response_rate"], strict=True))


def test_days_are_counted_without_a_gap_and_add_up() -> None:
    report = collection_report(sampled(["2015-09-02T10:00:00", "2015-09-04T09:00:00", None, None]), START)
    days = report[report["breakdown"] == "day"]
    assert days["category"].tolist() == ["2015-09-01", "2015-09-02", "2015-09-03", "2015-09-04"]
    assert days["returned"].tolist() == [0, 1, 0, 1]
    assert days["returned_to_date"].tolist() == [0, 1, 1, 2]
    assert days["response_rate"].tolist() == [0, 0.25, 0.25, 0.5]


def test_départements_and_strata_have_their_rates() -> None:
    report = collection_report(sampled(["2015-09-02", None, "2015-09-03", None]), START)
    assert rates(report, "departement") == pytest.approx({"01": 1.0, "02": 1 / 3})
    assert rates(report, "stratum") == {"s0": 1.0, "s1": 0.0}


def test_an_undated_return_counts() -> None:
    report = collection_report(sampled(["?", None]), START)
    assert rates(report, "day") == {"2015-09-01": 0.0, "undated": 0.5}
    assert rates(report, "departement") == {"01": 1.0, "02": 0.0}


def test_a_return_before_the_start_has_its_day() -> None:
    assert next(iter(rates(collection_report(sampled(["2015-08-31", None]), START), "day"))) == "2015-08-31"


def test_nothing_has_arrived_yet() -> None:
    report = collection_report(sampled([None, None]), START)
    assert rates(report, "day") == {"2015-09-01": 0.0}
    draw(report, "nothing yet")


def test_the_curve_ends_at_the_rate_and_is_well_formed() -> None:
    both = [
        sampled(["2015-09-02", "2015-11-04", "2015-12-01", None]),
        sampled(["2015-09-09", None], "epci"),
    ]
    svg = draw(collection_report(pd.concat(both, ignore_index=True), START), "Enquête <2014> & suite")
    root = ET.fromstring(svg)  # noqa: S314
    texts = ["".join(element.itertext()) for element in root if element.tag.endswith("text")]
    assert "Enquête <2014> & suite" in texts
    assert {"communes 75%", "EPCI 50%"} <= set(texts)
    assert len([element for element in root if element.tag.endswith("polyline")]) == 2
    picture = as_markdown(svg).split("base64,")[1].rstrip(")")
    assert base64.b64decode(picture).decode() == svg
