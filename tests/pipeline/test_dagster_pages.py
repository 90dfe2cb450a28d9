"""The pages as a data engineer uses them: Debian's Chromium against ``asco up`` on a real home.

Screenshots go to ``var/screenshots``, to be looked at.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from asco_testing.dagster_api import TOKEN, ask, open_with_token

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)
LAYERS = ("sources", "staging", "estimation", "confidentiality", "publication")
PATIENCE = 600  # seconds for two waves side by side


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def pages(released: tuple[Path, str], asco, checkout: Path) -> Iterator[str]:
    """Address of the pages of a home that holds a release of 2014 and deliveries of 2025."""
    home = released[0]
    delivered = asco(home, "demo", "--wave", "2025")
    assert delivered.returncode == 0, delivered.stdout
    port = _free_port()
    command = [sys.executable, "-m", "asco_dagster.cli.main", "up", "--port", str(port)]
    environment = {**os.environ, "ASCO_HOME": str(home)}
    served = subprocess.Popen(command, env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True)
    try:
        for line in served.stdout:
            if "Ctrl-C" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=120) == 0


@pytest.fixture(scope="module")
def page(pages: str):
    """A page of a browser, at the size of a common screen; errors on its console are kept."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        # as whoever opens the printed address; the cookie then opens the quality pages as well
        page.goto(f"{pages}/?token={TOKEN}")
        page.console_errors = []
        page.on("console", lambda m: page.console_errors.append(m.text) if m.type == "error" else None)
        yield page
        browser.close()


@pytest.fixture
def picture(page, checkout: Path):
    """Takes a screenshot under a name."""
    folder = checkout / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return lambda name: page.screenshot(path=folder / f"{name}.png")


def test_the_lineage_reads_left_to_right_in_five_groups(pages: str, page, picture) -> None:
    page.goto(f"{pages}/asset-groups", wait_until="networkidle")
    places = []
    for layer in LAYERS:
        nodes = page.locator("svg foreignObject", has_text=re.compile(rf"^\s*{layer}\s*$"))
        nodes.first.wait_for()
        places.append(nodes.first.bounding_box()["x"])
    picture("lineage")
    assert places == sorted(places)
    assert len(set(places)) == len(LAYERS)


def test_a_gate_shows_its_expectations(pages: str, page, picture) -> None:
    page.goto(f"{pages}/assets/sec_asco__audit?view=checks", wait_until="networkidle")
    page.get_by_text("No answer of a unit is certain from what is published").first.wait_for()
    picture("gate")
    assert page.console_errors == []


def test_a_backfill_of_two_waves_launched_from_the_page_finishes(pages: str, page, picture, released) -> None:
    page.goto(f"{pages}/asset-groups", wait_until="networkidle")
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("button", name="Launch backfill").click()
    query = "{partitionBackfillsOrError(limit:1){...on PartitionBackfills{results{id status numPartitions}}}}"
    side_by_side, start = 0, time.monotonic()
    while time.monotonic() - start < PATIENCE:
        running = ask(pages, "{runsOrError(filter:{statuses:[STARTED]}){...on Runs{results{runId}}}}")
        side_by_side = max(side_by_side, len(running["runsOrError"]["results"]))
        found = ask(pages, query)["partitionBackfillsOrError"]["results"]
        if found and found[0]["status"] != "REQUESTED":
            break
        time.sleep(2)
    page.goto(f"{pages}/runs/b/{found[0]['id']}", wait_until="networkidle")
    picture("backfill")
    assert (found[0]["status"], found[0]["numPartitions"]) == ("COMPLETED_SUCCESS", 2)
    assert side_by_side == 2, "the two waves did not run side by side"
    assert (released[0] / "releases" / "2025" / "latest" / "manifest.json").is_file()
    # the second run of 2014 gave the same tables, so no new version
    assert [p.name for p in (released[0] / "releases" / "2014").glob("[0-9]*")] == ["1.0.0"]


