"""What may lie where a wave's database should be: each damage has a sentence of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from asco_dagster.errors import AscoError
from asco_dagster.storage.warehouse import open_database

MOVE = "Move it away: the next run rebuilds every table from the deliveries; or restore a backup"
WRITER = """
import duckdb, os, sys
database = duckdb.connect(sys.argv[1])
database.execute("pragma disable_checkpoint_on_shutdown")
database.execute("insert into staging.t select range, 'more' from range(1000)")
os._exit(0)  # as a kill: what was committed is in the log alone
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database of three hundred thousand rows."""
    path = tmp_path_factory.mktemp("whole") / "asco.duckdb"
    with open_database(path) as database:
        database.execute("create table staging.t as select i, md5(i::varchar) m from range(300000) r(i)")
    return path.read_bytes()


def _flipped(whole: bytes) -> bytes:
    spoilt = bytearray(whole)
    for start in range(12288 + 262144, len(whole), 262144):
        spoilt[start + 1000 : start + 1016] = b"\xde" * 16
    return bytes(spoilt)


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no bytes": (lambda _: b"", "the wave's database is empty (0 bytes); expected a DuckDB database"),
    "a text": (lambda _: b"deliveries are late\n" * 999, "or not a database: it has no header"),
    "a short text": (lambda _: b"late", "or not a database: it has no header"),
    "SQLite": (lambda _: b"SQLite format 3\0" * 500, "or not a database: it has no header"),
    "a torn header": (lambda whole: bytes(4096) + whole[4096:], "it has no header"),
    "torn after the magic": (
        lambda whole: whole[:20] + b"\xff" * 60 + whole[80:],
        "is damaged: Corrupt database file: computed checksum",
    ),
    "both copies of the header": (
        lambda whole: whole[:4096] + b"\xff" * 8192 + whole[12288:],
        "is damaged: Corrupt database file: computed checksum",
    ),
    "cut in half": (lambda whole: whole[: len(whole) // 2], "is damaged: Could not read enough bytes"),
    "cut at a hundred bytes": (lambda whole: whole[:100], "is damaged: Could not read enough bytes"),
    "spoilt blocks": (_flipped, "is damaged: Corrupt database file: computed checksum"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("read_only", [False, True])
def test_each_damage_is_named_with_its_remedy(
    tmp_path: Path, whole: bytes, damage: str, read_only: bool
) -> None:
    path = tmp_path / "asco.duckdb"
    spoil, sentence = DAMAGES[damage]
    path.write_bytes(spoil(whole))
    left = path.read_bytes()
    with pytest.raises(AscoError) as refused, open_database(path, read_only=read_only) as database:
        database.table("staging.t").fetchall()
    told = str(refused.value)
    assert told.startswith("file asco.duckdb: the wave's database is ")
    assert sentence in told
    assert told.endswith(f"{MOVE} ({path}).")
    assert path.read_bytes() == left, "what is damaged is left to whoever looks into it"


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "asco.duckdb"
    path.mkdir()
    with (
        pytest.raises(AscoError, match="the wave's database is a folder"),
        open_database(path),
    ):
        pass


def test_a_damaged_log_is_named_and_without_it_the_database_opens(tmp_path: Path, whole: bytes) -> None:
    path, log = tmp_path / "asco.duckdb", tmp_path / "asco.duckdb.wal"
    path.write_bytes(whole)
    subprocess.run([sys.executable, "-c", WRITER, str(path)], check=True)
    spoilt = bytearray(log.read_bytes())
    spoilt[len(spoilt) // 2] ^= 0xFF
    log.write_bytes(spoilt)
    with pytest.raises(AscoError) as refused, open_database(path):
        pass
    told = str(refused.value)
    assert told.startswith("file asco.duckdb.wal: the write-ahead log of the wave's database is damaged: ")
    assert told.endswith("Move that file away; the next run rebuilds what the last step wrote.")
    log.unlink()
    with open_database(path) as database:
        assert len(database.table("staging.t")) == 300000


def test_what_is_damaged_deeper_is_named_when_it_is_read(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "asco.duckdb"
    path.write_bytes(whole)
    with duckdb.connect(str(path)) as database:
        blocks = database.execute(
            "select distinct block_id from pragma_storage_info('staging.t') where segment_type = 'VARCHAR'"
        ).fetchall()
    spoilt = bytearray(path.read_bytes())
    for (block,) in blocks:
        start = 12288 + block * 262144
        spoilt[start + 5000 : start + 5016] = b"\xde" * 16
    path.write_bytes(spoilt)
    with (
        pytest.raises(AscoError, match="the wave's database is damaged: Corrupt database file"),
        open_database(path) as database,
    ):
        database.execute("select max(m) from staging.t").fetchall()


def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    """The kernel gives no more than so many bytes a file; DuckDB tells that as any other input and output."""
    code = f"""
import resource, signal
from asco_dagster.storage.warehouse import open_database
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
path = Path({str(tmp_path / "asco.duckdb")!r})
with open_database(path) as database:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
    database.execute("create table staging.t as select i, md5(i::varchar) from range(500000) r(i)")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "file asco.duckdb: the disk is full: " in done.stderr
    assert (
        "Free some disk space, then run the wave again; the interrupted step is rolled back." in done.stderr
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_database_of_another_user_is_named_with_its_owner(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "asco.duckdb"
    path.write_bytes(whole)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    tmp_path.chmod(0o755)
    code = f"""
import os, pathlib
from asco_dagster import errors, settings
from asco_dagster.storage import database_faults, encryption, warehouse
import duckdb, psutil, pandas
os.setgid(65534); os.setuid(65534)
with warehouse.open_database(pathlib.Path({str(path)!r})):
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        "may not read or write the wave's database, which belongs to user root. Run asco as that user"
        in done.stderr
    )


def test_a_database_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "asco.duckdb"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt), open_database(path):
            pass
    assert not path.exists()
    with open_database(path) as database:
        assert database.execute("select 1").fetchone() == (1,)
    assert [own.name for own in tmp_path.iterdir()] == ["asco.duckdb"]
