"""A wave between two homes: only what changed moves, a killed upload leaves the former state whole."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store import held as helds
from asco_dagster.storage.shared_store.contents import index_key
from asco_dagster.storage.shared_store.held import download_for_pages, hold, upload_releases
from asco_dagster.storage.shared_store.inbox import deliver, remove_purged
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.storage.shared_store.state import read_state, state_key

pytestmark = pytest.mark.slow

Worker = Callable[[str], Settings]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def release(places: Places, version: str, text: str) -> None:
    folder = places.releases("2014") / version
    put(folder / "tables" / "a.csv", text)
    put(folder / "manifest.json", json.dumps({"content": text}))
    link = places.releases("2014") / "latest"
    link.unlink(missing_ok=True)
    link.symlink_to(version)


def made(settings: Settings, text: str, version: str = "") -> None:
    """A run of wave 2014 that writes a little."""
    places = Places.of(settings)
    with hold(settings, places, "2014", f"run of {settings.home.name}") as held:
        put(places.database("2014"), text)
        put(places.gates("2014") / "raw.json", "{}")
        if version:
            release(places, version, text)
            upload_releases(settings, "2014")
        held.upload()


def told(home: Path) -> dict[str, str]:
    """Every file of the wave, with its text."""
    found = {}
    for top in ("waves", "releases", "sealed", "withdrawn", "quarantine", "quality"):
        for path in sorted((home / top).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(home).as_posix()] = path.read_text()
    return found


def test_what_one_worker_made_another_goes_on_with(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    made(first, "one", "1.0.0")
    with hold(second, Places.of(second), "2014", "run") as held:
        assert held.downloaded == 5
        assert told(second.home) == told(first.home)
        latest = second.home / "releases" / "2014" / "latest"
        assert str(latest.readlink()) == "1.0.0"
        assert not (second.home / "releases" / "2014" / "1.0.0" / "manifest.json").stat().st_mode & 0o222
        assert (second.home / "waves" / "2014" / "asco.duckdb").stat().st_mode & 0o777 == 0o600


def test_only_changed_objects_move(worker: Worker, monkeypatch) -> None:
    first, second = worker("first"), worker("second")
    made(first, "one", "1.0.0")
    sent: list[str] = []
    add = Store.add
    monkeypatch.setattr(Store, "add", lambda self, key, body: (sent.append(key), add(self, key, body))[1])
    with hold(second, Places.of(second), "2014", "run") as held:
        put(second.home / "waves" / "2014" / "gates" / "raw.json", "changed")
        held.upload()
    assert len(sent) == 1
    with hold(first, Places.of(first), "2014", "run") as held:
        assert held.downloaded == 1


def test_a_large_file_moves_piece_by_piece(worker: Worker, monkeypatch, store: Store) -> None:
    monkeypatch.setattr("asco_dagster.storage.shared_store.moving.PIECE", 4)
    first, second = worker("first"), worker("second")
    made(first, "aaaabbbbcc")
    kept = read_state(store, "2014").files["waves/2014/asco.duckdb"].keys
    made(first, "aaaaBBBBcc")
    now = read_state(store, "2014").files["waves/2014/asco.duckdb"].keys
    assert len(now) == 3
    assert (now[0], now[2]) == (kept[0], kept[2])
    assert store.get(kept[1]) is None, "what is replaced stays nowhere"
    with hold(second, Places.of(second), "2014", "run"):
        assert told(second.home)["waves/2014/asco.duckdb"] == "aaaaBBBBcc"


@pytest.mark.parametrize("step", range(6))
def test_an_upload_killed_at_any_step_leaves_the_former_state_whole(
    worker: Worker, monkeypatch, store: Store, step: int
) -> None:
    first, second = worker("first"), worker("second")
    made(first, "one", "1.0.0")
    before = told(first.home)

    class KilledError(BaseException):
        pass

    left = [step]
    add, write = Store.add, Store.put

    def killing(real: Callable) -> Callable:
        def call(self: Store, key: str, *rest: object, **more: object) -> object:
            if key.startswith("confidential/claims"):
                return real(self, key, *rest, **more)
            if not left[0]:
                raise KilledError
            left[0] -= 1
            return real(self, key, *rest, **more)

        return call

    with pytest.raises(KilledError), hold(first, Places.of(first), "2014", "run") as held:
        put(first.home / "waves" / "2014" / "asco.duckdb", "two")
        put(first.home / "waves" / "2014" / "gates" / "raw.json", "gates of two")
        release(Places.of(first), "2.0.0", "two")
        with monkeypatch.context() as patch:
            patch.setattr(Store, "add", killing(add))
            patch.setattr(Store, "put", killing(write))
            held.upload()
    with hold(second, Places.of(second), "2014", "run"):
        after = told(second.home)
        # the state object is the fifth write: files and manifest before it, the readers' list behind it
        assert after == (before if step < 5 else told(first.home))
        listed = json.loads(store.get(index_key("2014")).body)
        assert listed["latest"] == ("1.0.0" if step < 5 else "2.0.0")
    with hold(first, Places.of(first), "2014", "run"):
        assert told(first.home) == after, "what was never stored was never published"
    wanted = read_state(store, "2014").keys() | {index_key("2014"), state_key("2014")}
    there = {own.key for own in store.listed("") if "/claims/" not in own.key}
    assert there == wanted, "what the killed upload left is swept"


def test_an_owner_that_was_only_asleep_stores_nothing(worker: Worker, store: Store, monkeypatch) -> None:
    first, second = replace(worker("first"), lease=5.0), worker("second")
    made(first, "one", "1.0.0")
    with pytest.raises(AscoError), hold(first, Places.of(first), "2014", "run") as asleep:
        asleep.claim._over.set()
        asleep.claim._thread.join()
        put(first.home / "waves" / "2014" / "asco.duckdb", "asleep")
        release(Places.of(first), "2.0.0", "asleep")
        monkeypatch.setattr("asco_dagster.storage.shared_store.claim._SLACK", -10.0)  # the lease is over
        made(second, "two", "2.0.0")
        wanted = read_state(store, "2014")
        with pytest.raises(AscoError, match="no longer owns"):
            monkeypatch.setattr(asleep.claim, "_renewed", 0.0)
            asleep.upload()
        monkeypatch.setattr(type(asleep.claim), "require", lambda _: None)  # it looked, and slept then
        asleep.upload()
    assert read_state(store, "2014") == wanted
    with hold(first, Places.of(first), "2014", "run"):
        assert told(first.home) == told(second.home)


def test_readers_go_through_a_list_that_never_goes_back(worker: Worker, store: Store) -> None:
    first = worker("first")
    made(first, "one", "1.0.0")
    old = read_state(store, "2014")
    made(first, "two", "2.0.0")
    helds._write_index(store, "2014", old)
    listed = json.loads(store.get(index_key("2014")).body)
    assert listed["latest"] == "2.0.0"
    assert set(listed["versions"]) == {"1.0.0", "2.0.0"}
    folder = f"public/releases/2014/{listed['versions']['1.0.0']['folder']}"
    assert store.get(f"{folder}/tables/a.csv").body == b"one"
    assert store.get(f"{folder}/manifest.json") is not None


def test_a_home_of_its_own_is_never_overwritten(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    made(first, "one", "1.0.0")
    release(Places.of(second), "1.0.0", "another")
    with (
        pytest.raises(ConfigurationError, match=r"wave 2014 of the home .* does not come from this store"),
        hold(second, Places.of(second), "2014", "run"),
    ):
        pass
    assert told(second.home)["releases/2014/1.0.0/tables/a.csv"] == "another"


def test_a_home_of_its_own_becomes_the_stores_when_the_store_has_none(worker: Worker, store: Store) -> None:
    own, other = worker("own"), worker("other")
    release(Places.of(own), "1.0.0", "before the store")
    with hold(own, Places.of(own), "2014", "run") as held:
        held.upload()
    with hold(other, Places.of(other), "2014", "run"):
        assert told(other.home)["releases/2014/1.0.0/tables/a.csv"] == "before the store"


def test_deliveries_reach_every_worker_and_leave_it_again(worker: Worker, store: Store, tmp_path) -> None:
    settings = worker("worker")
    places, delivered = Places.of(settings), tmp_path / "delivered"
    office = put(settings.home / "inbox" / "2014" / "office.txt", "the office's own copy")
    put(delivered / "returns" / "one.xlsx", "answers")
    put(delivered / "aid.xlsx", "aid")
    assert deliver(store, "2014", delivered) == ["aid.xlsx", "returns/one.xlsx"]
    with hold(settings, places, "2014", "run") as held:
        assert held.downloaded == 2
        assert (places.inbox("2014") / "returns" / "one.xlsx").read_text() == "answers"
    store.delete(["confidential/inbox/2014/aid.xlsx"])
    with hold(settings, places, "2014", "run") as held:
        assert held.downloaded == 0
        assert not (places.inbox("2014") / "aid.xlsx").exists()
        assert [path.name for path in places.inbox("2014").rglob("*") if path.is_file()] == ["one.xlsx"]
        (places.inbox("2014") / "returns" / "one.xlsx").unlink()  # as a purge does
        remove_purged(store, "2014", places.inbox("2014"))
    assert not list(store.listed("confidential/inbox/"))
    assert office.read_text() == "the office's own copy"


@pytest.mark.parametrize("name", ["../out.txt", ".hidden", "a/../../out.txt"])
def test_a_name_that_leaves_the_inbox_is_refused(worker: Worker, store: Store, name: str) -> None:
    settings = worker("worker")
    store.add(f"confidential/inbox/2014/{name}", b"x")
    with (
        pytest.raises(AscoError, match="not a file name of a delivery"),
        hold(settings, Places.of(settings), "2014", "run"),
    ):
        pass


def test_pages_elsewhere_show_releases_and_gates_and_never_the_database(worker: Worker) -> None:
    runs, shows = worker("runs"), worker("shows")
    made(runs, "one", "1.0.0")
    with hold(runs, Places.of(runs), "2014", "run") as held:
        put(runs.home / "quarantine" / "2014" / "refused.json", "{}")
        put(runs.home / "downloads" / "2014" / "large.zip", "large")
        held.upload()
    download_for_pages(shows, Places.of(shows), "2014")
    wanted = {name for name in told(runs.home) if ".duckdb" not in name and "downloads" not in name}
    assert "quarantine/2014/refused.json" in wanted
    assert set(told(shows.home)) == wanted
    with hold(runs, Places.of(runs), "2014", "run"):
        release(Places.of(runs), "2.0.0", "not stored yet")
        download_for_pages(runs, Places.of(runs), "2014")  # a run here owns it
        assert "releases/2014/2.0.0/manifest.json" in told(runs.home)


def test_releases_of_other_waves_are_brought(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    made(first, "one", "1.0.0")
    with hold(second, Places.of(second), "2025", "run"):
        assert set(told(second.home)) == {
            "releases/2014/1.0.0/manifest.json",
            "releases/2014/1.0.0/tables/a.csv",
        }


def test_confidential_and_public_stand_apart(worker: Worker, store: Store) -> None:
    settings = worker("worker")
    put(settings.home / "sealed" / "2014" / "1.0.0-abc" / "manifest.json", "sealed")
    put(settings.home / "withdrawn" / "2014" / "0.9.0.json", "withdrawn")
    made(settings, "one", "1.0.0")
    public = [own.key for own in store.listed("public/")]
    assert sorted(key.split("/", 4)[-1] for key in public if "1.0.0" in key) == [
        "manifest.json",
        "tables/a.csv",
    ]
    assert len(public) == 3
    assert all(store.get(key).body != b"sealed" for key in public)


def test_a_store_that_may_not_be_written_is_reported_at_once(worker: Worker, monkeypatch) -> None:
    from botocore.exceptions import ClientError

    put = Store._put

    def refuse(self: Store, key: str, body: object, **condition: str) -> str:
        if "/claims/" in key:
            return put(self, key, body, **condition)
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")

    settings = worker("worker")
    monkeypatch.setattr(Store, "_put", refuse)
    with (
        pytest.raises(AscoError, match="cannot be written: AccessDenied"),
        hold(settings, Places.of(settings), "2014", "run"),
    ):
        pass


def test_without_a_store_nothing_is_done(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with hold(settings, Places.of(settings), "2014", "run") as held:
        assert held is None
    upload_releases(settings, "2014")
    assert not settings.home.exists()


def test_a_withdrawn_version_leaves_the_public_folder(worker: Worker, store: Store) -> None:
    settings = worker("worker")
    made(settings, "one", "1.0.0")
    places = Places.of(settings)
    with hold(settings, places, "2014", "asco release withdraw") as held:
        shutil.move(places.releases("2014") / "1.0.0", places.withdrawn("2014") / "1.0.0")
        put(places.releases("2014") / "1.0.0" / "withdrawn.json", "{}")
        (places.releases("2014") / "latest").unlink()
        held.upload_releases()
    listed = json.loads(store.get(index_key("2014")).body)
    assert (listed["latest"], listed["versions"]["1.0.0"]["withdrawn"]) == (None, True)
    assert [own.key.rsplit("/", 1)[1] for own in store.listed("public/")] == [
        "withdrawn.json",
        "versions.json",
    ]
