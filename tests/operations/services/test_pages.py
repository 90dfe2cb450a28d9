"""The quality server shows two folders of the home and nothing else, whatever is asked, however slowly."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asco_dagster.operations.services import http_server, pages
from asco_dagster.operations.services.doors import Door, cookie_of
from asco_dagster.operations.services.http_server import ServerThread, listening
from asco_dagster.operations.services.pages import METRICS, Views, page_app

pytestmark = pytest.mark.slow

TOKEN = "t" * 43


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, text in {
        "waves/2014/asco.duckdb": "secret",
        "keys/pseudonym.key": "secret",
        "quality/2014/index.html": "quality page",
        "quality/2014/gates/stg_asco__answers.json": "{}",
        "releases/2014/v1/report/index.html": "report",
        "releases/2014/v1/tables/asco_cells.csv": "cells",
        "releases/2014/.v2.draft/manifest.json": "secret",
        "releases/2025/v9/manifest.json": "other wave",
        "outside.txt": "secret",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "releases/2014/latest").symlink_to("v1")
    (tmp_path / "releases/2025/latest").symlink_to("../../waves/2014")
    (tmp_path / "quality/2014/link.txt").symlink_to("../../outside.txt")
    (tmp_path / "quality/loop").symlink_to("../waves")
    (tmp_path / "releases/2014/v1/up").symlink_to("../../../waves")
    return tmp_path


@contextlib.contextmanager
def serving(home: Path, measure: Callable[[], bytes] = lambda: b"asco_runs 1") -> Iterator[int]:
    door = Door(TOKEN, cookie_of(1), without_token=frozenset({METRICS}))
    views = Views(measure, lambda asked: f"operator {sorted(asked.items())}", "http://dagster:1")
    with listening("127.0.0.1", 0) as bound, ServerThread(page_app(home, door, views), bound):
        yield bound.getsockname()[1]


def asked(port: int, path: str, method: str = "GET", patience: float = 60) -> tuple[int, str]:
    """Ask with the path as it stands: a polite client would tidy it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.endheaders()
    answer = connection.getresponse()
    told = answer.status, answer.read().decode()
    connection.close()
    return told


@pytest.fixture
def ask(home: Path) -> Iterator[object]:
    with serving(home) as port:
        yield lambda path, method="GET": asked(port, path, method)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/quality/2014/", "quality page"),
        ("/quality/2014/?of=x", "quality page"),
        ("/quality/2014/gates/stg_asco__answers.json", "{}"),
        ("/releases/2014/latest/report/", "report"),
        ("/releases/2014/latest/tables/asco_cells.csv", "cells"),
        ("/releases/2025/v9/manifest.json", "other wave"),
    ],
)
def test_pages_and_releases_are_shown(ask, path: str, text: str) -> None:  # type: ignore[no-untyped-def]
    assert ask(path) == (200, text)
    assert ask(path, "HEAD") == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/waves/2014/asco.duckdb",
        "/keys/pseudonym.key",
        "/outside.txt",
        "/quality/../outside.txt",
        "/quality/2014/../../waves/2014/asco.duckdb",
        "/quality/%2e%2e/outside.txt",
        "/quality/..%2foutside.txt",
        "/quality/%252e%252e/outside.txt",
        "/quality//../outside.txt",
        "//outside.txt",
        "/quality/2014/link.txt",
        "/quality/loop/2014/asco.duckdb",
        "/releases/2014/v1/up/2014/asco.duckdb",
        "/releases/2025/latest/asco.duckdb",
        "/releases/2014/.v2.draft/manifest.json",
        "/quality/2014/%00",
        "/quality/",
        "/releases/",
        "/releases/2014/",
        "/quality/2014/gates/",
        "/quality/2014/none.html",
    ],
)
def test_nothing_else_is(ask, path: str) -> None:  # type: ignore[no-untyped-def]
    status, text = ask(path)
    assert status == (400 if "%00" in path else 404)
    assert "secret" not in text
    assert "asco.duckdb" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_written(ask, method: str) -> None:  # type: ignore[no-untyped-def]
    assert ask("/quality/2014/index.html", method)[0] == (415 if method == "POST" else 405)


