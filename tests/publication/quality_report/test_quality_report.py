"""The quality report and the Data Docs of a small wave that really ran: true, valid, alone, readable by all.

Screenshots go to ``var/screenshots``, to be looked at.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pandas as pd
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.publication.quality_report.indicators import published_beside_estimates
from asco_dagster.storage.warehouse import open_database, read_table
from asco_testing.publication.metadata_validators import csvw_faults
from asco_testing.worlds.small_wave import SmallWave, materialize

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def quality(small_wave: SmallWave) -> Path:
    """Folder of the wave's quality pages."""
    return small_wave.places.quality("2014")


@pytest.fixture(scope="module")
def report(quality: Path) -> Path:
    """The report's page."""
    return quality / "report" / "index.html"


def _errors(page: Path) -> list[object]:
    parser = html5lib.HTMLParser()
    parser.parse(page.read_text(encoding="utf-8"))
    return list(parser.errors)


def test_every_page_is_valid_html(quality: Path) -> None:
    pages = list(quality.rglob("*.html"))
    # a page a gate, the index, the history, the report
    assert len(pages) == len(list(EXPECTATIONS.rglob("*.json"))) + 3
    assert {page.name: _errors(page) for page in pages if _errors(page)} == {}


def test_no_page_has_a_dead_link_or_needs_the_network(quality: Path) -> None:
    for page in quality.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        identifiers = set(re.findall(r'\bid="([^"]+)"', text))
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            assert not re.match(r"(?:https?:)?//", link), f"{page.name} loads or links {link}"
            # the content itself, such as the empty icon that spares a request; Dagster's pages, beside these
            if link.startswith(("data:", "/dagster/")):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve()
            if path and target == quality.parents[1].resolve():  # the operator's page, made at each request
                continue
            assert target.is_file() if path else anchor in identifiers, f"{page.name}: {link}"


def test_the_released_report_is_the_one_of_the_quality_pages(small_wave: SmallWave, report: Path) -> None:
    release = small_wave.places.releases("2014") / "1.0.0"
    assert "report/index.html" in json.loads((release / "manifest.json").read_text())["files"]
    assert (release / "report" / "index.html").read_bytes() == report.read_bytes()


def test_the_release_lists_every_gate_and_indicator_as_tables(small_wave: SmallWave) -> None:
    folder = small_wave.places.releases("2014") / "1.0.0" / "quality"
    gates, indicators = pd.read_csv(folder / "gates.csv"), pd.read_csv(folder / "indicators.csv")
    for asset, verdicts in gates.groupby("asset"):
        assert len(verdicts) == len(load_suite(str(asset)).expectations), asset
    assert set(gates["layer"]) == {"sources", "staging", "estimation", "confidentiality", "publication"}
    assert "critical" not in set(gates.loc[gates["holds"] == "no", "severity"])
    assert not {"observed", "offending", "unexpected_share"} & set(gates.columns)
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        assert len(indicators) == len(read_table(database, "pub_asco__quality_report"))
    for name in ("gates.csv", "indicators.csv"):
        assert csvw_faults(folder / name) == []


def test_suppressed_cells_are_counted_under_one_status(small_wave: SmallWave) -> None:
    """The rule that closed a cell is no one else's: a count of it by level would tell it of a lone cell."""
    release = small_wave.places.releases("2014") / "1.0.0"
    cells = pd.read_parquet(release / "tables" / "asco_cells.parquet")
    indicators = pd.read_csv(release / "quality" / "indicators.csv", keep_default_na=False)
    of_cells = indicators["indicator"].str.startswith("cells_")
    own = indicators[(indicators["concept"] == "disclosure") & of_cells]
    counted = own.groupby("indicator")["value"].sum().astype(int).to_dict()
    closed = cells["status"].eq("c").sum()
    assert counted == {"cells_V": len(cells) - closed, "cells_c": closed}
    assert closed > 100


def test_the_same_inputs_give_the_same_bytes(small_wave: SmallWave, report: Path) -> None:
    before = report.read_bytes()
    assert materialize(small_wave, "pub_asco__quality_report").success
    assert report.read_bytes() == before
    assert str(small_wave.home).encode() not in before


def test_no_number_of_a_suppressed_cell_is_compared(small_wave: SmallWave) -> None:
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        told = published_beside_estimates(database).set_index(["indicator", "statistic", "size_class"])
        cells = read_table(database, "sec_asco__cells")
    national = cells[(cells["geography"] == "france") & (cells["unit_type"] == "commune")]
    status = national.set_index(["indicator", "statistic", "size_class"])["status"].reindex(told.index)
    assert (status != "V").any(), "no suppressed figure to hide"
    assert (told["estimate"].notna() == (status == "V")).all()


def test_data_docs_show_no_value_of_a_row_that_failed(small_wave: SmallWave, tmp_path: Path) -> None:
    import duckdb

    from asco_dagster.gates.data_docs import write_data_docs
    from asco_dagster.gates.suite import load_suite
    from asco_dagster.gates.validation import run_suite
    from asco_testing.gates.judged_frame import write_frame

    suite = load_suite("raw_asco__sample")
    rows = [("commune", "7712345"), ("commune", "7712345"), (None, None)]
    frame = pd.DataFrame(rows, columns=["unit_type", "unit_code"]).assign(unit_type=["x9secret", "a", "b"])
    with duckdb.connect() as database:
        write_frame(database, suite.asset, frame)
        outcome, result = run_suite(suite, database, small_wave.wave)
    result.write(tmp_path / "gates")
    write_data_docs(outcome, result, tmp_path / "quality", tmp_path / "gates")
    page = (tmp_path / "quality" / "sources" / "raw_asco__sample.html").read_text()
    own_report = page.split("Great Expectations' own report")[1]
    assert "Closed" in page
    assert "7712345" not in own_report
    assert "x9secret" not in own_report


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """A page of a browser without a network, at the size of a common screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = made.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        yield context.new_page()
        made.close()


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("name", ["report", "gate", "gates", "history"])
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
def test_everyone_can_read_the_page(
    name: str, language: str, quality: Path, report: Path, chromium, checkout: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    if name != "report" and language == "fr":
        pytest.skip("the gates' pages are in English")
    path = {
        "report": report,
        "gate": quality / "sources" / "raw_insee__legal_populations.html",
        "gates": quality / "index.html",
        "history": quality / "history.html",
    }[name]
    told: list[str] = []
    chromium.on("console", lambda message: told.append(message.text))
    chromium.goto(f"{path.as_uri()}#{language}")
    chromium.reload()
    shown = [chromium.locator(f"span[lang={code}]:visible").count() > 0 for code in ("fr", "en")]
    if name == "report":
        assert shown == [language == "fr", language == "en"]
        assert chromium.locator("html").get_attribute("lang") == language
    folder = checkout / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    chromium.screenshot(path=folder / f"quality-{name}-{language}.png", full_page=True)
    found = Axe().run(chromium).response["violations"]
    assert [(fault["id"], fault["impact"]) for fault in found if fault["impact"] in SERIOUS] == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 1280
    assert told == []
