"""No trace of a suppressed value: markers planted in suppressed cells are sought in all that comes out.

The numbers of suppressed cells, the columns that only the rules need, the intruder's intervals and the
reasons are overwritten with markers in a copy of a released wave; publication, gates and what the UI receives
are made again from it, and every byte is searched.
"""

import shutil
import sqlite3
from types import SimpleNamespace

import duckdb
import pandas as pd
import pytest

from asco_dagster.confidentiality.log import cells_metadata, disclosure_log
from asco_dagster.gates.history.page import write_history_page
from asco_dagster.gates.history.store import keep_figures
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS
from asco_dagster.operations.instance import open_instance
from asco_dagster.orchestration.checks import run_gate
from asco_dagster.orchestration.dbt_run import build
from asco_dagster.orchestration.wave_step import describe
from asco_dagster.publication.assets import content_of
from asco_dagster.publication.quality_report.indicators import key_figures
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import CELLS, ReleasedTable, Table, contract_of
from asco_dagster.releases.disclosure import rules_of
from asco_dagster.releases.formats import csv_international, parquet, write_content
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database, read_table
from asco_dagster.waves import load_wave
from asco_testing.publication.released_bytes import said

MARK = "77123"  # every planted number begins so, before and after rounding
WORD = "PLANTED-REASON"
MODELS = ["sec_profile__departements", "pub_asco__cells", "pub_profile__departements"]
GATED = ["sec_asco__cells", "sec_asco__audit", "sec_asco__disclosure_log", *MODELS]


@pytest.fixture(scope="module")
def planted(released, tmp_path_factory):
    """Places of a copy of the released wave with markers in all that must not come out."""
    home = tmp_path_factory.mktemp("planted")
    shutil.copytree(released[0] / "waves", home / "waves")
    shutil.copytree(released[0] / "dbt", home / "dbt")
    places = Places(home)
    assert MARK not in "".join(
        text for _, text in said(released[0] / "releases" / "2014" / "1.0.0" / "tables")
    )
    with duckdb.connect(str(places.database("2014"))) as database:
        names = (*contract_of(CELLS).named("measure"), *AUXILIARY)
        marks = {name: 7712300 + number + 0.25 for number, name in enumerate(names)}
        hidden = ", ".join(f"{name} = {mark}" for name, mark in marks.items() if name != "denominator")
        database.execute(
            f"update confidentiality.sec_asco__cells set {hidden}, denominator = 7712388.25, "
            f"quality_flag = 'ok', reason = '{WORD}' where status <> 'V'"
        )
        inner = ", ".join(
            f"{name} = 7712399" for name in AUXILIARY if name not in ("numerator", "denominator")
        )
        database.execute(f"update confidentiality.sec_asco__cells set {inner}")
        database.execute("update confidentiality.sec_asco__audit set low = 7712377, high = 7712378")
        database.execute(f"update confidentiality.sec_asco__disclosure_log set reason = '{WORD}'")
    build(MODELS, wave=load_wave("2014"), places=places)
    return places


def test_no_released_byte_carries_a_marker(planted, tmp_path):
    wave = load_wave("2014")
    with open_database(planted.database("2014")) as database:
        written = write_content(content_of(SimpleNamespace(wave=wave, database=database)), tmp_path)
    assert len(written) >= 8
    files = dict(said(tmp_path))
    assert len(files) >= len(written)
    for name, text in files.items():
        assert MARK not in text, name
        assert WORD not in text, name


