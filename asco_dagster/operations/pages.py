"""The read-only server of what people may read in a browser: quality pages and releases, and nothing else.

``/quality/…`` and ``/releases/…`` show files of these two folders of the home, ``/metrics`` what Prometheus
may know. No folder is listed, nothing
is written, no link is followed but a wave's ``latest``. What does not belong here: making the pages.
"""

import html
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus's text format."""

MOUNTS = ("quality", "releases")
_NOWHERE = "/dev/null/nothing"  # a path that cannot exist, below a file


def page_server(
    home: Path, host: str, port: int, metrics: Callable[[], bytes] | None = None
) -> ThreadingHTTPServer:
    """Bind the server; ``serve_forever`` then answers.

    Args:
        home: the home.
        host: address to bind to.
        port: port to bind to.
        metrics: makes what ``/metrics`` answers; None leaves that address unanswered.

    Raises:
        OSError: the port is taken.
    """

    class Handler(PageHandler):
        root = home.resolve()
        measure = staticmethod(metrics) if metrics is not None else None

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    return Server((host, port), Handler)


class PageHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for the files below the mounts.

    Attributes:
        root: the home, resolved.
        measure: makes what ``/metrics`` answers.
    """

    root: Path
    measure: Callable[[], bytes] | None = None
    server_version = "asco"
    sys_version = ""
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".parquet": "application/vnd.apache.parquet",
        ".json": "application/json",
        ".csv": "text/csv; charset=utf-8",
    }

    def do_GET(self) -> None:
        """A file, or the list of the waves' pages at the root."""
        if urlsplit(self.path).path == "/":
            self._welcome()
        elif urlsplit(self.path).path == "/metrics" and self.measure is not None:
            self._metrics(self.measure)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """The file that an address means, or a path that does not exist when it may not be read."""
        asked = unquote(urlsplit(path).path)
        found = allowed(self.root, asked)
        if found is None:
            return _NOWHERE
        if found.is_dir() and asked.endswith("/"):
            index = allowed(self.root, f"{asked}index.html")
            return str(index) if index is not None and index.is_file() else _NOWHERE
        return str(found)

    def list_directory(self, path: object) -> None:
        """No folder is listed."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """Never let a browser guess a type, or keep a page that the next run replaces."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing in the terminal of ``asco up``."""

    def _welcome(self) -> None:
        links = "".join(
            f'<li><a href="{html.escape(link)}">{html.escape(link)}</a></li>' for link in pages(self.root)
        )
        body = f"<!doctype html><meta charset=utf-8><title>ASCO</title><h1>ASCO</h1><ul>{links}</ul>".encode()
        self._answer(body, "text/html; charset=utf-8")

    def _metrics(self, measure: Callable[[], bytes]) -> None:
        try:
            body = measure()
        except Exception:
            # What went wrong is in the terminal of asco up and not for whoever asks.
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self._answer(body, CONTENT_TYPE)

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def allowed(root: Path, asked: str) -> Path | None:
    """The file or folder below ``root`` that an address means; None when it is not there or not to be read.

    Args:
        root: the home, resolved.
        asked: path of the address, without percent signs.
    """
    parts = [part for part in asked.split("/") if part]
    hidden = any(part.startswith(".") or "\\" in part or "\0" in part for part in parts)
    if not parts or parts[0] not in MOUNTS or hidden:
        return None
    path = root
    for depth, part in enumerate(parts):
        path = path / part
        if path.is_symlink():
            if (parts[0], depth, part) != ("releases", 2, "latest"):
                return None
            target = path.resolve()
            if target.parent != path.parent:  # latest may name a version of its own wave only
                return None
            path = target
    return path if path.exists() else None


def pages(root: Path) -> list[str]:
    """Addresses of the index pages of waves: quality pages, reports of the latest releases."""
    quality = [f"/quality/{page.parent.name}/" for page in root.glob("quality/*/index.html")]
    reports = [
        f"/releases/{wave.name}/latest/report/"
        for wave in root.glob("releases/*")
        if allowed(root, f"/releases/{wave.name}/latest/report/index.html")
    ]
    return sorted(quality) + sorted(reports)
