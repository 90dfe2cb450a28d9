"""A release goes to a folder and to an S3 store: whole, once, and resumed where it stopped."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_dagster.errors import ReleaseError
from asco_dagster.publication.destinations import push_to_store
from asco_dagster.releases.store import MANIFEST
from asco_testing.worlds.tiny_release import released


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return released(tmp_path)


@pytest.fixture(params=["folder", "s3"])
def address(request, tmp_path: Path, monkeypatch) -> Iterator[str]:
    if request.param == "folder":
        yield str(tmp_path / "elsewhere")
        return
    moto = pytest.importorskip("moto.server")
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        import s3fs
        from fsspec.config import conf

        host, port = store.get_host_and_port()
        options = {"key": "test", "secret": "test", "endpoint_url": f"http://{host}:{port}"}
        monkeypatch.setitem(conf, "s3", options)
        s3fs.S3FileSystem.clear_instance_cache()
        bucket = f"public-{secrets.token_hex(4)}"  # moto keeps its buckets from one server to the next
        s3fs.S3FileSystem(**options).mkdir(bucket)
        yield f"s3://{bucket}/asco"
    finally:
        store.stop()


def test_a_push_is_whole_and_made_once(release: Path, address: str) -> None:
    from fsspec.core import url_to_fs

    first = push_to_store(release, address)
    assert first.sent == ["tables/a.csv", "tables/b.csv", MANIFEST]
    store, root = url_to_fs(address)
    assert store.cat_file(f"{root}/2014/1.0.0/tables/b.csv") == (release / "tables" / "b.csv").read_bytes()
    assert push_to_store(release, address).sent == []


def test_an_interrupted_push_is_resumed(release: Path, address: str) -> None:
    from fsspec.core import url_to_fs

    store, root = url_to_fs(address)
    store.makedirs(f"{root}/2014/1.0.0/tables", exist_ok=True)
    store.put_file(str(release / "tables" / "a.csv"), f"{root}/2014/1.0.0/tables/a.csv")
    store.pipe_file(f"{root}/2014/1.0.0/tables/b.csv", b"cut sho")  # stopped in the middle
    pushed = push_to_store(release, address)
    assert (pushed.there, pushed.sent) == (["tables/a.csv"], ["tables/b.csv", MANIFEST])


def test_another_release_of_that_version_is_not_overwritten(
    release: Path, address: str, tmp_path: Path
) -> None:
    push_to_store(release, address)
    with pytest.raises(ReleaseError, match="another version"):
        push_to_store(released(tmp_path / "other", text="other"), address)


def _held(address: str) -> dict[str, bytes]:
    from fsspec.core import url_to_fs

    store, root = url_to_fs(address)
    store.invalidate_cache()
    return {path.partition("1.0.0/")[2]: store.cat_file(path) for path in store.find(f"{root}/2014/1.0.0")}


@pytest.mark.parametrize("beside", [False, True])
def test_a_file_renamed_or_copied_by_hand_is_there_once(release: Path, address: str, beside: bool) -> None:
    from fsspec.core import url_to_fs

    push_to_store(release, address)
    whole = _held(address)
    store, root = url_to_fs(address)
    folder = f"{root}/2014/1.0.0/tables"
    (store.copy if beside else store.mv)(f"{folder}/b.csv", f"{folder}/b (copie).csv")
    store.pipe_file(f"{folder}/LISEZ-MOI.txt", b"from the editor")
    pushed = push_to_store(release, address)
    assert (pushed.sent, pushed.removed) == ([], ["tables/b (copie).csv"] if beside else [])
    assert _held(address) == {**whole, "tables/LISEZ-MOI.txt": b"from the editor"}


def test_a_file_altered_by_hand_is_sent_again(release: Path, address: str) -> None:
    from fsspec.core import url_to_fs

    push_to_store(release, address)
    whole = _held(address)
    store, root = url_to_fs(address)
    store.pipe_file(f"{root}/2014/1.0.0/tables/a.csv", b"altered")
    assert push_to_store(release, address).sent == ["tables/a.csv"]
    assert _held(address) == whole