def test_the_root_is_the_operators_page_with_what_was_chosen(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("/") == (200, "operator []")
    assert ask("/?layer=staging") == (200, "operator [('layer', 'staging')]")


def test_links_to_dagster_lead_where_it_is_served(home: Path) -> None:
    with serving(home) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        connection.request("GET", "/dagster/assets/est_asco__sample?view=checks", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 307
        assert answer.headers["Location"] == "http://dagster:1/assets/est_asco__sample?view=checks"


def test_a_folder_is_completed_with_its_slash(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("/quality/2014")[0] == 301


def test_a_file_is_named_by_its_type(home: Path) -> None:
    with serving(home) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for path, kind in {
            "/releases/2014/v1/tables/asco_cells.csv": "text/csv; charset=utf-8",
            "/quality/2014/gates/stg_asco__answers.json": "application/json",
            "/quality/2014/": "text/html; charset=utf-8",
            METRICS: "text/plain; version=0.0.4; charset=utf-8",
        }.items():
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.headers["Content-Type"] == kind
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_fifty_readers_of_the_metrics_measure_once(home: Path) -> None:
    measured, release = [], threading.Event()

    def slow() -> bytes:
        measured.append(1)
        release.wait(60)
        return b"asco_runs 7"

    with serving(home, slow) as port, ThreadPoolExecutor(50) as readers:
        answers = [readers.submit(asked, port, METRICS) for _ in range(50)]
        # a page is answered while all of them wait
        assert asked(port, "/quality/2014/") == (200, "quality page")
        release.set()
        assert {answer.result() for answer in answers} == {(200, "asco_runs 7")}
        assert asked(port, METRICS) == (200, "asco_runs 7")
    assert measured == [1]


def test_the_metrics_are_measured_again_when_they_are_old(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SECONDS_KEPT", 0.0)
    values = iter([b"asco_runs 1", b"asco_runs 2"])
    with serving(home, lambda: next(values)) as port:
        assert [asked(port, METRICS)[1] for _ in range(2)] == ["asco_runs 1", "asco_runs 2"]


def test_metrics_that_do_not_come_are_an_answer_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SECONDS_TO_MEASURE", 0.2)
    release = threading.Event()
    with serving(home, lambda: release.wait(60) and b"late") as port:
        assert asked(port, METRICS) == (503, "The metrics took too long. Try again later.")
        release.set()


def test_metrics_that_fail_say_nothing_of_the_cause(home: Path) -> None:
    def fail() -> bytes:
        raise ValueError("secret")

    with serving(home, fail) as port:
        assert asked(port, METRICS) == (503, "The metrics are not available. See the output of asco up.")
        assert asked(port, "/quality/2014/")[0] == 200


HALF = (b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")


def closed(connection: socket.socket) -> bool:
    """Wait until the server closes a connection."""
    connection.settimeout(60)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_half_open_connections_hold_no_thread_and_are_closed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "SECONDS_TO_ASK", 1.0)
    with serving(home) as port, contextlib.ExitStack() as opened:
        asked(port, "/quality/2014/")
        threads = threading.active_count()
        bodiless = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        half = []
        for start in (*HALF, bodiless.encode()) * 40:
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            connection.sendall(start)
            half.append(connection)
        assert asked(port, "/quality/2014/") == (200, "quality page")
        assert threading.active_count() == threads
        assert all(closed(connection) for connection in half)
        assert asked(port, "/quality/2014/") == (200, "quality page")


def test_a_request_that_trickles_in_is_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte would put off a timeout that counts from the last one."""
    monkeypatch.setattr(http_server, "SECONDS_TO_ASK", 1.0)
    with serving(home) as port:
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.settimeout(0.1)
        with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
            began = time.monotonic()
            while True:
                assert time.monotonic() - began < 60, "the connection is still open"
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        break
                connection.sendall(b"x")


def test_beyond_the_most_connections_the_one_that_waited_longest_goes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 20)
    with serving(home) as port, contextlib.ExitStack() as opened:
        half = [opened.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(60)]
        assert asked(port, "/quality/2014/") == (200, "quality page")
        assert all(closed(connection) for connection in half[:40])
        half[-1].settimeout(0.5)
        with pytest.raises(TimeoutError):  # still open
            half[-1].recv(1)


def test_a_reader_that_takes_nothing_is_let_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "SECONDS_TO_READ", 1.0)
    gone, usual = threading.Event(), http_server.LimitedProtocol.connection_lost

    def lost(protocol: http_server.LimitedProtocol, cause: Exception | None) -> None:
        usual(protocol, cause)
        gone.set()

    monkeypatch.setattr(http_server.LimitedProtocol, "connection_lost", lost)
    (home / "quality/2014/large.csv").write_bytes(b"x" * 20_000_000)
    with serving(home) as port, socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        asked_for = f"GET /quality/2014/large.csv HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        connection.sendall(f"{asked_for}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert gone.wait(60)
