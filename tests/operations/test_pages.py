"""The quality server shows two folders of the home and nothing else, whatever is asked."""

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_dagster.operations.pages import page_server


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


@pytest.fixture
def ask(home: Path) -> Iterator[object]:
    """Ask with the path as it stands: a polite client would tidy it."""
    with page_server(home, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def ask(path: str, method: str = "GET") -> tuple[int, str]:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
            connection.putrequest(method, path, skip_accept_encoding=True)
            connection.endheaders()
            answer = connection.getresponse()
            told = answer.status, answer.read().decode()
            connection.close()
            return told

        yield ask
        server.shutdown()


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
    assert status == 404
    assert "secret" not in text
    assert "asco.duckdb" not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_written(ask, method: str) -> None:  # type: ignore[no-untyped-def]
    assert ask("/quality/2014/index.html", method)[0] == 501


def test_the_root_links_pages_and_names_nothing_else(ask) -> None:  # type: ignore[no-untyped-def]
    status, text = ask("/")
    assert status == 200
    assert "/quality/2014/" in text
    assert "/releases/2014/latest/report/" in text
    assert "waves" not in text
    assert "2025" not in text


def test_a_folder_is_completed_with_its_slash(ask) -> None:  # type: ignore[no-untyped-def]
    assert ask("/quality/2014")[0] == 301
