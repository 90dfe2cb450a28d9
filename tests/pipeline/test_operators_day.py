"""An operator's day in Debian's Chromium at 1280 × 800: each stop says what is wrong, where, what to do.

Empty home, closed gate, checks without a wave, two waves with different verdicts, broken wave file. Cancelled
runs at many instants: ``tests/orchestration/test_failures.py``; broken suites: ``tests/test_reload.py``.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asco_dagster.waves.wave import FOLDER
from asco_testing.dagster_api import TOKEN, ask
from asco_testing.served_pages import free_port

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
WIDTH, HEIGHT, PATIENCE = 1280, 800, 600
GATE = "raw_insee__legal_populations"
REASON = "The files list every commune"
LAUNCH = """mutation {launchRun(executionParams: {
  selector: {repositoryLocationName: "asco", repositoryName: "__repository__", jobName: "wave_job"},
  executionMetadata: {tags: [{key: "dagster/partition", value: "2014"}]}
}) {...on LaunchRunSuccess {run {runId}}}}"""


class Day:
    """A home that is served, and a page of a browser."""

    def __init__(self, home: Path, waves: Path, page: Any, base: str, pictures: Path) -> None:
        self.home, self.waves, self.page, self.base, self.pictures = home, waves, page, base, pictures

    def run_fails(self) -> str:
        """Launch the wave as its page does, wait for the end, and open the page of the run."""
        run = ask(self.base, LAUNCH)["launchRun"]["run"]["runId"]
        start, status = time.monotonic(), ""
        while status not in ("FAILURE", "SUCCESS") and time.monotonic() - start < PATIENCE:
            time.sleep(1)
            status = ask(self.base, f'{{runOrError(runId: "{run}") {{...on Run {{status}}}}}}')["runOrError"][
                "status"
            ]
        assert status == "FAILURE"
        self.page.goto(f"{self.base}/runs/{run}")
        return str(run)

    def sees(self, text: str) -> None:
        """Require that a text is on the screen without scrolling."""
        shown: list[Any] = []
        start = time.monotonic()
        while not shown and time.monotonic() - start < 60:
            time.sleep(0.5)
            found = [one.bounding_box() for one in self.page.get_by_text(text).all() if one.is_visible()]
            shown = [box for box in found if box and -1 <= box["y"] <= HEIGHT - 30 and box["x"] < WIDTH]
        assert shown, f"“{text}” is not on the screen"

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"day-{name}.png")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Iterator[Day]:
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("day")
    folder.chmod(0o755)
    waves, pictures = folder / "waves", checkout / "var" / "screenshots"
    waves.mkdir()
    pictures.mkdir(parents=True, exist_ok=True)
    for name in ("2014.yaml", "2025.yaml"):
        shutil.copyfile(FOLDER / name, waves / name)
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ASCO_")},
        **{"ASCO_HOME": str(folder / "home"), "ASCO_WAVES": str(waves), "ASCO_UI_TOKEN": TOKEN},
    }
    command = [sys.executable, "-m", "asco_dagster.cli.main"]
    up = subprocess.Popen(
        [*command, "up", "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        quality = ""
        for line in up.stdout or ():
            if line.startswith("Quality pages"):
                quality = line.split()[2].partition("/?")[0]
            if "Ctrl-C" in line:
                break
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(60_000)
            base = f"http://127.0.0.1:{port}"
            page.goto(f"{base}/?token={TOKEN}")
            one = Day(folder / "home", waves, page, base, pictures)
            one.quality, one.command, one.environment = quality, command, environment  # type: ignore[attr-defined]
            yield one
            browser.close()
    finally:
        up.send_signal(signal.SIGINT)
        assert up.wait(timeout=120) == 0


def test_an_empty_home_names_every_missing_delivery_by_its_path(day: Day) -> None:
    day.page.goto(f"{day.quality}/")  # type: ignore[attr-defined]
    day.sees("missing or unreadable")
    day.sees("never run")
    day.picture("empty-home")
    day.run_fails()
    day.sees("deliveries of wave 2014 are not available")
    day.sees(str(day.home / "inbox" / "2014" / "asco-sample-2014.csv"))
    day.picture("run-missing")


def test_a_closed_gate_explains_itself_and_is_two_clicks_from_bound_and_rows(day: Day) -> None:
    demo = [*day.command, "demo", "--wave", "2014", "--scale", "0.05"]  # type: ignore[attr-defined]
    subprocess.run(demo, env=day.environment, check=True, capture_output=True)  # type: ignore[attr-defined]
    path = day.home / "inbox" / "2014" / "insee-populations-legales-2013-metropole.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1] + lines[4000:]))  # eight départements are gone
    day.run_fails()
    day.sees(REASON)
    day.sees("at least 34,000 (communes_min)")
    day.picture("run-closed")
    day.page.goto(f"{day.base}/assets/{GATE}?view=checks&checkDetail=gx__{GATE}")
    day.sees(REASON)
    day.sees("BLOCKED")
    day.picture("check-closed")
    clicks = 0
    with day.page.context.expect_page() as opened:
        day.page.locator(f"a[href$='/quality/2014/sources/{GATE}.html']").first.click()
        clicks += 1
    former, day.page = day.page, opened.value
    day.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    day.sees(f"Blocks: {REASON}")
    day.sees("at least 34,000 (communes_min) and at most 37,500 (communes_max)")
    day.sees("Correct the delivered file in the inbox of 2014")
    day.picture("data-docs-closed")
    assert clicks <= 2
    day.page.close()
    day.page = former


def test_the_operators_page_shows_both_waves(day: Day) -> None:
    day.page.goto(f"{day.quality}/")  # type: ignore[attr-defined]
    day.sees("1 gate closed: no new version of this wave")
    day.sees(REASON)
    day.sees("Wave 2025")
    day.picture("operator")
    day.page.select_option("select[name=severity]", "blocked")
    day.page.get_by_role("button", name="Show").click()
    assert "severity=blocked" in day.page.url
    day.sees(GATE)
    assert day.page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def test_a_broken_wave_is_named_and_the_other_lives(day: Day) -> None:
    with (day.waves / "2025.yaml").open("a") as file:
        file.write("unknown_key: 3\n")
    reload = 'mutation {reloadRepositoryLocation(repositoryLocationName: "asco") {__typename}}'
    assert (
        ask(day.base, reload, PATIENCE)["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    )
    asked = f'{{assetNodeOrError(assetKey: {{path: ["{GATE}"]}}) {{...on AssetNode {{partitionKeys}}}}}}'
    assert ask(day.base, asked)["assetNodeOrError"]["partitionKeys"] == ["2014"]
    day.page.goto(f"{day.quality}/")  # type: ignore[attr-defined]
    day.sees("2025.yaml is left out")
    day.sees("key unknown_key: unknown key")
    day.sees("Wave 2014")
    day.picture("broken-wave")
