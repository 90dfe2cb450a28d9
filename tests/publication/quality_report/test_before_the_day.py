"""What operators see of a wave under embargo: quality, and no result."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from asco_dagster.gates.history.store import figures, forget_figures, keep_figures
from asco_dagster.publication.quality_report.assets import _is_open
from asco_dagster.publication.quality_report.indicators import without_results
from asco_dagster.publication.quality_report.page import render
from asco_dagster.publication.quality_report.versions import Versions
from asco_dagster.releases import embargo
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave

INDICATORS = pd.DataFrame(
    [
        ["revision", "mean_absolute", "all", "total", "1.0.0", 0.013579],
        ["revision", "mean", "all", "total", "1.0.0", 0.013579],
        ["revision", "largest", "all", "total", "1.0.0", 0.024680],
        ["revision", "compared", "all", "total", "1.0.0", 80.0],
        *[
            ["coverage", name, unit, "total", "", 35_000.0]
            for name in ("frame_units", "sampled_units", "departements_covered", "communes_outside_epci")
            for unit in ("commune", "epci")
        ],
        ["unit_response", "rate", "commune", "total", "", 0.7531],
    ],
    columns=["concept", "indicator", "unit_type", "breakdown", "category", "value"],
)
PUBLISHED = pd.DataFrame(
    [["any_action", "share", "total", 0.8, 0.876543, 0.013579, "x", "Une action", "An action"]],
    columns=[
        *("indicator", "statistic", "size_class", "published", "estimate", "standard_error", "source"),
        *("label_fr", "label_en"),
    ],
)
SHARES = [{"unit_type": "commune", "label_fr": "Une", "label_en": "One", "values": [0.8, 0.876543]}]
LABELS = pd.DataFrame(columns=["unit_type", "code", "label_fr", "label_en"])
TOLD = ("87,7", "87.7", "1,36", "1.36", "2,47", "2.47")


@pytest.mark.parametrize("results", [True, False])
def test_a_page_that_is_served_before_the_day_shows_no_result(results: bool) -> None:
    versions = Versions(["1.0.0", ""], SHARES)
    page = render(load_wave("2014"), INDICATORS, PUBLISHED, [], LABELS, versions, [], [], results=results)
    assert [number in page for number in TOLD] == [results] * len(TOLD)
    assert "75,3" in page  # the response rate is quality
    assert ("dans le rapport diffusé, à partir du jour de la diffusion" in page) is not results


def test_the_key_figures_of_quality_hold_no_result(tmp_path: Path) -> None:
    known = {"share ccas, commune": 0.8, "revision mean, all": 0.01, "unit_response rate, commune": 0.75}
    assert without_results(known) == {"unit_response rate, commune": 0.75}
    folder = tmp_path / "2014"
    folder.mkdir()
    keep_figures(folder, "1", known)
    for beginning in ("share ", "revision "):
        forget_figures(folder, beginning)
    assert list(figures(tmp_path)) == ["unit_response rate, commune"]


def test_results_are_shown_from_the_day_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave, now = load_wave("2014"), dt.datetime.now(dt.UTC).date()

    def is_open(day: dt.date | None) -> bool:
        release = wave.release.model_copy(update={"embargo": day})
        step = SimpleNamespace(wave=wave.model_copy(update={"release": release}), places=Places(tmp_path))
        return _is_open(step)  # type: ignore[arg-type]

    assert is_open(None)
    assert not is_open(now + dt.timedelta(days=2))
    assert is_open(now - dt.timedelta(days=2))
    sealed = tmp_path / "sealed" / "2014" / "1.0.0-abc"
    sealed.mkdir(parents=True)
    (sealed.parent / embargo.NEXT).symlink_to(sealed.name)
    assert not is_open(now - dt.timedelta(days=2))  # planned for a later instant
