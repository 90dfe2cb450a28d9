"""The read-only application of the quality pages: operator's page, ``/quality``, ``/releases``, ``/metrics``.

Below ``/dagster`` it redirects to Dagster's pages, so that no page need know their address. No folder is
listed, nothing is written, no link is followed except a wave's ``latest``.
"""

import asyncio
import logging
import mimetypes
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
MOUNTS = ("quality", "releases")
SECONDS_KEPT = 10.0  # for which /metrics caches its answer; Prometheus asks every 15 s or less often
SECONDS_TO_MEASURE = 60.0  # after which /metrics answers 503
_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
}


@dataclass(frozen=True)
class Views:
    """What is made at each request.

    Attributes:
        metrics: the answer of ``/metrics``; called in a thread, once at a time.
        operator: the operator's page, from the parameters of its address.
        dagster: address of Dagster's pages, without a slash at its end.
    """

    metrics: Callable[[], bytes]
    operator: Callable[[Mapping[str, str]], str]
    dagster: str


def page_app(home: Path, door: Door, views: Views) -> Starlette:
    """The application of the pages of a home."""
    root, metrics = home.resolve(), Metrics(views.metrics)

    def operator(request: Request) -> Response:
        page = HTMLResponse(views.operator(request.query_params))
        page.headers["Content-Security-Policy"] = _POLICY
        return _uncached(page)

    def dagster(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{views.dagster}/{request.path_params['path']}{query}")

    async def measured(_: Request) -> Response:
        return _uncached(Response(await metrics.current(), media_type=CONTENT_TYPE))

    def page(request: Request) -> Response:
        return _uncached(_file(root, request.scope["path"]))

    routes = [
        Route("/", operator),
        Route(METRICS, measured),
        Route("/dagster/{path:path}", dagster),
        Route("/{path:path}", page),
    ]
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