def test_the_search_finds_a_marker_that_is_there(planted, tmp_path):
    with open_database(planted.database("2014")) as database:
        leaky = database.sql(
            "select * exclude (reason) from confidentiality.sec_asco__cells limit 5000"
        ).to_arrow_table()
    label = {"fr": "x", "en": "x"}
    columns = {name: {"name_fr": name, "label": label, "role": "attribute"} for name in leaky.column_names}
    declared = Table.model_validate(
        {"name": "leaky", "file": "tables/leaky", "label": label, "columns": columns}
    )
    content = Content(load_wave("2014"), {"leaky": ReleasedTable(declared, leaky)}, {})
    for kind in (parquet, csv_international):
        kind.FORMAT.write(content, tmp_path)
    found = {name.split(":")[0] for name, text in said(tmp_path) if MARK in text}
    assert found == {"tables/leaky.parquet", "tables/leaky.csv"}
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "tables")
    assert any(MARK in text for name, text in said(tmp_path) if name.startswith("packed.zip:leaky.csv"))


def test_gates_and_what_the_ui_receives_carry_no_marker(planted):
    wave, settings = load_wave("2014"), Settings(home=planted.home)
    told = []
    with open_database(planted.database("2014")) as database:
        for asset in GATED:
            told.append(f"{asset} {run_gate(database, asset, wave, planted, settings)}")
            told.append(f"{asset} {describe(database, asset)}")
        cells = database.sql("select * from confidentiality.sec_asco__cells").df()
    families = pd.DataFrame({"loss": [2.0, 5.0], "bound": [2.0, 4.0]})
    told.append(str(cells_metadata(cells, rules_of(wave), families, 1.0)))
    kept = [text for name, text in said(planted.gates("2014")) if "sec_" in name or "pub_" in name]
    assert len(kept) >= len(GATED)
    pages = [text for name, text in said(planted.quality("2014")) if "sec_" in name or "pub_" in name]
    assert len(pages) >= len(GATED)
    for text in (*told, *kept, *pages):
        assert MARK not in text, text[max(0, text.find(MARK) - 200) : text.find(MARK) + 50]


def test_the_history_of_runs_carries_no_marker(planted):
    waves, wave = planted.wave("2014").parent, load_wave("2014")
    with open_database(planted.database("2014")) as database:
        for asset in GATED:
            run_gate(database, asset, wave, planted, Settings(home=planted.home), "planted")
        indicators = read_table(database, "pub_asco__quality_report")
        keep_figures(waves / "2014", "planted", key_figures(indicators, database))
    page = write_history_page(waves, planted.quality("2014"), "2014").read_text(encoding="utf-8")
    assert page.count("planted") > 50
    with sqlite3.connect(waves / "2014" / "history.sqlite") as store:
        kept = "\n".join(store.iterdump())
    assert "planted" in kept
    for text in (page, kept):
        assert MARK not in text, text[max(0, text.find(MARK) - 200) : text.find(MARK) + 50]


def test_the_log_of_reasons_holds_no_number_of_a_cell(planted):
    with open_database(planted.database("2014")) as database:
        cells = database.sql("select * from confidentiality.sec_asco__cells").df()
    log = disclosure_log(cells, [])
    assert set(log.columns) == {*KEYS, "status", "reason", "closed_since", "published_in"}


def test_dagsters_storage_knows_no_suppressed_value(released):
    """True totals of suppressed cells, to nine digits, are sought in every event of every run."""
    home = released[0]
    with duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True) as database:
        values = database.sql(
            "select estimate from confidentiality.sec_asco__cells "
            "where status <> 'V' and statistic = 'total' and estimate > 100 and estimate % 1 <> 0"
        ).fetchall()
    needles = {text for (value,) in values if len(text := f"{value:.9g}") == 10}
    assert len(needles) > 300
    settings = Settings(home=home)
    with open_instance(settings, Places.of(settings)) as instance:
        runs = [record.run_id for record in instance.get_runs()]
        events = [str(entry) for run in runs for entry in instance.all_logs(run)]
    assert len(events) > 100
    everything = "\n".join(events)
    assert not [needle for needle in needles if needle in everything]
    for folder in (home / "releases", home / "dagster" / "compute_logs"):
        for name, text in said(folder):
            assert not [needle for needle in needles if needle in text], name
