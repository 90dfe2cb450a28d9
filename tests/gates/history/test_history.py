"""History: kept whatever becomes of a run, shown over runs and waves, and of nothing that is confidential."""

import sqlite3
import stat
from pathlib import Path

import html5lib
import pytest

from asco_dagster.gates.history.chart import lines
from asco_dagster.gates.history.page import write_history_page
from asco_dagster.gates.history.store import (
    FILE,
    Judgement,
    figures,
    judgements,
    keep_figures,
    keep_judgement,
)
from asco_dagster.orchestration.history import SHOWN, figure_history, gate_history
from asco_dagster.storage.warehouse import open_database, read_table
from asco_testing.worlds.small_wave import SmallWave

ASSET = "raw_a__b"


def _judged(waves: Path, wave: str, run: str, rows: int, state: str = "open", failed: int = 0) -> None:
    (waves / wave).mkdir(parents=True, exist_ok=True)
    at = f"2026-01-{int(run):02}T00:00:00+00:00"
    keep_judgement(waves / wave, ASSET, Judgement(wave, run, at, state, 7, failed, rows, 0.01))


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Two waves: thirteen runs of 2014, of which the last closed the gate, and one of 2025."""
    for run in range(1, 13):
        _judged(tmp_path, "2014", f"{run}", 100 + run)
    _judged(tmp_path, "2014", "13", 50, "closed", 2)
    _judged(tmp_path, "2025", "5", 90)
    keep_figures(tmp_path / "2014", "1", {"share ccas, commune": 0.75, "frame <units>": 36_000})
    keep_figures(tmp_path / "2014", "2", {"share ccas, commune": 0.76, "unknown": float("nan")})
    keep_figures(tmp_path / "2025", "5", {"share ccas, commune": 0.70})
    return tmp_path


def test_a_step_that_is_repeated_in_its_run_is_shown_once(waves: Path) -> None:
    _judged(waves, "2014", "13", 60)
    told = [one for one in judgements(waves, ASSET)[ASSET] if one.run == "13"]
    assert [(one.rows, one.state) for one in told] == [(60, "open")]
    assert len(judgements(waves)[ASSET]) == 14


def test_the_store_is_its_owners_and_whole_after_a_kill(waves: Path) -> None:
    path = waves / "2014" / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    writer = sqlite3.connect(path)  # dies in the middle of a transaction
    writer.execute("delete from judgements")
    writer.close()
    assert len(judgements(waves, ASSET)[ASSET]) == 14


def test_a_gate_shows_its_latest_runs_and_those_of_the_other_waves(waves: Path) -> None:
    told = gate_history(waves, ASSET, "2014")
    rows = [record.data for record in told["history"].records]
    assert len(rows) == SHOWN + 1
    assert (rows[0]["run"], rows[0]["state"], rows[0]["failed"]) == ("13", "closed", "2 of 7")
    assert (rows[-1]["wave"], rows[-1]["rows"]) == ("2025", 90)
    assert "data:image/svg+xml;base64," in told["history, drawn"].value
    assert gate_history(waves, "raw_never__judged", "2014") == {}


def test_a_key_figure_is_shown_over_runs_and_waves(waves: Path) -> None:
    told = figure_history(waves, "2014", ["share ccas, commune"])
    rows = [record.data for record in told["key figures over runs and waves"].records]
    shares = [(row["wave"], row["value"]) for row in rows if row["figure"] == "share ccas, commune"]
    assert shares == [("2014", "0.7600"), ("2014", "0.7500"), ("2025", "0.7000")]
    assert "unknown" not in figures(waves)
    assert told["key figures, drawn"].value.count("![") == 1


def test_the_page_is_valid_and_shows_every_run(waves: Path) -> None:
    page = write_history_page(waves, waves / "quality", "2014").read_text(encoding="utf-8")
    parser = html5lib.HTMLParser()
    parser.parse(page)
    assert parser.errors == []
    assert page.count('<a href="/dagster/runs/') == 14
    assert "frame &lt;units&gt;" in page
    assert "frame <units>" not in page
    assert page.count('<tr class="blocked">') == 1


@pytest.mark.parametrize("series", [{}, {"2014": []}, {"2014": [3.0]}, {"2014": [1.0, 1.0], "2025": [2.0]}])
def test_a_line_is_drawn_of_whatever_is_there(series: dict[str, list[float]]) -> None:
    drawn = lines("a & b", series)
    assert html5lib.HTMLParser(strict=True).parseFragment(drawn) is not None
    assert drawn.count("<circle") == sum(len(values) for values in series.values())


def test_a_run_leaves_every_gate_and_figure_in_the_history(small_wave: SmallWave) -> None:
    from asco_dagster.definitions import defs

    waves = small_wave.places.wave("2014").parent
    names = {key.path[-1] for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert set(judgements(waves)) == names
    assert {"unit_response rate, commune", "share any_action, commune"} <= set(figures(waves))
    assert (small_wave.places.quality("2014") / "history.html").is_file()


def test_no_figure_is_of_a_suppressed_cell(small_wave: SmallWave) -> None:
    with open_database(small_wave.places.database("2014"), read_only=True) as database:
        cells = read_table(database, "pub_asco__cells")
    national = cells[(cells["geography"] == "france") & (cells["size_class"] == "total")]
    released = national[(national["statistic"] == "share") & (national["status"] == "V")]
    allowed = {f"share {row.indicator}, {row.unit_type}" for row in released.itertuples()}
    told = {name for name in figures(small_wave.places.wave("2014").parent) if name.startswith("share ")}
    assert told == allowed
