"""The page of a release in a real browser: map, choice, filter, download, keyboard; it needs no network."""

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asco_dagster.releases.formats.explorer import PATH, write
from asco_testing.worlds.tiny_content import cells, content, models

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[tuple[Any, list[str]]]:
    """The page as opened from its file, and what its console complained of."""
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("page")
    write(content(), folder)
    told: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "blob:", "data:")) else told.append(request.url)
            ),
        )
        page.goto((folder / PATH).as_uri())
        yield page, told
        assert told == []
        browser.close()


@pytest.fixture
def page(opened) -> Any:
    opened[0].reload()
    return opened[0]


def test_the_map_is_drawn_with_hatched_suppressed_areas(page) -> None:
    paths = page.locator("#shapes path")
    assert paths.count() == 101
    frame = cells()
    first = page.locator("#indicator").input_value()
    own = frame[
        (frame["unit_type"] == "commune") & (frame["indicator"] == first) & (frame["statistic"] == "share")
    ]
    own = own[own["geography"] == "departement"].set_index("area_code")
    shown = [(part, cell) for code, cell in own.iterrows() for part in str(code).split("-")]
    assert {"75", "92"} <= {code for code, _ in shown}  # published together: both show the group's value
    for code, cell in shown:
        fill = page.locator(f"#shapes path[data-code='{code}']").get_attribute("fill")
        assert fill == "url(#hatch)" if cell["status"] != "V" else fill.startswith("#"), code
    assert page.locator("#shapes path[data-code='01']").get_attribute("fill") == "#f2f2f2"


def test_the_map_shows_direct_or_modelled_values(page) -> None:
    area = page.locator("#shapes path[data-code='31']")
    page.select_option("#indicator", "ccas")
    direct = area.get_attribute("aria-label")
    assert page.locator("#model-help").is_hidden()
    page.select_option("#values", "model")
    own = models().set_index(["unit_type", "indicator", "area_code"]).loc[("commune", "ccas", "31")]
    said = area.get_attribute("aria-label")
    assert said != direct
    assert f"{100 * own['estimate']:.1f}".replace(".", ",") in said
    assert said.endswith("par modèle" if own["method"] == "model" else "sans les réponses du département")
    assert page.locator("#model-help").is_visible()
    page.select_option("#statistic", "population_share")  # of no département, so not modelled
    assert page.locator("#values option").count() == 1


def test_another_indicator_changes_map_chart_and_table(page) -> None:
    before = page.locator("#rows").inner_text(), page.locator("#chart").inner_text()
    page.select_option("#indicator", "ccas")
    assert (page.locator("#rows").inner_text(), page.locator("#chart").inner_text()) != before
    assert "CCAS" in page.locator("#caption").inner_text()
    page.select_option("#unit", "epci")
    page.select_option("#indicator", "staff_fte")
    assert page.locator("#statistic").input_value() == "total"


def test_the_table_is_filtered_and_downloaded_as_csv(page) -> None:
    page.fill("#filter", "ile-de-france")
    shown = page.locator("#rows tr")
    assert shown.count() == 6
    assert page.locator("#count").inner_text() == "6 lignes"
    with page.expect_download() as awaited:
        page.click("#download")
    rows = list(csv.DictReader(io.StringIO(Path(awaited.value.path()).read_text())))
    assert {(row["geography"], row["area_code"]) for row in rows} == {("region", "11")}
    frame = cells().set_index(["unit_type", "indicator", "statistic", "geography", "area_code", "size_class"])
    for row in rows:
        key = tuple(row[name] for name in frame.index.names)
        value = frame.loc[key, "estimate"]
        assert row["estimate"] == ("" if value != value else str(value))


def test_both_languages_and_the_keyboard(page) -> None:
    assert page.locator("html").get_attribute("lang") == "fr"
    page.click("button[data-language=en]")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").inner_text().startswith("Social action")
    page.locator("#shapes path[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#reading").inner_text().startswith("Aisne")
    assert page.locator("#shapes path[tabindex='0']").count() == 1


def test_what_the_map_said_last_follows_language_and_indicator(page) -> None:
    assert page.locator("#reading").inner_text().startswith("Survolez")
    page.locator("#inset path[data-code='75']").hover()
    before = page.locator("#reading").inner_text()
    assert before.startswith("Paris")
    page.select_option("#indicator", "ccas")
    assert page.locator("#reading").inner_text().startswith("Paris")
    assert page.locator("#reading").inner_text() != before
    inset = page.locator("#inset path[data-code='92']").get_attribute("fill")
    fill = page.locator("#shapes path[data-code='92']").get_attribute("fill")
    assert inset.removesuffix("-inset)") == fill.removesuffix(")")


def test_each_open_bar_carries_its_interval(page) -> None:
    frame = cells()
    frame = frame[(frame["unit_type"] == "commune") & (frame["statistic"] == "share")]
    frame = frame[(frame["geography"] == "france") & (frame["indicator"] == "ccas")]
    page.select_option("#indicator", "ccas")
    drawn = page.locator("#chart .bar i").evaluate_all(
        "lines => lines.map(line => [line.style.left, line.style.width].map(parseFloat))"
    )
    own = frame[frame["status"] == "V"].sort_values(
        "size_class", key=lambda sizes: sizes.replace("total", "")
    )
    wanted = [
        [100 * low, 100 * (high - low)] for low, high in zip(own["ci_low"], own["ci_high"], strict=True)
    ]
    assert drawn == [pytest.approx(line, abs=1e-3) for line in wanted]


def test_a_telephone_shows_the_estimates_without_scrolling_aside(page) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    try:
        for place in ("html", ".scroll"):
            wide = page.locator(place).evaluate("one => one.scrollWidth - one.clientWidth")
            assert wide <= 0, place
        assert page.locator("#head th:visible").all_inner_texts() == [
            "Territoire", "Taille", "Estimation", "Intervalle à 95\xa0%"
        ]  # fmt: skip
        assert "Région" in page.locator("#rows tr").nth(7).inner_text()
    finally:
        page.set_viewport_size({"width": 1280, "height": 1600})


def test_axe_finds_nothing_serious(page, tmp_path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    assert [violation["id"] for violation in found if violation["impact"] in ("serious", "critical")] == []
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)


def test_the_page_says_no_suppressed_number(tmp_path) -> None:
    import json
    import re

    write(content(), tmp_path)
    text = (tmp_path / PATH).read_text()
    told = json.loads(re.search(r'id="content">(.*?)</script>', text, re.S).group(1))
    listed = [
        cell
        for unit in told["cells"].values()
        for own in unit.values()
        for part in own.values()
        for cell in part
    ]
    assert len(listed) == len(cells())
    assert all(cell[3:6] == [None] * 3 and cell[7] is None for cell in listed if cell[6] != "V")


def test_a_suppressed_bar_is_hatched_and_never_a_length(page) -> None:
    frame = cells()
    frame = frame[(frame["unit_type"] == "commune") & (frame["statistic"] == "share")]
    closed = frame[(frame["geography"] == "france") & (frame["status"] != "V")]
    page.select_option("#indicator", closed["indicator"].iloc[0])
    hatched = page.locator("#chart b.hatched")
    assert hatched.count() == page.locator("#chart li", has_text="Secret statistique").count() > 0
    drawn = hatched.first.evaluate("bar => getComputedStyle(bar).backgroundImage")
    assert "repeating-linear-gradient" in drawn
