"""Before its day a sealed version is shown by nothing: not by a page, a log, the run history or a command.

The demonstration is run with an embargo; then everything outside the sealed folder and the wave's database
is searched for the sealed numbers, as they are and as people write them.
"""

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.monitoring.metrics import exposition
from asco_dagster.operations.upkeep.run_history import write_history
from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.waves import load_wave

pytestmark = pytest.mark.long

WAVE = "2014"
# denominators are population totals of the public frame, which the calibration shows as its margins
NUMBERS = ("estimate", "ci_low", "ci_high")
CONFIDENTIAL = {"sealed", "inbox", "demonstration", "postgres"}  # postgres is searched as tables
NEAR = 240  # characters behind the name of an indicator in which a rounded number counts as its own


def opened(content: bytes) -> Iterator[str]:
    """What a file says: its text, and the pictures within."""
    text = content.decode("utf-8", errors="replace")
    yield text
    for picture in re.findall(r"base64,([A-Za-z0-9+/=]{40,})", text):
        yield base64.b64decode(picture + "=" * (-len(picture) % 4)).decode("utf-8", errors="replace")


@pytest.fixture(scope="module")
def told(sealed_once: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All that is served, stored or printed outside the sealed folder and the confidential database."""
    home, printed = sealed_once
    found = {"printed": printed}
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home)
        if not path.is_file() or path.is_symlink() or inside.parts[0] in CONFIDENTIAL:
            continue
        if path.name.startswith("asco.duckdb"):
            continue
        if path.suffix == ".sqlite":
            with sqlite3.connect(path) as store:
                found[str(inside)] = "\n".join(store.iterdump())
        else:
            found[str(inside)] = "\n".join(opened(path.read_bytes()))
    settings, tables = Settings(home=home), tmp_path_factory.mktemp("tables")
    places = Places.of(settings)
    with open_instance(settings, places) as instance, storage(settings, places) as url:
        found["metrics"] = exposition(instance, places).decode()
        for path in write_history(url, tables):
            found[f"PostgreSQL {path.stem}"] = "\n".join(opened(path.read_bytes()))
    return found


@pytest.fixture(scope="module")
def cells(sealed_once: tuple[Path, str]) -> pd.DataFrame:
    """The sealed cells that will be public."""
    [path] = (sealed_once[0] / "sealed" / WAVE).glob("1.0.0-*/tables/asco_cells.parquet")
    cells = pd.read_parquet(path)
    return cells[cells["status"] == "V"]


def written(value: float) -> set[str]:
    """A number with all its digits, with a point, a comma and blanks between."""
    forms = {f"{value:.6f}".rstrip("0"), repr(value), f"{value:,.1f}"}
    forms |= {form.replace(",", " ") for form in forms} | {form.replace(",", "\u202f") for form in forms}
    return forms | {form.replace(".", ",") for form in forms}


def rounded(value: float) -> set[str]:
    """A share as people round it."""
    forms = {f"{value:.4f}", f"{value:.3f}", f"{100 * value:.2f}", f"{100 * value:.1f}"}
    return forms | {form.replace(".", ",") for form in forms}


def test_everything_was_searched(told: dict[str, str], sealed_once: tuple[Path, str]) -> None:
    assert not list((sealed_once[0] / "releases" / WAVE).glob("1*"))
    for name in (
        f"quality/{WAVE}/report/index.html",
        f"quality/{WAVE}/history.html",
        f"quality/{WAVE}/publication/pub_asco__cells.html",
        f"waves/{WAVE}/history.sqlite",
        "PostgreSQL event_logs",
        "metrics",
    ):
        assert len(told[name]) > 500, name
    assert "sealed until 2099-01-01T" in told["PostgreSQL event_logs"]
    assert "unit_response rate, commune" in told[f"waves/{WAVE}/history.sqlite"]


def test_no_sealed_number_is_shown_with_its_digits(told: dict[str, str], cells: pd.DataFrame) -> None:
    values = pd.unique(cells[list(NUMBERS)].to_numpy().ravel())
    # six digits are a number's own; fewer are also a count or a rate of something else
    many = [v for v in values.astype(float) if v == v and len(f"{v:.6f}".strip("0.").replace(".", "")) >= 6]
    assert len(many) > 1000
    forms = {form: value for value in many for form in written(float(value)) if len(form) >= 6}
    number = re.compile(r"(?<![\w.,])\d[\d.,]*\d(?:[ \u202f]\d{3}(?:[.,]\d+)?)*(?![\w])")
    hits = {
        f"{name}: {found} is {forms[found]}"
        for name, text in told.items()
        for found in set(number.findall(text))
        if found in forms
    }
    assert not hits


def test_no_national_share_is_shown_rounded_beside_its_name(
    told: dict[str, str], cells: pd.DataFrame
) -> None:
    national = cells[
        (cells["geography"] == "france") & (cells["size_class"] == "total") & (cells["statistic"] == "share")
    ]
    names = indicators_table(load_wave(WAVE)).drop_duplicates(["unit_type", "indicator"])
    labels = {(n.unit_type, n.indicator): (n.indicator, n.label_fr, n.label_en) for n in names.itertuples()}
    assert len(national) > 20
    hits = []
    for row in national.itertuples():
        forms = "|".join(map(re.escape, rounded(float(row.estimate))))
        for label in labels[row.unit_type, row.indicator]:
            near = re.compile(
                rf"(?<!\w){re.escape(label)}(?!\w)[^\n]{{0,{NEAR}}}?(?<![\d.,])(?:{forms})(?![\d])"
            )
            # a label alone is found many times faster than a pattern that looks behind itself
            alone = re.compile(re.escape(label))
            hits += [
                (name, found[0])
                for name, text in told.items()
                for place in alone.finditer(text)
                if (found := near.match(text, place.start()))
            ]
    assert not hits


def test_the_search_finds_what_it_must(cells: pd.DataFrame, sealed_once: tuple[Path, str]) -> None:
    """The report within the sealed version tells them, in the same forms."""
    [report] = (sealed_once[0] / "sealed" / WAVE).glob("1.0.0-*/report/index.html")
    text = report.read_text(encoding="utf-8")
    published = cells[(cells["geography"] == "france") & (cells["statistic"] == "share")]
    found = [value for value in published["estimate"] if any(f"{form} %" in text for form in rounded(value))]
    assert len(found) > 3
    assert json.dumps({"share": 0.123456})[10:18] in written(0.123456)