def test_from_a_check_to_its_data_docs_and_on_to_the_report(pages: str, page, picture) -> None:
    """The runs of the backfill above were made under these pages: their links lead to them."""
    page.console_errors.clear()
    page.goto(f"{pages}/assets/est_asco__sample?view=checks", wait_until="networkidle")
    page.get_by_text("gx__est_asco__sample").first.wait_for()
    page.get_by_text("Enough units answered").first.wait_for()
    link = page.locator("a[href*='/quality/'][href$='estimation/est_asco__sample.html']").first
    link.wait_for()
    picture("check-with-data-docs")
    page.goto(urljoin(pages, link.get_attribute("href")), wait_until="networkidle")
    page.get_by_text("Great Expectations' own report").wait_for()
    picture("data-docs")
    page.get_by_role("link", name="Gates of wave").click()
    page.get_by_role("link", name="Quality report").click()
    page.get_by_role("heading", name="Non-réponse totale").wait_for()
    page.get_by_role("button", name="English").click()
    page.get_by_role("heading", name="Unit non-response").wait_for()
    picture("quality-report")
    assert page.console_errors == []


ASSETS = sorted(path.stem for path in (Path(__file__).parents[2] / "expectations").rglob("*.json"))


def _executions(base: str, asset: str, wave: str) -> list[dict]:
    """The latest result of an asset's gate for a wave, as the page asks for it."""
    asked = f'assetKey: {{path: ["{asset}"]}}, checkName: "gx__{asset}", partition: "{wave}", limit: 1'
    entries = "metadataEntries{label ...on UrlMetadataEntry{url} ...on TableMetadataEntry{table{records}}}"
    found = ask(base, f"{{assetCheckExecutions({asked}){{status evaluation{{success {entries}}}}}}}")
    return found["assetCheckExecutions"]


@pytest.mark.parametrize("wave", ["2014", "2025"])
def test_every_gate_has_its_result_and_its_pages_for_each_wave(wave: str, pages: str) -> None:
    """After the backfill: one row per expectation, and a link to Data Docs that answers."""
    for asset in ASSETS:
        (told,) = _executions(pages, asset, wave)
        assert told["status"] == "SUCCEEDED" or not told["evaluation"]["success"], asset
        entries = {entry["label"]: entry for entry in told["evaluation"]["metadataEntries"]}
        suite = json.loads(next(Path("expectations").rglob(f"{asset}.json")).read_text(encoding="utf-8"))
        assert len(entries["expectations"]["table"]["records"]) == len(suite["expectations"]), asset
        assert entries["history"]["table"]["records"], asset
        below = entries["Data Docs"]["url"].split("/quality/")[1]
        assert below.startswith(f"{wave}/")
        # the link is relative: it follows the port of the pages, which lead on to the quality pages
        assert asset in open_with_token(f"{pages}/quality/{below}").decode()


@pytest.mark.parametrize("asset", ASSETS)
def test_every_asset_shows_its_suite_under_its_checks(asset: str, pages: str, page, picture) -> None:
    page.console_errors.clear()
    # an asset of dbt has other checks beside its gate, and the first of all is the one that opens
    page.goto(f"{pages}/assets/{asset}?view=checks&checkDetail=gx__{asset}", wait_until="domcontentloaded")
    suite = json.loads(next(Path("expectations").rglob(f"{asset}.json")).read_text(encoding="utf-8"))
    reason = page.get_by_text(suite["expectations"][0]["meta"]["reason"], exact=True).first
    reason.wait_for()
    place = reason.bounding_box()
    assert place["x"] + place["width"] <= 1280, "the reason lies outside the page"
    page.locator(f"a[href*='/quality/'][href$='/{asset}.html']").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    picture(f"checks-{asset}")
    assert page.console_errors == []


def test_history_leads_from_a_check_to_all_runs(pages: str, page, picture) -> None:
    page.console_errors.clear()
    page.goto(f"{pages}/assets/est_asco__sample?view=checks", wait_until="networkidle")
    link = page.locator("a[href*='history.html#est_asco__sample']").first
    link.wait_for()
    page.goto(urljoin(pages, link.get_attribute("href")), wait_until="networkidle")
    page.get_by_role("heading", name="Run after run, wave after wave").wait_for()
    picture("history")
    assert page.locator("#est_asco__sample").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.console_errors == []


