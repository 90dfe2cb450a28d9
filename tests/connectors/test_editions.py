"""Conditional downloads: what has not changed is not sent again; what lies here is not trusted blindly."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asco_dagster.connectors.fetch import fetch, sha256_of
from asco_dagster.errors import SourceError


class Publisher(BaseHTTPRequestHandler):
    """Serves one edition; ``/etag`` and ``/dated`` know conditions, ``/plain`` knows none."""

    protocol_version = "HTTP/1.1"
    body, etag, modified = b"", "", ""
    sent: list[int] = []  # noqa: RUF012  reset by the fixture

    def do_GET(self) -> None:
        fresh = (self.path.startswith("/etag") and self.headers["If-None-Match"] == self.etag) or (
            self.path.startswith("/dated") and self.headers["If-Modified-Since"] == self.modified
        )
        status = 304 if fresh or self.path.startswith("/always304") else 200
        self.sent.append(status)
        self.send_response(status)
        if self.path.startswith("/etag"):
            self.send_header("ETag", self.etag)
        if self.path.startswith("/dated"):
            self.send_header("Last-Modified", self.modified)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        if status == 200:
            self.wfile.write(self.body)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def publisher() -> Iterator[str]:
    Publisher.body, Publisher.etag, Publisher.modified = b"one", '"1"', "Mon, 02 Jun 2025 00:00:00 GMT"
    Publisher.sent = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["etag.csv", "dated.csv"])
def test_an_unchanged_edition_is_not_sent_again_and_a_new_one_is(
    publisher: str, tmp_path: Path, name: str
) -> None:
    for _ in range(3):
        path = fetch(f"{publisher}/{name}", into=tmp_path, base=tmp_path)
        assert path.read_bytes() == b"one"
    assert Publisher.sent == [200, 304, 304]
    Publisher.body, Publisher.etag, Publisher.modified = b"second", '"2"', "Tue, 03 Jun 2025 00:00:00 GMT"
    assert fetch(f"{publisher}/{name}", into=tmp_path, base=tmp_path).read_bytes() == b"second"
    assert Publisher.sent == [200, 304, 304, 200]


def test_a_server_without_conditions_is_asked_whole(publisher: str, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(f"{publisher}/plain.csv", into=tmp_path, base=tmp_path)
    assert Publisher.sent == [200, 200]


def test_an_altered_or_absent_download_is_fetched_anew(publisher: str, tmp_path: Path) -> None:
    path = fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path)
    path.write_bytes(b"altered")
    assert fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path).read_bytes() == b"one"
    path.unlink()
    assert fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path).read_bytes() == b"one"
    assert Publisher.sent == [200, 200, 200]


def test_another_address_of_the_same_name_is_not_mixed_up(publisher: str, tmp_path: Path) -> None:
    fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path)
    fetch(f"{publisher}/etag.csv?signature=hunter2", into=tmp_path, base=tmp_path)
    assert Publisher.sent == [200, 200]
    assert not any(b"hunter2" in kept.read_bytes() for kept in tmp_path.iterdir())


def test_the_checksum_holds_for_what_was_not_sent_again(publisher: str, tmp_path: Path) -> None:
    path = fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path)
    assert fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path, sha256=sha256_of(path)) == path
    with pytest.raises(SourceError, match="sha256"):
        fetch(f"{publisher}/etag.csv", into=tmp_path, base=tmp_path, sha256="0" * 64)
    assert path.read_bytes() == b"one"


def test_not_modified_without_a_question_is_a_fault(publisher: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="304"):
        fetch(f"{publisher}/always304.csv", into=tmp_path, base=tmp_path, attempts=1)
    assert list(tmp_path.iterdir()) == []
