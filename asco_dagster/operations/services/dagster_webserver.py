"""Dagster's webserver with access control: ``python -m asco_dagster.operations.services.dagster_webserver``.

Dagster's command has no option for a middleware; apart from telemetry, which is off here, it does the same.
"""

import os
import secrets
from typing import Any

import click
import uvicorn
from dagster import DagsterInstance
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_shared.cli import WorkspaceOpts, workspace_options
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from asco_dagster.operations.services.doors import (
    HEALTH,
    Door,
    DoorMiddleware,
    cookie_of,
    host_names,
    origins_of,
)
from asco_dagster.operations.services.http_server import configured
from asco_dagster.operations.services.pages import MOUNTS
from asco_dagster.orchestration.checks import OPERATOR

TOKEN_VARIABLE, ADDRESS_VARIABLE = "ASCO_UI_TOKEN", "ASCO_UI_URL"
PAGES_VARIABLE = "ASCO_PAGES"
"""Address of the quality pages, without a slash at its end; set by ``asco up`` for this process only."""

_STATEMENT, _RECYCLE, _OVERFLOW = 15_000, 3600, 20  # milliseconds, seconds, connections: Dagster's defaults
_POLL = 2000  # milliseconds between two updates of a page, Dagster's default


class GuardedWebserver(DagsterWebserver[Any, Any]):
    """Dagster's webserver with access control as first middleware; it executes nothing by GET.

    Below ``/quality`` and ``/releases`` it redirects to where the quality pages are served now, so that the
    links of old events lead there whatever the port was when they were recorded.
    """

    def __init__(self, context: WorkspaceProcessContext, door: Door, pages: str | None) -> None:
        self._door, self._pages = door, pages
        super().__init__(context, live_data_poll_rate=_POLL)

    def build_middleware(self) -> list[Middleware]:
        """Access control, then Dagster's middleware."""
        return [Middleware(DoorMiddleware, door=self._door), *super().build_middleware()]

    def build_routes(self) -> list[BaseRoute]:
        """Dagster's routes, after those of the quality pages."""
        if self._pages is None:
            return list(super().build_routes())
        elsewhere = [Route(f"/{mount}/{{path:path}}", self._redirected) for mount in MOUNTS]
        return [Route(OPERATOR, self._operator), *elsewhere, *super().build_routes()]

    async def _operator(self, request: Request) -> Response:
        return RedirectResponse(f"{self._pages}/?{request.url.query}")

    async def _redirected(self, request: Request) -> Response:
        return RedirectResponse(f"{self._pages}{request.scope['path']}")

    async def graphql_http_endpoint(self, request: Request) -> Response:
        """Execute POST requests; by GET only show GraphiQL."""
        if request.method != "POST" and "text/html" not in request.headers.get("Accept", ""):
            return PlainTextResponse("Send GraphQL by POST, as JSON.\n", 405, {"Allow": "POST"})
        return await super().graphql_http_endpoint(request)


@click.command()
@click.option("--host", "-h", default="127.0.0.1", help="Address to bind to.")
@click.option("--port", "-p", default=3000, help="Port to bind to.")
@click.option("--read-only", is_flag=True, help="Start or change nothing.")
@workspace_options
def main(host: str, port: int, read_only: bool, **workspace: object) -> None:
    """Serve Dagster's pages with the token of ASCO_UI_TOKEN, or with a new one that is printed."""
    # The code server and its runs inherit the environment and must not have the token.
    token, pages = os.environ.pop(TOKEN_VARIABLE, None), os.environ.pop(PAGES_VARIABLE, None)
    if token is None:
        token = secrets.token_urlsafe(32)
        print(f"Token of these pages: {token}", flush=True)
    door = Door(
        token,
        cookie_of(port),
        host_names(host),
        origins_of([os.environ.get(ADDRESS_VARIABLE)]),
        frozenset({HEALTH}),
    )
    target = workspace_opts_to_load_target(WorkspaceOpts.extract_from_cli_options(workspace))
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT, _RECYCLE, _OVERFLOW)
        with WorkspaceProcessContext(
            instance, target, version=__version__, read_only=read_only, code_server_log_level="warning"
        ) as context:
            app = GuardedWebserver(context, door, pages).create_asgi_app()
            uvicorn.Server(configured(app, host=host, port=port)).run()


if __name__ == "__main__":
    main()
