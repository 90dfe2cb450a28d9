"""What a server may do to whoever downloads from it: nothing endless or huge, no way to other machines."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from asco_dagster.connectors import destinations
from asco_dagster.connectors import fetch as fetching
from asco_dagster.connectors.destinations import Destination, DestinationError, kind_of
from asco_dagster.connectors.fetch import fetch
from asco_dagster.errors import SourceError

LIMIT = 300_000


class Hostile(BaseHTTPRequestHandler):
    """A server that gives too much, too slowly, or leads elsewhere."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012  reset by the fixture

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path, _, target = self.path.partition("?to=")
        if path == "/moved.csv":
            self.begin(302, ("Location", unquote(target)), ("Content-Length", "0"))
        elif path == "/announced.csv":
            self.begin(200, ("Content-Length", str(10**12)))
        elif path == "/endless.csv":
            self.begin(200, ("Connection", "close"))
            self.pour(b"x" * 65536, 0.0)
        elif path == "/drip.csv":
            self.begin(200, ("Content-Length", "100000"))
            self.pour(b"x", 0.05)
        elif path == "/bomb.csv":
            body = gzip.compress(bytes(10**7))
            self.begin(200, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body))))
            self.wfile.write(body)
        else:
            self.begin(200, ("Content-Length", "2"))
            self.wfile.write(b"ok")

    def begin(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.end_headers()

    def pour(self, piece: bytes, pause: float) -> None:
        try:
            for _ in range(2000):
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass  # the other end had enough
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing to say."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(fetching, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(fetching, "LARGEST", LIMIT)
    Hostile.asked = []
    with QuietServer(("0.0.0.0", 0), Hostile) as running:  # noqa: S104 (127.0.0.2 is asked too)
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_port
        running.shutdown()


def refusal(address: str, tmp_path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        fetch(address, into=tmp_path / "into", base=tmp_path, attempts=2)
    assert not list((tmp_path / "into").iterdir())
    return str(caught.value)


@pytest.mark.parametrize("name", ["announced.csv", "endless.csv"])
def test_more_bytes_than_a_source_has_are_not_taken(name: str, port: int, tmp_path: Path) -> None:
    told = refusal(f"http://127.0.0.1:{port}/{name}", tmp_path)
    assert told == (
        f"file {name}: the download from “http://127.0.0.1:{port}/{name}” is not possible: it is larger than"
        f" {LIMIT} bytes. Check the address and the permissions, or put the file into the inbox by hand."
    )
    assert Hostile.asked == [f"/{name}"]  # it is not tried again


def test_a_download_that_drips_ends_at_its_deadline(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LONGEST", 1.0)
    told = refusal(f"http://127.0.0.1:{port}/drip.csv", tmp_path)
    assert "is not possible: it took longer than 1 seconds" in told
    assert Hostile.asked == ["/drip.csv"]


def test_a_body_that_is_compressed_unasked_is_not_unpacked(port: int, tmp_path: Path) -> None:
    told = refusal(f"http://127.0.0.1:{port}/bomb.csv", tmp_path)
    assert "the server sent it compressed (gzip), which was not asked for" in told


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make 127.0.0.2 a machine of the internet, and names resolve to what they say."""
    true_kind, true_answer = kind_of, socket.getaddrinfo
    named = {
        "rebound.example": "127.0.0.1",
        "segment.example": "169.254.169.254",
        "office.example": "10.0.0.7",
    }

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        return true_answer(named.get(host, host), *arguments, **options)

    monkeypatch.setattr(
        destinations, "kind_of", lambda a: "the internet" if a == "127.0.0.2" else true_kind(a)
    )
    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("http://127.0.0.1:{port}/secret.csv", "this machine"),
        ("https://127.0.0.1:{port}/secret.csv", "this machine"),
        ("https://localhost:{port}/secret.csv", "this machine"),
        ("https://[::1]:{port}/secret.csv", "this machine"),
        ("https://[::ffff:127.0.0.1]:{port}/secret.csv", "this machine"),
        ("https://0.0.0.0:{port}/secret.csv", "this machine"),
        ("https://2130706433:{port}/secret.csv", "this machine"),
        ("https://rebound.example:{port}/secret.csv", "this machine"),
        ("https://segment.example/latest/meta-data", "its network segment"),
        ("https://169.254.169.254/latest/meta-data", "its network segment"),
        ("https://office.example/x.csv", "a private network"),
        ("https://192.168.1.1/x.csv", "a private network"),
        ("https://[fd00::1]/x.csv", "a private network"),
    ],
)
@pytest.mark.usefixtures("outside")
def test_no_redirect_leads_from_outside_to_the_office(
    target: str, where: str, port: int, tmp_path: Path
) -> None:
    told = refusal(f"http://127.0.0.2:{port}/moved.csv?to={target.format(port=port)}", tmp_path)
    assert f"is not possible: access is refused: it leads from the internet to {where}" in told
    assert [path.partition("?")[0] for path in Hostile.asked] == ["/moved.csv"]


@pytest.mark.usefixtures("outside")
def test_no_redirect_gives_up_encryption(port: int, tmp_path: Path) -> None:
    told = refusal(f"http://127.0.0.2:{port}/moved.csv?to=http://127.0.0.2:{port}/x.csv", tmp_path)
    assert "it leads to an unencrypted address" in told


def test_a_redirect_to_the_same_kind_of_machine_is_followed(port: int, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{port}/moved.csv?to=http://127.0.0.1:{port}/plain.csv"
    assert fetch(address, into=tmp_path / "into", base=tmp_path).read_bytes() == b"ok"


def test_a_name_that_resolves_to_both_is_refused() -> None:
    with pytest.raises(DestinationError, match="from the internet to this machine"):
        Destination().require(["8.8.8.8", "127.0.0.1"])
    rebound = Destination()
    rebound.require(["8.8.8.8"])
    with pytest.raises(DestinationError, match="from the internet to a private network"):
        rebound.require(["10.1.2.3"])  # the same name, asked a second time


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "this machine"),
        ("127.8.8.8", "this machine"),
        ("0.0.0.0", "this machine"),  # noqa: S104
        ("::1", "this machine"),
        ("::", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("2002:7f00:1::", "this machine"),
        ("169.254.1.1", "its network segment"),
        ("fe80::1%eth0", "its network segment"),
        ("10.0.0.1", "a private network"),
        ("172.16.0.1", "a private network"),
        ("192.168.0.1", "a private network"),
        ("100.64.0.1", "a private network"),
        ("fd00::1", "a private network"),
        ("224.0.0.1", "a private network"),
        ("64:ff9b::a00:1", "a private network"),
        ("8.8.8.8", "the internet"),
        ("2a00:1450:4007::1", "the internet"),
    ],
)
def test_kinds_of_machines(address: str, kind: str) -> None:
    assert kind_of(address) == kind