def test_lineage_of_columns_and_the_state_of_the_wave_are_shown(pages: str, page, picture) -> None:
    page.console_errors.clear()
    page.goto(f"{pages}/assets/pub_asco__cells?view=partitions&partition=2014", wait_until="networkidle")
    page.get_by_text("column lineage").first.wait_for()
    picture("column-lineage")
    start = time.monotonic()
    while time.monotonic() - start < PATIENCE:  # the sensor looks once a minute
        asked = '{assetOrError(assetKey:{path:["pub_asco__release"]}){...on Asset{assetObservations(limit:9)'
        told = ask(pages, f"{asked}{{partition description}}}}}}}}")["assetOrError"]["assetObservations"]
        states = {one["partition"]: one["description"] for one in reversed(told)}
        if all("released: " in states.get(wave, "") for wave in ("2014", "2025")):
            break
        time.sleep(5)
    assert states == {wave: f"Wave {wave}: released: 1.0.0" for wave in ("2014", "2025")}
    page.goto(f"{pages}/assets/pub_asco__release?view=partitions&partition=2014", wait_until="networkidle")
    page.get_by_text("state of the wave").first.wait_for()
    page.get_by_text("released: 1.0.0").first.wait_for()
    picture("wave-state")
    assert page.console_errors == []


def test_a_closed_gate_is_red_and_nothing_is_released(
    pages: str, page, picture, released, asco, tmp_path
) -> None:
    home = released[0]
    before = {p: p.stat().st_mtime_ns for p in (home / "releases").rglob("*")}
    inbox = tmp_path / "inbox"
    shutil.copytree(home / "inbox" / "2014", inbox, copy_function=os.link)
    path = inbox / "insee-populations-legales-2013-metropole.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    path.write_bytes(b"".join(lines[:1] + lines[4000:]))  # eight départements are gone
    told = asco(home, "run", "2014", "--inbox", str(inbox))
    assert told.returncode == 1, told.stdout
    assert "CLOSED  gx__raw_insee__legal_populations" in told.stdout
    page.goto(f"{pages}/assets/raw_insee__legal_populations?view=checks", wait_until="networkidle")
    page.get_by_text("Failed").first.wait_for()
    picture("closed-gate")
    assert {p: p.stat().st_mtime_ns for p in (home / "releases").rglob("*")} == before


def test_publication_alone_over_a_red_gate_refuses(pages: str, released, asco) -> None:
    """After the run above the gate of a source is closed: the release step must ask for itself."""
    key = '{path: ["pub_asco__release"]}'
    check = f'{{assetKey: {key}, name: "gx__pub_asco__release"}}'
    selector = (
        '{repositoryLocationName: "asco", repositoryName: "__repository__", '
        f'jobName: "__ASSET_JOB", assetSelection: [{key}], assetCheckSelection: [{check}]}}'
    )
    tags = '{tags: [{key: "dagster/partition", value: "2014"}]}'
    launched = ask(
        pages,
        f"mutation {{launchRun(executionParams: {{selector: {selector}, executionMetadata: {tags}}}) "
        "{__typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}",
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id, start = launched["run"]["runId"], time.monotonic()
    while time.monotonic() - start < PATIENCE:
        status = ask(pages, f'{{runOrError(runId: "{run_id}") {{...on Run {{status}}}}}}')["runOrError"][
            "status"
        ]
        if status in ("SUCCESS", "FAILURE", "CANCELED"):
            break
        time.sleep(2)
    assert status == "FAILURE"
    logs = ask(
        pages,
        f'{{logsForRun(runId: "{run_id}") {{...on EventConnection {{events {{'
        "...on ExecutionStepFailureEvent {error {message causes {message}}}}}}}",
    )
    assert "gx__raw_insee__legal_populations is closed" in json.dumps(logs)
