"""Access control: the ASGI middleware of Dagster's webserver and of the quality pages.

Listening on 127.0.0.1 keeps other machines out, not web pages: any page open in the same browser can send
requests there. So a request must name these pages as its host, come from these pages or from no page, change
nothing unless it is JSON, and carry the token.

Rejected: Starlette's ``TrustedHostMiddleware`` (no ports, no origins), asgi-csrf (a token in every form,
which Dagster's pages do not send), asgi-cross-origin-protection (neither reads nor WebSockets).
"""

import hmac
import html
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "token"  # noqa: S105 (the name of the parameter)
HEALTH = "/server_info"
"""For probes; Dagster's webserver answers with the versions of its packages."""

_READS = ("GET", "HEAD")
_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 (compared, not bound)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
"""Headers of every answer: no other page can embed it, control its window, or learn its address."""


@dataclass(frozen=True)
class Door:
    """Which requests a server accepts.

    Attributes:
        token: secret of these pages.
        cookie: name of the cookie with the token.
        names: host names of this server, in lower case, besides the address of the connection.
        origins: further addresses of these pages, such as ``https://asco.office.example``.
        without_token: paths that may be read without the token, for probes and collectors.
    """

    token: str
    cookie: str
    names: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    without_token: frozenset[str] = frozenset()


def cookie_of(port: int) -> str:
    """Name of the cookie, by port: cookies ignore ports, and one machine may serve two homes."""
    return f"asco_{port}"


def host_names(host: str) -> frozenset[str]:
    """Host names of a server that is bound to a host."""
    machine = {socket.gethostname().lower(), socket.getfqdn().lower()}
    if host in _WILDCARDS:
        return frozenset({"localhost", "127.0.0.1", "[::1]"} | machine)
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        return frozenset({host.lower(), "localhost"} if host == "localhost" else {host.lower()})
    return frozenset({"localhost"} if loopback else machine)


def origins_of(addresses: Iterable[str | None]) -> frozenset[str]:
    """Origins of addresses, in lower case; None is skipped."""
    parts = [urlsplit(address) for address in addresses if address]
    return frozenset(f"{part.scheme}://{part.netloc}".lower() for part in parts)


