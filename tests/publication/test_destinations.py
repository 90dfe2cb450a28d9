"""A release goes to a folder, an S3 store and a portal: whole, once, and resumed where it stopped."""

import json
import secrets
import threading
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asco_dagster.errors import ConfigurationError, ReleaseError
from asco_dagster.publication.destinations import push_to_portal, push_to_store
from asco_dagster.publication.release import Provenance, publish
from asco_dagster.publication.shelf import MANIFEST, Shelf
from asco_dagster.publication.tables import ReleasedFile


def _released(folder: Path, text: str = "b") -> Path:
    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "tables").mkdir()
        (draft / "tables" / "a.csv").write_text("x\r\n1\r\n")
        (draft / "tables" / "b.csv").write_text(f"{text}\r\n2\r\n")
        return [ReleasedFile("tables/a.csv", 1), ReleasedFile("tables/b.csv", 1)]

    shelf = Shelf(folder / "releases", folder / "sealed", folder / "withdrawn")
    return publish("2014", shelf, write, Provenance("code", [], {}, {}, {})).folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return _released(tmp_path)


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
        push_to_store(_released(tmp_path / "other", text="other"), address)


class _Portal(BaseHTTPRequestHandler):
    """What udata documents of its API: a dataset, an upload, a resource's description; the key is checked."""

    def _reply(self, status: int, content: object) -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        self._reply(200, {"id": "asco", "resources": list(self.server.resources.values())})

    def do_POST(self) -> None:
        body = self._body()
        if self.headers["X-API-KEY"] != "secret" or self.server.uploads_left == 0:
            self._reply(401 if self.headers["X-API-KEY"] != "secret" else 503, {})
            return
        self.server.uploads_left -= 1
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = BytesParser().parsebytes(head + body).get_payload()
        made = {
            "id": str(len(self.server.resources)),
            "title": part.get_filename(),
            "size": len(part.get_payload()),
        }
        self.server.resources[made["id"]] = made
        self._reply(201, made)

    def do_PUT(self) -> None:
        number = self.path.rstrip("/").rsplit("/", 1)[1]
        self.server.resources[number] |= json.loads(self._body())
        self._reply(200, self.server.resources[number])

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def portal() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Portal)
    server.resources, server.uploads_left = {}, 100
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_portal_gets_each_file_once_and_is_resumed(release: Path, portal: ThreadingHTTPServer) -> None:
    dataset = f"http://127.0.0.1:{portal.server_port}/api/1/datasets/asco/"
    portal.uploads_left = 1
    with pytest.raises(ReleaseError, match="answered 503"):
        push_to_portal(release, dataset, "secret")
    portal.uploads_left = 100
    pushed = push_to_portal(release, dataset, "secret")
    assert (pushed.there, pushed.sent) == (["tables/a.csv"], ["tables/b.csv", MANIFEST])
    assert push_to_portal(release, dataset, "secret").sent == []
    assert sorted(resource["title"] for resource in portal.resources.values()) == [
        "1.0.0/manifest.json", "1.0.0/tables/a.csv", "1.0.0/tables/b.csv"
    ]  # fmt: skip


def test_a_portal_that_refuses_or_is_not_safe_is_told_without_the_key(release: Path, portal) -> None:
    dataset = f"http://127.0.0.1:{portal.server_port}/api/1/datasets/asco/"
    with pytest.raises(ReleaseError, match="answered 401") as told:
        push_to_portal(release, dataset, "wrong-key")
    assert "wrong-key" not in str(told.value)
    with pytest.raises(ConfigurationError, match="not https"):
        push_to_portal(release, "http://portal.example/api/1/datasets/asco/", "secret")
