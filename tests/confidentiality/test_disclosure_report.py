"""The disclosure report: counts, reasons, and shares that tell no more than the release itself."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from made_up_wave import table

from asco_dagster.confidentiality.log import cells_metadata, closed_for_france, summary, suppressed_percent
from asco_dagster.methods.disclosure import DisclosureRules, primary, protect
from asco_dagster.methods.disclosure.rules import AUXILIARY, NUMBERS

RULES = DisclosureRules(group_threshold=0)


@pytest.fixture(scope="module")
def protected():
    values = np.array([[20.0, 50, 10], [8, 19, 22], [17, 32, 12]])
    respondents = np.where(values == 22, 2.0, 50.0)
    one = table(values, respondents, indicator="A")
    return protect(primary(pd.concat([one, one.assign(indicator="B")]), RULES), {}, RULES)


def test_the_share_suppressed_is_what_anyone_can_compute_from_the_release(protected):
    told = suppressed_percent(protected)
    parts = protected[(protected["geography"] == "region") & (protected["size_class"] != "total")]
    shown = parts[parts["status"] == "V"].groupby("indicator")["numerator"].sum() / 190
    assert told["commune", "total", "region × size class"] == round(100 * (1 - shown.mean()), 1)
    assert told["commune", "total", "france"] == 0
    assert (told >= 0).all()


def test_no_number_of_a_suppressed_cell_enters_it(protected):
    planted = protected.copy()
    hidden = planted["status"] != "V"
    for name in (*NUMBERS, *AUXILIARY):
        planted[name] = planted[name].astype(float)
        planted.loc[hidden, name] = 7712300.25
    pd.testing.assert_frame_equal(summary(planted), summary(protected))
    assert "77123" not in str(cells_metadata(planted, RULES, 1.0))


def test_a_table_whose_figure_for_france_is_closed_has_no_share(protected):
    closed = protected.assign(
        status=protected["status"].where(protected["geography"] != "france", "D"),
        reason=protected["reason"].where(protected["geography"] != "france", "protects another"),
    )
    assert summary(closed)["value_suppressed_percent"].isna().all()
    assert len(closed_for_france(closed)) == 2 * 4
    assert closed_for_france(closed)[0] == "commune A total (protects another)"
    told = cells_metadata(closed, RULES, 1.0)["cells by status and table"]
    assert isinstance(told, dg.TableMetadataValue)
    assert {record.data["value_suppressed_percent"] for record in told.records} == {
        "France's figures are closed"
    }


def test_the_report_of_the_ui_says_status_share_rules_tools_and_time(protected):
    told = cells_metadata(protected, RULES, 12.34)
    assert [told[f"status {status}"] for status in "VABD"] == [
        int((protected["status"] == status).sum()) for status in "VABD"
    ]
    assert told["seconds"] == 12.3
    assert told["rules"].value["threshold"] == RULES.threshold
    assert set(told["tools"].value) == {"python", "highspy", "numpy", "pandas"}
    assert told["figures for France that are closed"] == "none"
