"""Versions follow what changed; revisions name exactly the numbers that did; nothing public is redone."""

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication.revisions import reason_of, revisions
from asco_dagster.releases import contract, embargo
from asco_dagster.releases import release as module
from asco_dagster.releases.changes import changed_numbers
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import PROFILES, released, tables
from asco_dagster.releases.formats import changelog, csv_international, parquet
from asco_dagster.releases.release import Provenance, publish, publish_sealed
from asco_dagster.releases.store import ReleaseStore, latest_release, read_manifest, versions
from asco_dagster.releases.withdrawal import finish_withdrawals, withdraw
from asco_dagster.waves import load_wave
from asco_dagster.waves.form import Text
from asco_testing.worlds.tiny_content import KEYS, cells, profiles

RULES = {"minimum_respondents": 3}
INPUTS = [{"asset": "raw_x__y", "address": "returns.zip", "sha256": "a" * 64, "bytes": 1}]
REASON = Text(fr="Réponse corrigée", en="An answer was corrected")
LATER = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases", tmp_path / "sealed", tmp_path / "withdrawn")


def _tables(frame: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    return {"asco_cells": cells() if frame is None else frame, "departement_profiles": profiles()}


def _publish(store: ReleaseStore, frames: dict[str, pd.DataFrame], **options) -> module.Published:
    import pyarrow as pa

    rows = revisions(store, {name: frames[name] for name in ("asco_cells", "departement_profiles")}, REASON)
    if len(rows):
        frames = {**frames, "revisions": rows}
    wave = load_wave("2014")
    tables = {
        name: released(name, pa.Table.from_pandas(frame, preserve_index=False))
        for name, frame in frames.items()
    }

    def write(folder: Path):
        content = Content(wave, tables, {})
        return [file for kind in (parquet, csv_international) for file in kind.FORMAT.write(content, folder)]

    def describe(folder: Path, version: module.Description):
        return changelog.FORMAT.write(wave, folder, version)

    provenance = Provenance("code", INPUTS, {}, RULES, {})
    return publish("2014", store, write, provenance, describe=describe, **options)


def _revisions(release: Path) -> pd.DataFrame:
    return pd.read_parquet(release / "tables" / "revisions.parquet")


def test_a_correction_without_a_changed_number_is_a_patch(store: ReleaseStore) -> None:
    _publish(store, _tables())
    relabelled = _tables()
    relabelled["departement_profiles"].loc[0, "departement_name"] = "L'Aude"
    made = _publish(store, relabelled)
    assert made.version == "1.0.1"
    assert not (made.folder / "tables" / "revisions.parquet").exists()
    assert (made.folder / "CHANGELOG.md").read_text().index("## 1.0.1") < (
        made.folder / "CHANGELOG.md"
    ).read_text().index("## 1.0.0")


def test_added_numbers_are_a_minor_version(store: ReleaseStore, monkeypatch) -> None:
    whole = cells()
    _publish(store, _tables(whole[whole["indicator"] != "ccas"]))
    assert _publish(store, _tables(whole)).version == "1.1.0"
    profile = _tables(whole)
    profile["departement_profiles"] = profiles().assign(rooms=[1.5, 2.5, 3.5, 4.5])
    declared = tables()[PROFILES]
    more = declared.columns[-1].model_copy(update={"name": "rooms", "name_fr": "places", "type": "double"})
    wider = declared.model_copy(update={"columns": (*declared.columns, more)})
    monkeypatch.setattr(contract, "tables", lambda: {**tables(), PROFILES: wider})
    assert _publish(store, profile).version == "1.2.0"


def test_a_planted_correction_is_named_exactly(store: ReleaseStore) -> None:
    _publish(store, _tables())
    corrected = cells()
    shown = corrected.index[corrected["status"] == "V"]
    hidden = corrected.index[corrected["status"] != "V"]
    changed, closed, opened = shown[3], shown[10], hidden[5]
    before = corrected.loc[[changed, closed]].copy()
    corrected.loc[changed, "estimate"] += 0.25
    numbers = [name for name in corrected.select_dtypes("number").columns if name not in KEYS]
    corrected.loc[closed, numbers] = None
    corrected.loc[closed, "status"] = "c"
    corrected.loc[opened, "estimate"] = 0.5
    corrected.loc[opened, "status"] = "V"
    tables = _tables(corrected)
    tables["departement_profiles"].loc[1, "population"] += 7
    made = _publish(store, tables)
    assert made.version == "2.0.0"

    rows = _revisions(made.folder)
    by_kind = dict(list(rows.groupby("change")))
    assert set(rows["former_version"]) == {"1.0.0"}
    assert set(rows["reason_fr"]) == {REASON.fr}
    own = by_kind["changed"].set_index("table")
    assert sorted(own.index) == ["asco_cells", "departement_profiles"]
    cell, profile = own.loc["asco_cells"], own.loc["departement_profiles"]
    assert tuple(cell[KEYS]) == tuple(corrected.loc[changed, KEYS])
    assert (cell["quantity"], cell["old"]) == ("estimate", before.loc[changed, "estimate"])
    assert cell["new"] == pytest.approx(cell["old"] + 0.25)
    assert (profile["indicator"], profile["area_code"], profile["new"] - profile["old"]) == (
        "population",
        "31",
        7,
    )
    # of a cell that was closed only what was public is shown, once a number of it
    assert by_kind["suppressed"]["new"].isna().all()
    public = before.loc[closed, numbers].dropna()
    assert dict(zip(by_kind["suppressed"]["quantity"], by_kind["suppressed"]["old"], strict=True)) == dict(
        public
    )
    assert by_kind["disclosed"][["quantity", "new"]].to_numpy().tolist() == [["estimate", 0.5]]
    assert by_kind["disclosed"]["old"].isna().all()
    assert len(rows) == 2 + len(public) + 1
    told = (made.folder / "CHANGELOG.md").read_text()
    assert "- asco_cells : 1 nombres changés / numbers changed." in told
    assert f"- asco_cells : {len(public)} désormais couverts par le secret / suppressed." in told
    assert "- departement_profiles : 1 nombres changés / numbers changed." in told


def test_revisions_accumulate_and_the_same_tables_make_no_new_version(store: ReleaseStore) -> None:
    _publish(store, _tables())
    second, third = cells(), cells()
    at = second.index[second["status"] == "V"][0]
    second.loc[at, "estimate"] += 1
    third.loc[at, "estimate"] += 2
    assert _publish(store, _tables(second)).version == "2.0.0"
    assert not _publish(store, _tables(second)).is_new
    made = _publish(store, _tables(third))
    assert made.version == "3.0.0"
    assert _revisions(made.folder)["former_version"].tolist() == ["1.0.0", "2.0.0"]


def test_a_reason_is_declared_or_found(store: ReleaseStore) -> None:
    assert reason_of(store, {}, INPUTS, "code", RULES).en == "First version"
    _publish(store, _tables())
    assert reason_of(store, {"2.0.0": REASON}, INPUTS, "code", RULES) == REASON
    other = [{**INPUTS[0], "sha256": "b" * 64}]
    assert "returns.zip" in reason_of(store, {}, other, "code", RULES).fr
    told = reason_of(store, {}, INPUTS, "new code", {"minimum_respondents": 5}).en
    assert "disclosure rules changed" in told
    assert "code changed" in told


def test_rows_and_columns_that_go_are_removed_numbers() -> None:
    old = pd.DataFrame({"code": ["a", "b"], "x": [1.0, 2.0], "y": [3, 4]})
    new = pd.DataFrame({"code": ["a", "c"], "x": [1.0, 9.0]})
    found = changed_numbers(old, new, ["code"])
    assert found[["code", "quantity", "change"]].to_numpy().tolist() == [
        ["a", "y", "removed"],
        ["b", "x", "removed"],
        ["b", "y", "removed"],
    ]


def test_before_its_day_a_version_is_sealed_and_nothing_public_moves(
    store: ReleaseStore, monkeypatch
) -> None:
    made = _publish(store, _tables(), public_from=LATER)
    assert made.sealed_until == LATER
    assert versions(store.releases) == []
    assert latest_release(store.releases) is None
    assert store.sealed.stat().st_mode & 0o077 == 0
    assert not _publish(store, _tables(), public_from=LATER).is_new
    with pytest.raises(ReleaseError, match="under embargo until 2999"):
        publish_sealed(store, "1.0.0")
    corrected = cells()
    corrected.loc[corrected["status"] == "V", "estimate"] += 1
    second = _publish(store, _tables(corrected), public_from=LATER)
    assert second.version == "1.0.0"  # of the former candidate nothing was public
    assert len([path for path in store.sealed.iterdir() if path.is_dir() and not path.is_symlink()]) == 1

    with pytest.raises(ConfigurationError, match="before the end of the embargo"):
        embargo.plan(store, "1.0.0", dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    embargo.plan(store, "1.0.0", LATER + dt.timedelta(days=2))
    assert embargo.due(store, LATER + dt.timedelta(days=1)) is None
    assert embargo.due(store, LATER + dt.timedelta(days=2)) == "1.0.0"
    monkeypatch.setattr(module, "_now", lambda: LATER + dt.timedelta(days=3))
    content = read_manifest(second.folder)["content_sha256"]
    public = publish_sealed(store, "1.0.0")
    manifest = read_manifest(public.folder)
    assert (manifest["content_sha256"], manifest["released_at"][:4]) == (content, "2999")
    assert latest_release(store.releases) == public.folder
    assert embargo.waiting(store) is None
    assert not publish_sealed(store, "1.0.0").is_new


def test_a_sealed_version_is_not_published_over_a_later_one(store: ReleaseStore, monkeypatch) -> None:
    _publish(store, _tables(), public_from=LATER)
    sealed = embargo.waiting(store)
    manifest = read_manifest(sealed)
    other = cells()
    other.loc[other["status"] == "V", "estimate"] += 1
    monkeypatch.setattr(embargo, "clear", lambda _: None)
    _publish(store, _tables(other))
    monkeypatch.setattr(module, "_now", lambda: LATER)
    assert manifest["former_version"] is None
    with pytest.raises(ReleaseError, match="published since"):
        publish_sealed(store, "1.0.0")


def test_a_withdrawn_version_leaves_a_tombstone_and_stays_known(store: ReleaseStore) -> None:
    _publish(store, _tables())
    corrected = cells()
    corrected.loc[corrected.index[corrected["status"] == "V"][0], "estimate"] += 1
    _publish(store, _tables(corrected))
    with pytest.raises(ConfigurationError, match="reason"):
        withdraw(store, "2.0.0", " ")
    withdraw(store, "2.0.0", "A delivery was mixed up")
    assert latest_release(store.releases).name == "1.0.0"
    assert [path.name for path in (store.releases / "2.0.0").iterdir()] == ["withdrawn.json"]
    told = json.loads((store.releases / "2.0.0" / "withdrawn.json").read_text())
    assert told["reason"] == "A delivery was mixed up"
    with pytest.raises(ReleaseError, match="was withdrawn: A delivery was mixed up"):
        read_manifest(store.releases / "2.0.0")
    assert (store.known(), store.public()) == (["1.0.0", "2.0.0"], ["1.0.0"])
    with pytest.raises(ReleaseError, match="was withdrawn"):
        _publish(store, _tables(corrected))
    assert _publish(store, _tables()).version == "3.0.0"
    withdraw(store, "1.0.0", "old")
    withdraw(store, "3.0.0", "all of it")
    assert latest_release(store.releases) is None


def test_a_withdrawal_cut_short_is_finished_by_the_next_process(store: ReleaseStore, monkeypatch) -> None:
    from asco_dagster.releases import withdrawal

    _publish(store, _tables())

    def killed(_) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(withdrawal, "sync", killed)
        withdraw(store, "1.0.0", "wrong")
    assert versions(store.releases) == []
    finish_withdrawals(store)
    assert [path.name for path in (store.releases / "1.0.0").iterdir()] == ["withdrawn.json"]
