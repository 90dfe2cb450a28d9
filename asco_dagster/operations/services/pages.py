"""The read-only application of the quality pages: ``/quality``, ``/releases`` and ``/metrics``.

No folder is listed, nothing is written, no link is followed except a wave's ``latest``.
"""

import asyncio
import html
import logging
import mimetypes
import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from asco_dagster.operations.services.doors import Door, DoorMiddleware

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus's text format."""

METRICS = "/metrics"
MOUNTS = ("quality", "releases")
SECONDS_KEPT = 10.0  # for which /metrics caches its answer; Prometheus asks every 15 s or less often
SECONDS_TO_MEASURE = 60.0  # after which /metrics answers 503
_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
}


def page_app(home: Path, door: Door, measure: Callable[[], bytes]) -> Starlette:
    """The application of the pages of a home.

    ``measure`` creates the answer of ``/metrics``; it is called in a thread, once at a time.
    """
    root, metrics = home.resolve(), Metrics(measure)

    def welcome(_: Request) -> Response:
        links = "".join(
            f'<li><a href="{html.escape(link)}">{html.escape(link)}</a></li>' for link in pages(root)
        )
        return _uncached(
            HTMLResponse(
                f"<!doctype html><meta charset=utf-8><title>ASCO</title><h1>ASCO</h1><ul>{links}</ul>"
            )
        )

    async def measured(_: Request) -> Response:
        return _uncached(Response(await metrics.current(), media_type=CONTENT_TYPE))

    def page(request: Request) -> Response:
        return _uncached(_file(root, request.scope["path"]))

    routes = [Route("/", welcome), Route(METRICS, measured), Route("/{path:path}", page)]
    return Starlette(routes=routes, middleware=[Middleware(DoorMiddleware, door=door)])


class Metrics:
    """The answer of ``/metrics``, cached for ``SECONDS_KEPT``."""

    def __init__(self, measure: Callable[[], bytes]) -> None:
        self._measure = measure
        self._measuring: asyncio.Task[bytes] | None = None
        self._until = 0.0

    async def current(self) -> bytes:
        """The metrics, at most ``SECONDS_KEPT`` old.

        Raises:
            HTTPException: 503, measuring failed or took too long.
        """
        if self._measuring is None or (self._measuring.done() and time.monotonic() > self._until):
            self._measuring = asyncio.create_task(self._measured())
        try:
            # shielded: the next request uses the result
            return await asyncio.wait_for(asyncio.shield(self._measuring), SECONDS_TO_MEASURE)
        except TimeoutError:
            raise HTTPException(503, "The metrics took too long. Try again later.") from None
        except Exception:
            raise HTTPException(503, "The metrics are not available. See the output of asco up.") from None

    async def _measured(self) -> bytes:
        try:
            return await run_in_threadpool(self._measure)
        except Exception as error:
            logging.getLogger(__name__).warning("%s could not be measured: %s", METRICS, error)
            raise
        finally:
            self._until = time.monotonic() + SECONDS_KEPT


def _file(root: Path, asked: str) -> Response:
    found = allowed(root, asked)
    if found is not None and found.is_dir():
        index = allowed(root, f"{asked}/index.html")
        if index is None or not index.is_file():
            found = None
        elif not asked.endswith("/"):
            return RedirectResponse(f"{found.name}/", status_code=301)  # relative: below the same host
        else:
            found = index
    if found is None:
        raise HTTPException(404)
    kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0]
    return FileResponse(found, media_type=kind or "application/octet-stream")


def _uncached(answer: Response) -> Response:
    """Let browsers revalidate a page, which the next run replaces."""
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def allowed(root: Path, asked: str) -> Path | None:
    """The file or folder below ``root`` of an address; None if it is missing or may not be read."""
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
            if target.parent != path.parent:  # latest may name a version of the same wave only
                return None
            path = target
    return path if path.exists() else None


def pages(root: Path) -> list[str]:
    """Addresses of index pages: quality pages of waves, reports of the latest releases."""
    quality = [f"/quality/{page.parent.name}/" for page in root.glob("quality/*/index.html")]
    reports = [
        f"/releases/{wave.name}/latest/report/"
        for wave in root.glob("releases/*")
        if allowed(root, f"/releases/{wave.name}/latest/report/index.html")
    ]
    return sorted(quality) + sorted(reports)
