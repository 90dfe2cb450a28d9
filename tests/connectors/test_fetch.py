"""Fetching: inbox and addresses, faults of servers, and never a half-written file."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asco_dagster.connectors import fetch as fetching
from asco_dagster.connectors.fetch import fetch, sha256_of
from asco_dagster.errors import SourceError

BODY = b"siren;nom\n200000001;CC du Val\n" * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Publisher(BaseHTTPRequestHandler):
    """A publisher's server with one fault a path; counts what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012  reset by the fixture

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        tries = self.asked.count(path)
        if path == "/missing.csv":
            self.answer(404, b"no")
        elif path == "/forbidden.csv":
            self.answer(403, b"no")
        elif path == "/twice500.csv" and tries <= 2:
            self.answer(500, b"later")
        elif path == "/busy.csv" and tries == 1:
            self.answer(429, b"later", ("Retry-After", "0.2"))
        elif path == "/always503.csv":
            self.answer(503, b"later")
        elif path == "/moved.csv":
            self.answer(302, b"", ("Location", "http://example.org/plain.csv"))
        elif path == "/truncated.csv":
            self.answer(200, BODY[:1000], length=len(BODY))
        elif path == "/slow.csv":
            self.answer(200, BODY[:1000], length=len(BODY), hang=True)
        else:
            self.answer(200, BODY)

    def answer(
        self,
        status: int,
        body: bytes,
        header: tuple[str, str] | None = None,
        *,
        length: int | None = None,
        hang: bool = False,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if header:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if hang:
            time.sleep(20)
        if length is not None:
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    """Clients are cut off on purpose here: no traceback for that."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing to say."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(fetching, "FIRST_WAIT", 0.02)
    Publisher.asked = []
    with QuietServer(("127.0.0.1", 0), Publisher) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / "list.csv").write_bytes(BODY)
    return folder


def refusal(address: str, tmp_path: Path, **options: object) -> str:
    """The sentence of a refused fetch, after a look that nothing was left behind."""
    with pytest.raises(SourceError) as caught:
        fetch(address, into=tmp_path / "into", base=tmp_path / "inbox", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "into").exists() or not list((tmp_path / "into").iterdir())
    return str(caught.value)


def test_an_inbox_file_is_read_in_place(inbox: Path, tmp_path: Path) -> None:
    assert fetch("list.csv", into=tmp_path / "into", base=inbox, sha256=DIGEST.upper()) == inbox / "list.csv"
    assert fetch((inbox / "list.csv").as_uri(), into=tmp_path / "into", base=inbox) == inbox / "list.csv"
    assert not (tmp_path / "into").exists()
    assert sha256_of(inbox / "list.csv") == DIGEST


@pytest.mark.parametrize(
    "address", ["../secret.csv", "a/../../secret.csv", "/etc/hostname", "link.csv", "", " "]
)
def test_an_inbox_name_must_not_climb_out(inbox: Path, tmp_path: Path, address: str) -> None:
    (tmp_path / "secret.csv").write_text("x")
    (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
    assert "outside the inbox" in refusal(address, tmp_path)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("absent.csv", "not found: "),
        ("file://elsewhere/x.csv", "not a file of this machine"),
        ("file:///nowhere/x.csv", "not found: /nowhere/x.csv"),
        ("http://example.org/x.csv", "without encryption"),
        ("http://localhost.example.org/x.csv", "without encryption"),
        ("ftp://example.org/x.csv", "unknown scheme"),
        ("https:///x.csv", "not the address of a file"),
        ("https://example.org/", "not the address of a file"),
        ("https://example.org/a/%2e%2e", "not the address of a file"),
    ],
)
@pytest.mark.usefixtures("inbox")
def test_unacceptable_addresses(tmp_path: Path, address: str, words: str) -> None:
    assert words in refusal(address, tmp_path)


def test_an_inbox_file_with_another_checksum(inbox: Path, tmp_path: Path) -> None:
    assert f"its sha256 is {DIGEST}; expected {'0' * 64}" in refusal("list.csv", tmp_path, sha256="0" * 64)


def test_a_download_is_whole_and_named_by_its_address(server: str, tmp_path: Path) -> None:
    into = tmp_path / "into"
    found = fetch(f"{server}/data/epci%20list.csv?year=2014", into=into, base=tmp_path, sha256=DIGEST)
    assert found == into / "epci list.csv"
    assert found.read_bytes() == BODY
    assert [path.name for path in into.iterdir()] == ["epci list.csv"]


def test_two_server_faults_are_outlived(server: str, tmp_path: Path) -> None:
    assert fetch(f"{server}/twice500.csv", into=tmp_path / "into", base=tmp_path).read_bytes() == BODY
    assert Publisher.asked.count("/twice500.csv") == 3


def test_retry_after_is_honoured(server: str, tmp_path: Path) -> None:
    start = time.monotonic()
    assert fetch(f"{server}/busy.csv", into=tmp_path / "into", base=tmp_path).read_bytes() == BODY
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize(("name", "words"), [("missing.csv", "404"), ("forbidden.csv", "403")])
def test_a_refusal_is_final(server: str, tmp_path: Path, name: str, words: str) -> None:
    assert words in refusal(f"{server}/{name}", tmp_path)
    assert Publisher.asked == [f"/{name}"]


def test_a_lasting_fault_ends_in_a_sentence(server: str, tmp_path: Path) -> None:
    sentence = refusal(f"{server}/always503.csv", tmp_path, attempts=3)
    assert "failed 3 times, last because the server answered 503" in sentence
    assert len(Publisher.asked) == 3


def test_a_truncated_body_is_never_kept(server: str, tmp_path: Path) -> None:
    assert "failed 2 times" in refusal(f"{server}/truncated.csv", tmp_path, attempts=2)
    assert len(Publisher.asked) == 2


def test_a_failed_download_leaves_the_earlier_one(server: str, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "truncated.csv").write_bytes(b"earlier")
    with pytest.raises(SourceError):
        fetch(f"{server}/truncated.csv", into=into, base=tmp_path, attempts=1)
    assert (into / "truncated.csv").read_bytes() == b"earlier"
    assert [path.name for path in into.iterdir()] == ["truncated.csv"]


def test_a_download_with_another_checksum(server: str, tmp_path: Path) -> None:
    assert f"its sha256 is {DIGEST}" in refusal(f"{server}/x.csv", tmp_path, sha256="0" * 64)
    assert Publisher.asked == ["/x.csv"]


def test_no_server_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_WAIT", 0.01)
    assert "the connection broke" in refusal("http://127.0.0.1:9/x.csv", tmp_path, attempts=2)


def test_a_redirection_out_of_encryption_is_refused(server: str, tmp_path: Path) -> None:
    told = refusal(f"{server}/moved.csv", tmp_path)
    assert "access is refused: it leads to an unencrypted address" in told


@pytest.mark.parametrize("path", ["always503.csv", "missing.csv", "x.csv", "truncated.csv"])
def test_a_credential_is_never_shown(server: str, tmp_path: Path, path: str) -> None:
    import traceback

    address = server.replace("http://", "http://agent:hunter2@") + f"/{path}?token=s3cr3t"
    with pytest.raises(SourceError) as caught:
        fetch(address, into=tmp_path / "into", base=tmp_path, attempts=1, sha256="0" * 64)
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in told
    assert "s3cr3t" not in told


def test_a_killed_download_leaves_no_file_and_the_next_one_sweeps(server: str, tmp_path: Path) -> None:
    into = tmp_path / "into"
    program = (
        "from pathlib import Path; from asco_dagster.connectors.fetch import fetch; "
        f"fetch({server + '/slow.csv'!r}, into=Path({str(into)!r}), base=Path('.'))"
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 30
    while "/slow.csv" not in Publisher.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert Publisher.asked == ["/slow.csv"]
    assert not (into / "slow.csv").exists()
    left = into / f".list.csv.{child.pid}.tmp"
    left.write_bytes(b"half, by a process that is no more")
    assert fetch(f"{server}/list.csv", into=into, base=tmp_path).read_bytes() == BODY
    assert not left.exists()


def test_s3_through_a_local_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto.server")
    store = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    try:
        host, port = store.get_host_and_port()
        settings = {"key": "test", "secret": "test", "endpoint_url": f"http://{host}:{port}"}
        from fsspec.config import conf, set_conf_env

        for name, value in settings.items():
            monkeypatch.setenv(f"FSSPEC_S3_{name.upper()}", value)
        loaded: dict[str, dict[str, str]] = {}
        set_conf_env(loaded)
        monkeypatch.setitem(conf, "s3", loaded["s3"])
        import fsspec

        files = fsspec.filesystem("s3", skip_instance_cache=True)
        files.mkdir("deliveries")
        files.pipe("deliveries/2014/list.csv", BODY)
        found = fetch("s3://deliveries/2014/list.csv", into=tmp_path / "into", base=tmp_path, sha256=DIGEST)
        assert found.read_bytes() == BODY
        (tmp_path / "into" / "list.csv").unlink()
        assert "404" in refusal("s3://deliveries/2014/absent.csv", tmp_path)
    finally:
        store.stop()
