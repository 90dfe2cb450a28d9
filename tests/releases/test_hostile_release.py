"""``asco verify`` on folders that nobody vouches for: each gets its sentence, nothing outside is opened."""

import hashlib
import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer import Typer
from typer.testing import CliRunner

from asco_dagster.cli.verify import verify
from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.releases import confined
from asco_dagster.releases import verify as verifying
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.disclosure import rounding_steps
from asco_dagster.releases.embargo import waiting
from asco_dagster.releases.formats import write_content
from asco_dagster.releases.release import Provenance, publish, publish_sealed
from asco_dagster.releases.signature import public_key, signed_bytes, signer
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.releases.verify import examine
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_testing.worlds.tiny_content import content

CELLS = "tables/asco_cells.parquet"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("signing") / "home")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Path:
    """A signed release of made-up content."""
    root, wave, made = tmp_path_factory.mktemp("written"), load_wave("2014"), content()
    provenance = Provenance("code", [], {}, wave.disclosure.model_dump(), rounding_steps(wave))
    return publish(
        "2014",
        ReleaseStore(root / "releases", root / "sealed", root / "withdrawn"),
        lambda folder: write_content(made, folder),
        provenance,
        sign=signer(settings, Places.of(settings)),
    ).folder


@pytest.fixture
def release(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that can be changed; its made-up numbers do not add up, so that the attack is left out."""
    copy = tmp_path / "elsewhere" / "1.0.0"
    shutil.copytree(written, copy)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    monkeypatch.setattr(verifying, "_disclosed", lambda *_: iter(()))
    return copy


def rewrite(release: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = release / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def lay(release: Path, name: str, body: bytes, rows: int | None = None) -> None:
    """Put a file into the folder and, as whoever made the folder would, into its manifest."""
    target = release / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
    entry = {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body), "rows": rows}
    rewrite(release, lambda manifest: manifest["files"].update({name: entry}))


def test_a_whole_release_holds(release: Path) -> None:
    assert examine(release).faults == []
    (release.parent / "latest").symlink_to(release.name)
    assert examine(release.parent / "latest").faults == []


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/hostname",
        "/etc/hostname",
        "tables/../../x",
        "tables//x",
        "./x",
        "",
        "..",
        "tables/",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "manifest.json",
        "x" * 5000,
    ],
)
def test_a_name_that_leads_out_is_refused_and_nothing_is_opened(
    name: str, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(release, lambda manifest: manifest["files"].update({name: {"sha256": "0" * 64, "bytes": 3}}))
    monkeypatch.setattr(verifying, "sha256_of", lambda path: pytest.fail(f"{path} was read"))
    [fault] = examine(release).faults
    assert fault.startswith("the manifest names “")
    assert fault.endswith("”, which is no file of the release.")
    assert len(fault) < 200


def link_file(release: Path) -> None:
    (release / CELLS).unlink()
    (release / CELLS).symlink_to("/etc/hostname")


def link_folder(release: Path) -> None:
    (release / "more").symlink_to("/etc", target_is_directory=True)


def pipe(release: Path) -> None:
    (release / CELLS).unlink()
    os.mkfifo(release / CELLS)


def door(release: Path) -> None:
    before = Path.cwd()
    os.chdir(release)  # an address of a socket may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
    os.chdir(before)


@pytest.mark.parametrize(
    ("hostile", "sentence"),
    [
        (link_file, f"{CELLS} is a symbolic link; a release holds files only."),
        (link_folder, "more is a symbolic link; a release holds files only."),
        (pipe, f"{CELLS} is neither a file nor a folder."),
        (door, "s is neither a file nor a folder."),
    ],
)
def test_what_is_no_file_is_not_opened(hostile: Callable[[Path], None], sentence: str, release: Path) -> None:
    hostile(release)
    assert examine(release).faults == [sentence]


def test_a_huge_file_is_not_read(release: Path) -> None:
    with (release / "huge.bin").open("wb") as file:
        file.truncate(2 * 1024**4)
    rewrite(
        release,
        lambda manifest: manifest["files"].update({"huge.bin": {"sha256": "0" * 64, "bytes": 2 * 1024**4}}),
    )
    assert examine(release).faults == ["huge.bin has 2199023255552 bytes; at most 1073741824 are read."]
    rewrite(release, lambda manifest: manifest["files"]["huge.bin"].update(bytes=7))
    assert examine(release).faults == ["huge.bin was altered: its sha256 is not the manifest's."]


def test_a_folder_of_countless_files_is_not_read(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "MOST_FILES", 5)
    assert examine(release).faults == ["the folder holds more than 5 files."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[1, 2]", "the manifest is not JSON"),
        (b"{", "the manifest is not JSON"),
        (b"[" * 200_000, "the manifest is not JSON"),
        (b'{"files": {}, "files": {}}', "the manifest is not JSON"),
        (b"\xff\xfe", "the manifest is not JSON"),
        (b"{}", "the manifest says nothing of files"),
        (b'{"files": []}', "the manifest says nothing of files"),
        (b'{"files": {}, "rules": {}}', "the manifest says nothing of rounding"),
        (b" " * (confined.LARGEST_MANIFEST + 1), "expected at most 16777216"),
    ],
    ids=range(9),
)
def test_a_manifest_that_is_none_is_a_sentence(text: bytes, words: str, release: Path) -> None:
    (release / "manifest.json").write_bytes(text)
    with pytest.raises(ReleaseError, match=words):
        examine(release)


def test_a_manifest_that_is_no_file_is_not_opened(release: Path) -> None:
    manifest = release / "manifest.json"
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(ReleaseError, match="the manifest is no regular file"):
        examine(release)
    manifest.unlink()
    manifest.symlink_to("/etc/hostname")
    with pytest.raises(ReleaseError, match="the manifest is no regular file"):
        examine(release)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        {"sha256": 7, "bytes": 1},
        {"sha256": "0", "bytes": -1},
        {"sha256": "0", "bytes": True},
        {"sha256": "0", "bytes": "9"},
    ],
)
def test_an_entry_without_sum_and_size_is_a_sentence(entry: object, release: Path) -> None:
    rewrite(release, lambda manifest: manifest["files"].update({"x.csv": entry}))
    assert examine(release).faults == ["the manifest says no sha256 and size of x.csv."]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("minimum_respondents", 2, "minimum_respondents 2, weaker"),
        ("minimum_respondents", 0, "minimum_respondents 0, weaker"),
        ("minimum_respondents", "3", "minimum_respondents '3', weaker"),
        ("minimum_respondents", 2.9, "minimum_respondents 2.9, weaker"),
        ("minimum_respondents", True, "minimum_respondents True, weaker"),
        ("minimum_respondents", None, "minimum_respondents None, weaker"),
        ("dominance_share", 0.851, "dominance_share 0.851, weaker"),
        ("dominance_share", 1.0, "dominance_share 1.0, weaker"),
        ("dominance_share", float("nan"), "dominance_share nan, weaker"),
        ("group_threshold", 9, "group_threshold 9, weaker"),
        ("protection_level", 0.09, "protection_level 0.09, weaker"),
        ("protection_level", -1, "protection_level -1, weaker"),
    ],
)
def test_rules_weaker_than_any_release_may_have_are_refused(
    name: str, value: object, words: str, release: Path
) -> None:
    rewrite(release, lambda manifest: manifest["rules"].update({name: value}))
    [fault] = examine(release).faults
    assert fault.startswith(f"the manifest declares {words} than any release may")
    rewrite(release, lambda manifest: manifest["rules"].pop(name))
    assert len(examine(release).faults) == 1


def test_stricter_rules_and_those_of_other_versions_are_read(release: Path) -> None:
    rules = {"minimum_respondents": 5, "dominance_share": 0.5, "protection_level": 0.2, "later_rule": 1}
    rewrite(release, lambda manifest: manifest["rules"].update(rules))
    assert examine(release).faults == []


@pytest.mark.parametrize("step", [0, -1e-6, None, "1e-6", float("inf"), True])
def test_a_rounding_that_is_none_is_refused(step: object, release: Path) -> None:
    rewrite(release, lambda manifest: manifest["rounding"].update(share=step))
    [fault] = examine(release).faults
    assert fault.startswith("the manifest declares the rounding step ")


@pytest.mark.parametrize(("kind", "step"), [("share", 0.01), ("total", 100), ("weighted_units", 10.0)])
def test_a_rounding_coarser_than_the_numbers_is_refused(kind: str, step: float, release: Path) -> None:
    rewrite(release, lambda manifest: manifest["rounding"].update({kind: step}))
    [fault] = examine(release).faults
    assert fault.endswith(f"numbers ({kind}) are finer than the declared rounding to {step:g}.")


def test_a_file_that_is_not_what_its_name_says_is_a_sentence(release: Path) -> None:
    lay(release, CELLS, b"no parquet", 3)
    assert examine(release).faults == [f"{CELLS} is no Parquet file (ArrowInvalid)."]
    lay(release, "tables/asco_tables.xlsx", b"no zip")
    assert examine(release).faults[-1] == "tables/asco_tables.xlsx is no workbook (BadZipFile)."


def test_a_table_that_unpacks_to_more_than_a_release_is_not_read(release: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.parquet"
    pd.DataFrame({"a": pd.Series(7, index=range(confined.MOST_ROWS + 1), dtype="int8")}).to_parquet(bomb)
    assert bomb.stat().st_size < 100_000
    lay(release, "tables/bomb.parquet", bomb.read_bytes(), confined.MOST_ROWS + 1)
    [fault] = examine(release).faults
    assert fault.startswith("tables/bomb.parquet unpacks to 5000001 rows and ")


@pytest.mark.slow
def test_a_workbook_that_unpacks_to_more_than_a_release_is_not_read(release: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book,
        book.open("sheet.xml", "w", force_zip64=True) as sheet,
    ):
        for _ in range(1025):
            sheet.write(bytes(1024**2))
    lay(release, "tables/bomb.xlsx", bomb.read_bytes())
    [fault] = examine(release).faults
    assert fault == "tables/bomb.xlsx unpacks to 1074790400 bytes, more than a release holds."


def test_a_release_without_its_cells_is_a_sentence(release: Path) -> None:
    (release / CELLS).unlink()
    rewrite(release, lambda manifest: manifest["files"].pop(CELLS))
    assert examine(release).faults == [f"{CELLS} is not among the files of the release."]


def test_what_cannot_be_read_to_the_end_does_not_hold(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "_disclosed", lambda *_: (1 / 0 for _ in range(1)))
    assert examine(release).faults == ["the release cannot be read to the end: ZeroDivisionError"]


@pytest.fixture
def key(settings: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "public.pem"
    path.write_text(public_key(Places.of(settings)))
    return path


def test_the_signature_of_the_home_holds(release: Path, key: Path) -> None:
    assert examine(release, key).faults == []
    app = Typer()
    app.command()(verify)
    held = CliRunner().invoke(app, [str(release), "--public-key", str(key)], catch_exceptions=True)
    assert held.exit_code == 1  # the attack is left out, so that there are no figures to print
    assert isinstance(held.exception, KeyError)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m["rules"].update(minimum_respondents=4), "was altered: its signature does not hold."),
        (lambda m: m["files"][CELLS].update(rows=1), "was altered: its signature does not hold."),
        (lambda m: m.update(note="more"), "was altered: its signature does not hold."),
        (lambda m: m.pop("signature"), "is not signed."),
        (lambda m: m.update(signature="x"), "the signature of the manifest cannot be read."),
        (lambda m: m["signature"].update(value="%%%"), "the signature of the manifest cannot be read."),
        (lambda m: m["signature"].update(value=""), "was altered: its signature does not hold."),
        (lambda m: m["signature"].update(algorithm="none"), "is not signed with Ed25519."),
    ],
)
def test_a_manifest_whose_signature_does_not_hold_is_refused(
    change: Callable[[dict[str, Any]], object], sentence: str, release: Path, key: Path
) -> None:
    rewrite(release, change)
    [fault] = examine(release, key).faults
    assert fault.endswith(sentence)


def test_another_home_signs_with_another_key(release: Path, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other")
    path = tmp_path / "other.pem"
    path.write_text(public_key(Places.of(other)))
    [fault] = examine(release, path).faults
    assert fault.startswith("the manifest was signed with another key (")


@pytest.mark.parametrize(
    "text", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"]
)
def test_a_public_key_that_is_none_is_a_sentence(text: str, release: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(text)
    with pytest.raises(
        ConfigurationError, match="holds no public key; expected an Ed25519 public key as PEM"
    ):
        examine(release, tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="holds no public key"):
        examine(release, tmp_path / "absent.pem")


def test_the_manifest_is_all_that_a_signature_changes(tmp_path: Path, settings: Settings) -> None:
    def write(folder: Path) -> list[ReleasedFile]:
        (folder / "a.csv").write_text("x\r\n")
        return [ReleasedFile("a.csv", 0)]

    def made(name: str, sign: Any) -> Path:
        store = ReleaseStore(*(tmp_path / name / part for part in ("releases", "sealed", "withdrawn")))
        return publish("2014", store, write, Provenance("code", [], {}, {}, {}), sign=sign).folder

    signed, plain = made("signed", signer(settings, Places.of(settings))), made("plain", None)
    one, other = (json.loads((folder / "manifest.json").read_text()) for folder in (signed, plain))
    assert set(one) - set(other) == {"signature"}
    assert one["content_sha256"] == other["content_sha256"]
    assert sorted(path.name for path in signed.iterdir()) == ["a.csv", "manifest.json"]
    assert signed_bytes(one) == signed_bytes({**one, "signature": None})


def test_a_sealed_version_is_signed_again_on_its_day(
    tmp_path: Path, settings: Settings, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime as dt

    from asco_dagster.releases import release as releasing

    def write(folder: Path) -> list[ReleasedFile]:
        (folder / "a.csv").write_text("x\r\n")
        return [ReleasedFile("a.csv", 0)]

    store = ReleaseStore(*(tmp_path / part for part in ("releases", "sealed", "withdrawn")))
    sign = signer(settings, Places.of(settings))
    day = dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
    publish("2014", store, write, Provenance("c", [], {}, {}, {}), public_from=day, sign=sign)
    monkeypatch.setattr(releasing, "_now", lambda: day)
    sealed = waiting(store)
    assert sealed is not None
    for folder in (sealed, publish_sealed(store, "1.0.0", sign).folder):
        manifest = json.loads((folder / "manifest.json").read_text()) if folder.exists() else None
        if manifest is not None:
            assert verifying.signature_fault(manifest, verifying.read_public_key(key)) is None
    assert manifest is not None
    assert manifest["released_at"] == "2031-01-01T00:00:00+00:00"


def test_machines_that_share_a_store_sign_only_with_a_key_that_was_put_there(
    settings: Settings, tmp_path: Path
) -> None:
    shared = Settings(home=tmp_path / "pod", store="s3://office/asco")
    assert signer(shared, Places.of(shared)) is None
    key = Places.of(shared).keys / "signing.key"
    key.write_bytes((Places.of(settings).keys / "signing.key").read_bytes())
    key.chmod(0o600)
    assert public_key(Places.of(shared)) == public_key(Places.of(settings))
    assert signer(shared, Places.of(shared)) is not None
