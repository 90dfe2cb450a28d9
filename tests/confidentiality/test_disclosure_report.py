"""The disclosure report: counts, reasons, and shares that tell no more than the release itself."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from asco_dagster.confidentiality.log import (
    cells_metadata,
    closed_for_france,
    disclosure_log,
    held_back_metadata,
)
from asco_dagster.methods.disclosure.areas import Areas
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect
from asco_dagster.methods.disclosure.rules import AUXILIARY, DisclosureRules
from asco_dagster.methods.disclosure.summary import summary, suppressed_percent
from asco_dagster.methods.disclosure.versions import Version
from asco_dagster.releases.contract import CELLS, contract_of
from asco_testing.worlds.true_size_respondents import table

RULES = DisclosureRules()


@pytest.fixture(scope="module")
def made():
    values = np.array([[20.0, 50, 10], [8, 19, 22], [17, 32, 12]])
    respondents = np.where(values == 22, 2.0, 50.0)
    one = table(values, respondents, indicator="A")
    both = pd.concat([one, one.assign(indicator="B")], ignore_index=True)
    return protect(primary(both, RULES), {"commune": Areas({})}, RULES)


@pytest.fixture(scope="module")
def protected(made):
    return made.cells


@pytest.fixture(scope="module")
def families(made):
    return made.families


def test_the_share_suppressed_is_what_anyone_can_compute_from_the_release(protected):
    told = suppressed_percent(protected)
    parts = protected[(protected["geography"] == "region") & (protected["size_class"] != "total")]
    shown = parts[parts["status"] == "V"].groupby("indicator")["numerator"].sum() / 190
    assert told["commune", "total", "region × size class"] == round(100 * (1 - shown.mean()), 1)
    assert told["commune", "total", "france"] == 0
    assert (told >= 0).all()


def test_no_number_of_a_suppressed_cell_enters_it(protected, families):
    planted = protected.copy()
    hidden = planted["status"] != "V"
    for name in (*contract_of(CELLS).named("measure"), *AUXILIARY):
        planted[name] = planted[name].astype(float)
        planted.loc[hidden, name] = 7712300.25
    pd.testing.assert_frame_equal(summary(planted), summary(protected))
    assert "77123" not in str(cells_metadata(planted, RULES, families, 1.0))


def test_a_table_whose_figure_for_france_is_closed_has_no_share(protected, families):
    closed = protected.assign(
        status=protected["status"].where(protected["geography"] != "france", "D"),
        reason=protected["reason"].where(protected["geography"] != "france", "protects another"),
    )
    assert summary(closed)["value_suppressed_percent"].isna().all()
    assert len(closed_for_france(closed)) == 2 * 4
    assert closed_for_france(closed)[0] == "commune A total (protects another)"
    told = cells_metadata(closed, RULES, families, 1.0)["cells by status and table"]
    assert isinstance(told, dg.TableMetadataValue)
    assert {record.data["value_suppressed_percent"] for record in told.records} == {
        "France's figures are closed"
    }


def test_the_report_of_the_ui_says_status_share_rules_tools_and_time(protected, families):
    told = cells_metadata(protected, RULES, families, 12.34)
    assert [told[f"status {status}"] for status in "VABD"] == [
        int((protected["status"] == status).sum()) for status in "VABD"
    ]
    assert told["seconds"] == 12.3
    assert told["rules"].value["threshold"] == RULES.threshold
    assert set(told["tools"].value) == {"python", "highspy", "numpy", "pandas"}
    assert told["figures for France that are closed"] == "none"
    assert told["families whose mask is proved the cheapest"] == "2 of 2"
    assert told["gap to the optimum at most"] == "0.0%"


def test_the_table_of_the_report_does_not_say_which_rule_closed_how_many(protected, families):
    """The rule of a cell would tell its value: of a small table its count is as good as its name."""
    told = cells_metadata(protected, RULES, families, 1.0)["cells by status and table"]
    assert set(told.records[0].data) == {
        "unit_type", "statistic", "breakdown", "cells", "released", "suppressed", "value_suppressed_percent",
    }  # fmt: skip
    assert summary(protected)["suppressed"].sum() == (protected["status"] != "V").sum()


def test_the_log_names_what_is_closed_since_when_and_what_is_held_back(protected):
    shown = protected.assign(as_of=pd.Series(None, index=protected.index, dtype="string"), published_in="")
    held = shown.index[(shown["status"] == "V") & (shown["geography"] == "region")][0]
    shown.loc[held, ["as_of", "published_in", "reason"]] = ["1.0.0", "1.0.0", "held back: too few"]
    closed = shown.index[shown["status"] == "A"][0]
    shown.loc[closed, "published_in"] = "1.0.0"
    public = protected.assign(status=np.where(protected["status"] == "V", "V", "c"))
    versions = [Version("1.0.0", public.drop(index=closed), None), Version("2.0.0", public, None)]
    log = disclosure_log(shown, versions)
    assert len(log) == (protected["status"] != "V").sum() + 1
    assert log["closed_since"].value_counts().to_dict() == {"1.0.0": len(log) - 2, "2.0.0": 1}
    assert log.loc[log["published_in"].notna(), "closed_since"].tolist() == ["2.0.0"]
    told = held_back_metadata(shown)
    assert told["cells held back"] == 1
    assert told["held back, by breakdown"].endswith(": 1")
    assert held_back_metadata(shown.assign(as_of=pd.NA))["held back, by breakdown"] == "none"