class DoorMiddleware:
    """Refuses requests that the door does not accept, and passes on the others."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        answer = decide(self.door, HTTPConnection(scope))
        if answer is None:
            return await self.app(scope, receive, _guarded(send))
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        return await answer(scope, receive, _guarded(send))


def decide(door: Door, asked: HTTPConnection) -> Response | None:
    """The refusal of a request or of the opening of a WebSocket; None if it is accepted."""
    authority = _authority(door, asked)
    if authority is None:
        return _refused(
            400,
            f"Unknown host {asked.headers.get('host', '(none)')!r}.",
            "Open the address that asco up printed, or set ASCO_UI_URL to the address of the pages.",
        )
    path = asked.scope["path"]
    if not path.startswith("/") or _CONTROL.search(path):
        return _refused(400, f"{path!r} is not a valid path.", "Use a path that begins with a slash.")
    origins = door.origins | {f"{scheme}://{authority}" for scheme in ("http", "https")}
    return _foreign(door, asked, origins) or _unsafe(door, asked) or _unauthenticated(door, asked, authority)


def _authority(door: Door, asked: HTTPConnection) -> str | None:
    """The host of a request, None if it is not this server."""
    hosts = asked.headers.getlist("host")
    found = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if found is None:
        return None
    if any(urlsplit(origin).netloc == found[0] for origin in door.origins):
        return found[0]
    address, port = asked.scope["server"]
    named = found[1] in door.names or found[1] == _bracketed(address)
    return found[0] if named and int(found[2] or 80) == port else None


def _bracketed(address: str) -> str:
    """An address in the form of a URL; an IPv4 address over IPv6 as IPv4."""
    known = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address):
        return str(known.ipv4_mapped) if known.ipv4_mapped else f"[{known}]"
    return str(known)


def _foreign(door: Door, asked: HTTPConnection, origins: frozenset[str]) -> Response | None:
    """The refusal of a request from another page."""
    refused = _refused(
        403,
        "Requests from other pages are refused.",
        "Open these pages in a separate tab; a program sends the token as “Authorization: Bearer …” "
        "without the header Origin.",
    )
    if any(origin.lower() not in origins for origin in asked.headers.getlist("origin")):
        return refused
    if asked.headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return None
    if not _opens_a_page(asked):
        return refused
    # A link in a mail or on another page: browsers do not send a strict cookie with it, so reload from here.
    return None if _has_cookie(door, asked) else _reloaded(asked)


def _opens_a_page(asked: HTTPConnection) -> bool:
    fetched = asked.headers.get("sec-fetch-mode"), asked.headers.get("sec-fetch-dest")
    return asked.scope.get("method") == "GET" and fetched == ("navigate", "document")


def _unsafe(door: Door, asked: HTTPConnection) -> Response | None:
    """The refusal of a request that may change something and could be forged.

    A form or a simple request of another page can send neither JSON nor a bearer token.
    """
    if asked.scope["type"] == "http":
        if asked.scope["method"] in _READS:
            return None
        if asked.scope["method"] != "POST":
            return _refused(405, "Only GET, HEAD and POST are supported.", "Use one of them.")
        # As Dagster reads it: what is not JSON to it, it would read from the address instead.
        kinds = [kind.split(";")[0].strip() for kind in asked.headers.getlist("content-type")]
        if kinds != ["application/json"]:
            return _refused(415, "POST requests must be JSON.", "Set “Content-Type: application/json”.")
    if not asked.headers.getlist("origin") and not _has_bearer(door, asked):
        return _refused(
            403,
            "The request has neither an Origin header nor a token.",
            "A program sends the token that asco up printed as “Authorization: Bearer …”.",
        )
    return None


def _unauthenticated(door: Door, asked: HTTPConnection, authority: str) -> Response | None:
    """The refusal of a request without the token; with it in the address, a redirect that sets the cookie."""
    if _has_bearer(door, asked) or _has_cookie(door, asked):
        return None
    reads = asked.scope.get("method") in _READS
    if reads and asked.scope["path"] in door.without_token:
        return None
    if reads and _same(asked.query_params.get(TOKEN, ""), door.token):
        return _accepted(door, asked, authority)
    if reads and "text/html" in asked.headers.get("accept", ""):
        return _token_form(asked)
    return _refused(
        401,
        "The token that asco up printed is required.",
        "Open the printed address, or send “Authorization: Bearer …”.",
    )


def _has_bearer(door: Door, asked: HTTPConnection) -> bool:
    scheme, _, given = asked.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _same(given.strip(), door.token)


def _has_cookie(door: Door, asked: HTTPConnection) -> bool:
    return _same(asked.cookies.get(door.cookie, ""), door.token)


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _accepted(door: Door, asked: HTTPConnection, authority: str) -> Response:
    """A redirect to the same address without the token, which sets the cookie."""
    scheme = asked.scope["scheme"]
    answer = RedirectResponse(_address(asked, authority, without_token=True), status_code=303)
    answer.set_cookie(
        door.cookie, door.token, path="/", httponly=True, samesite="strict", secure=scheme == "https"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _reloaded(asked: HTTPConnection) -> Response:
    """An empty page that opens the requested one from here, as a link of these pages would."""
    address = html.escape(_address(asked, asked.headers["host"]))
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>ASCO</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><p><a href="{address}">Continue</a></p>'
    )
    return HTMLResponse(body, headers={"Cache-Control": "no-store"})


def _token_form(asked: HTTPConnection) -> Response:
    kept = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in _query(asked)
        if name != TOKEN
    )
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>ASCO</title>'
        "<h1>A token is required</h1>"
        "<p>Open the address that <code>asco up</code> printed when it started (it ends in "
        "<code>?token=…</code>), or enter the token here. It is valid until <code>asco up</code> ends.</p>"
        f'<form>{kept}<label>Token <input name="{TOKEN}" type="password" autocomplete="off"></label>'
        " <button>Open</button></form>"
    )
    return HTMLResponse(body, 401, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})


def _address(asked: HTTPConnection, authority: str, *, without_token: bool = False) -> str:
    """The whole address of a request: a path that begins with two slashes would lead elsewhere."""
    path = asked.scope["raw_path"].decode("latin-1")
    query = asked.scope["query_string"].decode("latin-1")
    if without_token:
        query = urlencode([pair for pair in _query(asked) if pair[0] != TOKEN])
    scheme = asked.scope["scheme"]
    return f"{scheme}://{authority}{path}{f'?{query}' if query else ''}"


def _query(asked: HTTPConnection) -> list[tuple[str, str]]:
    return parse_qsl(asked.scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _refused(status: int, what: str, remedy: str) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    return PlainTextResponse(f"{what} {remedy}\n", status, headers)


def _guarded(send: Send) -> Send:
    """Add the headers of ``_GUARDS`` to an answer, unless it has them."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _GUARDS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
