"""Wave 2014 from its deliveries to a release, at true size, and what happens when an input is broken."""

import json
import os
import re
import shutil
import stat
from pathlib import Path

import duckdb
import pytest

from asco_dagster.gates.suite import load_suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.releases.store import read_manifest
from asco_dagster.storage.places import Places

CONTRACTS = {
    "staging.stg_territory__communes": (
        "commune_code commune_name departement_code region_code epci_siren population size_class"
    ),
    "staging.stg_aid__departements": (
        "year departement_code domain measure indicator label value is_provisional "
        "source_file source_sheet source_row"
    ),
    "staging.stg_census__population": "departement_code sex age_band population",
    "staging.stg_asco__answers": "unit_id unit_type question value edit_status",
    "estimation.est_asco__sample": (
        "unit_id unit_type stratum stratum_population stratum_sample inclusion_probability response_status"
    ),
    "estimation.est_asco__weights": (
        "unit_id unit_type stratum design_weight response_group nonresponse_weight weight"
    ),
    "estimation.est_asco__indicators": "unit_id unit_type indicator value",
    "estimation.est_asco__estimates": (
        "unit_type indicator statistic geography area_code size_class estimate standard_error "
        "ci_low ci_high cv respondents weighted_units"
    ),
    "confidentiality.sec_asco__cells": (
        "unit_type indicator statistic geography area_code size_class estimate standard_error "
        "ci_low ci_high cv respondents weighted_units status quality_flag"
    ),
}


def _tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _differing(here: dict[str, bytes], there: dict[str, bytes]) -> list[str]:
    """Names only: pytest would spend hours on what differs between two large files."""
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def _database(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True)


def test_the_run_reports_every_asset_and_the_release(released: tuple[Path, str]) -> None:
    home, told = released
    for path in EXPECTATIONS.rglob("*.json"):
        assert path.stem in told
    assert "0 closed" in told
    assert f"release: {home / 'releases' / '2014' / '1.0.0'}" in told


def test_the_tables_keep_their_contracts(released: tuple[Path, str]) -> None:
    with _database(released[0]) as database:
        for table, columns in CONTRACTS.items():
            present = {row[0] for row in database.execute(f"describe {table}").fetchall()}
            assert set(columns.split()) <= present, table


def test_the_sample_has_its_size_and_the_weights_meet_the_frame(released: tuple[Path, str]) -> None:
    with _database(released[0]) as database:
        sample = dict(
            database.execute(
                "select unit_type, count(*) from estimation.est_asco__sample group by 1"
            ).fetchall()
        )
        assert sample == {"commune": 8600, "epci": 1400}
        gap = database.execute(
            """
            with frame as (
                select unit_type, region_code, count(*) as n from staging.stg_asco__units
                where unit_id not in (
                    select unit_id from estimation.est_asco__silent_units where is_imputed = 1
                )
                group by all
            ), weighted as (
                select sample.unit_type, region_code, sum(weight) as n
                from estimation.est_asco__weights
                inner join estimation.est_asco__sample as sample using (unit_id)
                group by all
            )
            select max(abs(weighted.n / frame.n - 1)), count(*)
            from frame inner join weighted using (unit_type, region_code)
            """
        ).fetchone()
        assert gap[0] < 1e-9  # large silent units represent themselves
        assert gap[1] >= 34


def test_every_gate_ran_every_expectation_of_its_suite(released: tuple[Path, str]) -> None:
    gates = Places(released[0]).gates("2014")
    for path in EXPECTATIONS.rglob("*.json"):
        result = json.loads((gates / f"{path.stem}.json").read_text())
        executed = sorted(verdict["expectation"] for verdict in result["verdicts"])
        assert executed == sorted(expectation["type"] for expectation in load_suite(path.stem).expectations)
        assert not any(verdict["fault"] for verdict in result["verdicts"])


def test_the_release_is_what_its_manifest_says(released: tuple[Path, str], asco) -> None:
    home = released[0]
    release = home / "releases" / "2014" / "latest"
    manifest = read_manifest(release)
    assert {"asset", "address", "sha256", "bytes", "invented"} == set(manifest["inputs"][0])
    assert len({entry["address"] for entry in manifest["inputs"]}) == 11
    behind = {"pub_asco__release", "pub_asco__evolution"}
    assert set(manifest["gates"]) == {p.stem for p in EXPECTATIONS.rglob("*.json")} - behind
    assert set(manifest["gates"].values()) <= {"passed", "warned"}
    verdict = asco(home, "verify", str(release))
    assert verdict.returncode == 0, verdict.stdout


def test_no_suppressed_cell_carries_a_number(released: tuple[Path, str]) -> None:
    cells = released[0] / "releases" / "2014" / "latest" / "tables" / "asco_cells.parquet"
    told = duckdb.sql(
        f"""
        select
            count(*) filter (where status <> 'V'),
            count(*) filter (where status <> 'V' and coalesce(
                estimate, standard_error, ci_low, ci_high, cv, respondents, weighted_units) is not null),
            count(*) filter (where status = 'V' and respondents < 3),
            count(*) filter (where geography = 'departement' and size_class <> 'total')
        from '{cells}'
        """
    ).fetchone()
    assert told[0] > 1000
    assert told[1:] == (0, 0, 0)


