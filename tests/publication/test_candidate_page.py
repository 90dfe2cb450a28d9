"""The candidate's page: what changed, by indicator, the largest, why; nothing that is suppressed now."""

import datetime as dt
import re
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.publication.candidate.differences import KINDS, differences
from asco_dagster.publication.candidate.page import update_candidate_page
from asco_dagster.releases.candidate import PAGE
from asco_dagster.releases.formats import csv_international, parquet
from asco_dagster.releases.release import Provenance, Published, approve, publish
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.worlds.tiny_content import NUMBERS, cells, content

WAVE = load_wave("2014")
FILES = {"returns.zip": 100, "sample.csv": 10, "populations.csv": 5}


def _run(places: Places, frame: pd.DataFrame, files: dict[str, int], **options) -> Published:
    def write(folder: Path):
        return [
            file
            for kind in (parquet, csv_international)
            for file in kind.FORMAT.write(content(frame), folder)
        ]

    inputs = [
        {"asset": "raw_x__y", "address": name, "sha256": f"{size:x}" * 16, "bytes": size}
        for name, size in files.items()
    ]
    made = Provenance(f"code{len(files)}", inputs, {}, {"minimum_respondents": 3}, {})
    store = ReleaseStore.of(places, "2014")
    return publish("2014", store, write, made, approval_required=True, **options)


def _changed() -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Cells of which one share moves by 25 points, one total doubles, one is suppressed, one is disclosed."""
    frame = cells()
    shown, france = (
        frame["status"] == "V",
        (frame["geography"] == "france") & (frame["size_class"] == "total"),
    )
    at = {
        "share": frame.index[shown & france & (frame["statistic"] == "share")][0],
        "total": frame.index[shown & (frame["statistic"] == "total") & (frame["geography"] == "region")][0],
        "closed": frame.index[shown & (frame["statistic"] == "total")][-1],
        "opened": frame.index[~shown & (frame["statistic"] == "share")][0],
    }
    frame.loc[at["share"], "estimate"] += 0.25
    frame.loc[at["total"], "estimate"] *= 2
    frame.loc[at["closed"], NUMBERS] = None
    frame.loc[at["closed"], ["status", "quality_flag", "as_of"]] = ["c", None, None]
    frame.loc[at["opened"], ["estimate", "status"]] = [0.5, "V"]
    return frame, {name: frame.loc[place] for name, place in at.items()}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    assert _run(places, cells(), FILES).is_public
    assert update_candidate_page(places, WAVE) is None
    return places


def test_differences_are_those_that_were_planted(places: Places) -> None:
    frame, at = _changed()
    made = _run(places, frame, {**FILES, "returns.zip": 99, "late.csv": 1})
    found = differences(places.releases("2014") / "1.0.0", made.folder)
    closed = int(cells().loc[at["closed"].name, NUMBERS].notna().sum())
    counted = {kind: sum(row[kind] for row in found.indicators) for kind in KINDS}
    assert counted == {"changed": 2, "suppressed": closed, "removed": 0, "disclosed": 1}
    assert {kind: sum(row[kind] for row in found.tables) for kind in KINDS} == counted
    (share,), (total,) = found.shares, found.totals
    assert share["new"] - share["old"] == pytest.approx(0.25)
    assert total["new"] == pytest.approx(2 * total["old"])
    own = next(row for row in found.indicators if row["code"] == at["share"]["indicator"] and row["changed"])
    assert (own["statistic"], own["new"]) == ("share", at["share"]["estimate"])
    assert [(file["address"], file["state"]) for file in found.files] == [
        ("late.csv", "added"),
        ("returns.zip", "changed"),
    ]
    assert [english for _, english in found.causes] == ["the code changed (code3 → code4)"]


def test_the_page_shows_them_in_both_languages_and_goes_when_it_is_approved(places: Places) -> None:
    frame, at = _changed()
    made = _run(places, frame, {**FILES, "returns.zip": 99})
    candidate = update_candidate_page(places, WAVE)
    assert candidate is not None
    page = (places.quality("2014") / PAGE).read_text(encoding="utf-8")
    assert candidate.page == "2014/candidate.html"
    for text in (
        f"asco release approve 2014 {made.folder.name} --by NAME",
        "Rien n&#39;est publié : cette version attend une approbation.",
        "Nothing is published: this version waits for an approval.",
        "returns.zip",
        "approve_job",
        "+<span",
    ):
        assert text in page, text
    assert "25,0" in page
    assert "25.0" in page
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)  # no network
    # a cell that is suppressed now is counted, and neither its old nor its new number is shown
    old = float(cells().loc[at["closed"].name, "estimate"])
    assert f"{old:,.1f}" not in page
    approve(ReleaseStore.of(places, "2014"), "2.0.0", "Camille Martin")
    assert update_candidate_page(places, WAVE) is None
    assert not (places.quality("2014") / PAGE).exists()


def test_under_embargo_the_page_has_counts_and_no_result(places: Places) -> None:
    frame, at = _changed()
    made = _run(places, frame, FILES, public_from=dt.datetime(2999, 1, 1, tzinfo=dt.UTC))
    assert update_candidate_page(places, WAVE) is not None
    page = (places.quality("2014") / PAGE).read_text(encoding="utf-8")
    assert f"sealed/2014/{made.folder.name}" in page
    assert "2999-01-01 00:00" in page
    assert "Largest differences" not in page
    percent = f"{100 * float(at['share']['estimate']):.1f}"
    assert percent not in page
    assert percent.replace(".", ",") not in page


def test_a_whole_indicator_that_is_new_is_only_new_rows(places: Places) -> None:
    first = cells()
    places = Places(places.home / "other")
    _run(places, first[first["indicator"] != "ccas"], FILES)
    made = _run(places, first, FILES)
    candidate = update_candidate_page(places, WAVE)
    assert candidate is not None
    assert (candidate.version, made.unapproved) == ("1.1.0", True)
    assert candidate.differences.endswith("new rows")
