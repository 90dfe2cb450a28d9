"""The operator's page: each wave with what is wrong, where and what to do; none hides another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import html5lib
import pytest

from asco_dagster.gates.history.store import Acknowledgement, keep_acknowledgement
from asco_dagster.gates.results import GateResult, Verdict, mark_outdated, read_result, restore_result
from asco_dagster.gates.suite import suite_assets
from asco_dagster.operations.monitoring.operator_page import operator_page
from asco_dagster.storage.inbox import expected
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.home_instances import home_instance

pytestmark = pytest.mark.slow

SAMPLE, WEIGHTS = "est_asco__sample", "est_asco__weights"
REASON = "Enough units <b>answered</b>"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with home_instance(tmp_path_factory.mktemp("home")) as instance:
        yield instance


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def _verdict(passed: bool, severity: str = "critical") -> Verdict:
    return Verdict(
        *("expect_x", "status", severity, passed, "40 of 100 rows fail", 0.4, REASON, ["unit_id=u1"]),
        expected="one of answered in at least 70 % of rows (response_min)",
        bound="response_min",
    )


def _keep(places: Places, wave: str, asset: str, verdict: Verdict) -> GateResult:
    found = GateResult(asset, wave, 100, [verdict], 1, "0123456789", "2026-12-01T10:00:00+00:00", "feed" * 16)
    found.write(places.gates(wave))
    return found


def test_a_closed_gate_of_one_wave_is_not_hidden_by_the_open_one_of_another(
    instance: dg.DagsterInstance, places: Places
) -> None:
    _keep(places, "2014", SAMPLE, _verdict(False))
    _keep(places, "2025", SAMPLE, _verdict(True))
    page = operator_page(instance, places, {})
    first, second = page.split('id="wave-2025"')
    parser = html5lib.HTMLParser()
    parser.parse(page)
    assert parser.errors == []
    for text in (
        "Enough units &lt;b&gt;answered&lt;/b&gt;",
        "one of answered in at least 70 % of rows (response_min)",
        "40 of 100 rows fail",
        "unit_id=u1",
        "change response_min under bounds of 2014.yaml",
        "/quality/2014/estimation/est_asco__sample.html",
        "2026-12-01 10:00",
        "/dagster/runs/0123456789",
        "feedfeed",
    ):
        assert text in first, text
        assert text not in second, text
    assert "<b>answered" not in page


def test_gates_that_were_never_judged_are_named_and_not_taken_for_open(
    instance: dg.DagsterInstance, places: Places
) -> None:
    _keep(places, "2014", SAMPLE, _verdict(True))
    page = operator_page(instance, places, {"wave": "2014"})
    assert f"<b>{len(suite_assets()) - 1} gates not judged</b>" in page
    assert 'id="wave-2025"' not in page
    assert "1 open" in page


def test_a_gate_below_a_rebuilt_table_is_not_judged_until_it_proves_the_same(places: Places) -> None:
    gates = places.gates("2014")
    before = _keep(places, "2014", WEIGHTS, _verdict(True))
    assert "run 99999999 rebuilt est_asco__sample" in mark_outdated(gates, WEIGHTS, "2014", "9" * 36, SAMPLE)
    with pytest.raises(Exception, match="is not judged: run 99999999 rebuilt est_asco__sample"):
        read_result(gates, WEIGHTS, "2014")
    assert mark_outdated(gates, WEIGHTS, "2014", "8" * 36, SAMPLE) == ""
    assert restore_result(gates, WEIGHTS)
    assert read_result(gates, WEIGHTS, "2014") == before
    assert not restore_result(gates, WEIGHTS)


def test_layer_and_severity_choose_lines(instance: dg.DagsterInstance, places: Places) -> None:
    _keep(places, "2014", SAMPLE, _verdict(False))
    _keep(places, "2014", "raw_asco__sample", _verdict(False, "warning"))
    link = "/quality/2014/sources/raw_asco__sample.html"
    assert link in operator_page(instance, places, {"layer": "sources"})
    assert link in operator_page(instance, places, {"severity": "warning"})
    assert link not in operator_page(instance, places, {"layer": "estimation"})
    assert link not in operator_page(instance, places, {"severity": "blocked"})


def test_an_acknowledged_warning_says_who_and_why_until_something_else_is_observed(
    instance: dg.DagsterInstance, places: Places
) -> None:
    warning = _verdict(False, "warning")
    _keep(places, "2014", SAMPLE, warning)
    known = Acknowledgement(
        SAMPLE, REASON, warning.observed, "2026-12-01T11:00:00+00:00", "Ada", "Paper returns were late"
    )
    keep_acknowledgement(places.wave("2014"), known)
    told = "Acknowledged by Ada on 2026-12-01: Paper returns were late"
    assert told in operator_page(instance, places, {})
    _keep(places, "2014", SAMPLE, replace(warning, observed="41 of 100 rows fail"))
    page = operator_page(instance, places, {})
    assert told not in page
    assert f"asco acknowledge 2014 {SAMPLE}" in page


def test_missing_deliveries_are_listed(instance: dg.DagsterInstance, places: Places) -> None:
    names = expected(load_wave("2014"))
    delivered = places.inbox("2014") / names[0]
    delivered.parent.mkdir(parents=True)
    delivered.write_text("there")
    page = operator_page(instance, places, {"wave": "2014"})
    assert f"{len(names) - 1} missing or unreadable" in page
    assert f"<code>{names[1]}</code> (not found)" in page
    assert f"<code>{names[0]}</code> (not found)" not in page