def test_verify_finds_an_altered_byte_and_a_planted_number(
    released: tuple[Path, str], asco, tmp_path: Path
) -> None:
    home = released[0]
    copy = tmp_path / "release"
    shutil.copytree((home / "releases" / "2014" / "latest").resolve(), copy)
    (copy / "tables" / "asco_cells.csv").chmod(0o644)
    (copy / "tables" / "asco_cells.csv").write_text("changed")
    verdict = asco(home, "verify", str(copy))
    assert verdict.returncode == 1
    assert "asco_cells.csv was altered" in verdict.stdout


def test_identity_stops_at_staging(released: tuple[Path, str]) -> None:
    with _database(released[0]) as database:
        names = database.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema in ('estimation', 'confidentiality', 'publication')"
        ).fetchall()
        forbidden = {"unit_code", "commune_code", "commune_name", "epci_siren", "epci_name"}
        assert not [name for name in names if name[1] in forbidden]


def test_the_working_database_is_private(released: tuple[Path, str]) -> None:
    path = released[0] / "waves" / "2014" / "asco.duckdb"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_another_home_and_key_give_the_same_bytes(
    released: tuple[Path, str], sealed_once: tuple[Path, str]
) -> None:
    """Sealed or public, since an embargo changes no number."""
    [sealed] = (sealed_once[0] / "sealed" / "2014").glob("1.0.0-*/tables")
    tables = released[0] / "releases" / "2014" / "latest" / "tables"
    assert _differing(_tree(sealed), _tree(tables)) == []
    keys = {(Places(home).keys / "pseudonym.key").read_bytes() for home in (sealed_once[0], released[0])}
    assert len(keys) == 2


def test_an_unchanged_wave_is_reported_as_unchanged(released: tuple[Path, str], asco) -> None:
    home = released[0]
    assert asco(home, "run", "2014").returncode == 0  # whatever another test has run here in between
    before = _tree(home / "releases")
    told = asco(home, "run", "2014")
    assert told.returncode == 0, told.stdout
    tables = [line for line in told.stdout.splitlines() if re.match(r" *\d+/\d+ ", line)]
    made_anew = [line for line in tables if "up to date" not in line]
    assert [line.split()[1] for line in made_anew] == ["pub_asco__release"]  # it asks every gate, every time
    assert _differing(_tree(home / "releases"), before) == []


BROKEN = {
    "dgcl-epci-communes-2014.csv": lambda raw: raw.replace(b";insee;", b";code;", 1),
    # Latin-1 is read since real files are written so; half a row is not
    "insee-populations-legales-2013-metropole.csv": lambda raw: raw[: len(raw) // 2].rsplit(b";", 2)[0],
    "insee-populations-legales-2013-dom.csv": lambda raw: raw + raw.splitlines(keepends=True)[-1],
    "insee-estim-pop-dep-sexe-aq-1975-2022.xlsx": lambda raw: raw[: len(raw) // 2],
    "drees-aide-sociale-beneficiaires-1996-2020.xlsx": lambda _: b"",
    "drees-aide-sociale-depenses-1999-2020.xlsx": lambda _: b"not a workbook",
    "drees-aide-sociale-personnel-2014-2020.xlsx": lambda raw: raw[:-200],
    "asco-sample-2014.csv": lambda raw: raw.replace(b"commune;", b"village;", 1),
    "asco-returns-communes-2014.zip": lambda raw: raw[: len(raw) // 2],
    "asco-returns-epci-2014.zip": lambda _: b"no archive at all",
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_source_stops_the_wave_with_a_sentence(
    released: tuple[Path, str], asco, tmp_path: Path, name: str
) -> None:
    home = released[0]
    before = _tree(home / "releases")
    inbox = tmp_path / "inbox"
    shutil.copytree(home / "inbox" / "2014", inbox, copy_function=os.link)
    whole = (inbox / name).read_bytes()
    (inbox / name).unlink()
    (inbox / name).write_bytes(BROKEN[name](whole))
    told = asco(home, "run", "2014", "--inbox", str(inbox))
    assert told.returncode in (1, 3), told.stdout
    assert name in "".join(line for line in told.stdout.splitlines() if "asco: " in line or "CLOSED" in line)
    assert "Traceback" not in told.stdout
    assert _differing(_tree(home / "releases"), before) == []


def test_a_file_that_is_not_there_is_named(released: tuple[Path, str], asco, tmp_path: Path) -> None:
    told = asco(released[0], "run", "2014", "--inbox", str(tmp_path))
    assert told.returncode == 3
    assert "dgcl-epci-communes-2014.csv" in told.stdout
