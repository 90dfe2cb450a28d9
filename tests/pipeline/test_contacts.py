"""Contact details stay in the inbox: every store of a home where a wave ran is searched, value by value."""

import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import psycopg2
import pytest

from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_testing.pipeline.search import stored_in_duckdb, stored_in_postgres
from asco_testing.publication.released_bytes import said, text_of, unpacked

# A name, a number and an address as the demonstration writes them, and as JSON or Latin-1 would; ten digits
# inside a longer number are no telephone.
CONTACT = re.compile(
    rb"Contact D(?:\xc3\xa9|\xe9|\\u00e9)mo \d{5}|(?<![\d.])01 ?99 ?00 ?\d\d ?\d\d(?!\d)"
    rb"|contact-\d{5}@|demo\.invalid"
)
KEPT_APART = ("inbox", "postgres")  # PostgreSQL's own files are compressed: its tables are read instead


def _carriers(stores: Iterable[tuple[str, bytes]]) -> list[str]:
    return [name for name, content in stores if CONTACT.search(content)]


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name, text in said(folder):
        yield name, text.encode("latin-1", "replace")


def test_the_returns_carry_contacts(released: tuple[Path, str]) -> None:
    """What is sought was there to be found: without it the other tests would prove nothing."""
    inbox = released[0] / "inbox" / "2014"
    shortest = min(inbox.glob("asco-returns-*.zip"), key=lambda path: path.stat().st_size)
    with zipfile.ZipFile(shortest) as returns:
        first = returns.namelist()[0]
        members = [(name, text_of(member).encode()) for name, member in unpacked(first, returns.read(first))]
    assert _carriers(members)


def test_no_database_of_the_wave_holds_one(released: tuple[Path, str]) -> None:
    stores = list(stored_in_duckdb(Places(released[0]).database("2014")))
    assert len(stores) > 300
    assert _carriers(stores) == []


def test_dagsters_storage_holds_none(released: tuple[Path, str]) -> None:
    stores = list(stored_in_postgres(released[0]))
    assert len(stores) > 100
    assert sum(len(content) for _, content in stores) > 1_000_000
    assert _carriers(stores) == []


def test_no_file_outside_the_inbox_holds_one(released: tuple[Path, str]) -> None:
    """Logs, quarantine, quality pages, releases, the generator's own truth, archives unpacked."""
    home = released[0]
    folders = [folder for folder in home.iterdir() if folder.is_dir() and folder.name not in KEPT_APART]
    assert {"waves", "releases", "quality", "dagster"} <= {folder.name for folder in folders}
    for folder in folders:
        assert _carriers(_files(folder)) == [], folder.name


@pytest.mark.parametrize("detail", ["Contact Démo 00042", "01 99 00 12 34", "contact-00042@demo.invalid"])
def test_the_search_finds_one_that_is_planted(tmp_path: Path, detail: str) -> None:
    path = tmp_path / "asco.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("create table planted as select range as n, 'nothing' as said from range(10000)")
        database.execute("update planted set said = ? where n = 4711", [detail])
    assert _carriers(stored_in_duckdb(path)) == ["planted.said"]
    (tmp_path / "page.html").write_text(f"<p>{detail}</p>", encoding="utf-8")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "page.html")
    assert {"page.html:page.html", "packed.zip:page.html"} <= set(_carriers(_files(tmp_path)))


def test_the_search_finds_one_in_dagsters_storage(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    with storage(settings, Places.of(settings)) as url:
        connection = psycopg2.connect(url.replace("+psycopg2", "", 1))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create table planted (said text, packed bytea)")
            cursor.execute("insert into planted values (%s, %s)", ("Contact Démo 00042" * 1000, b"\x00"))
        connection.close()
    assert _carriers(stored_in_postgres(home)) == ["planted.said"]
