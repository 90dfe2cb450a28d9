"""Which machines a download may connect to: those of the kind of its first address, through every redirect.

A publisher's server may redirect within the internet, never to this machine or to a private network. The
resolved IP addresses are checked, since a name can resolve to anything.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from asco_dagster.connectors.addresses import is_loopback

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver, ResolveResult

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 behind NAT64 (RFC 6052)


class DestinationError(PermissionError):
    """A download was redirected to a machine of another kind; the message has no address."""


def kind_of(address: str) -> str:
    """Kind of an IP address: this machine, its network segment, a private network or the internet.

    Raises:
        ValueError: it is not an IP address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        found = inner or found
    if found.is_loopback or found.is_unspecified:
        return "this machine"
    if found.is_link_local:
        return "its network segment"
    return "the internet" if found.is_global and not found.is_multicast else "a private network"


@dataclass
class Destination:
    """The kind of machine that one download may connect to: that of its first connection.

    Attributes:
        kind: as :func:`kind_of` gives it; empty before the first.
        proxies: host names of the environment's proxies, which are exempt.
    """

    kind: str = ""
    proxies: frozenset[str] = field(default_factory=lambda: frozenset(_proxies()))

    def require(self, addresses: Iterable[str]) -> None:
        """Check that all these addresses of one host are of the kind of this download.

        Raises:
            DestinationError: one is not.
        """
        for address in addresses:
            kind = kind_of(address)
            self.kind = self.kind or kind
            if kind != self.kind:
                raise DestinationError(f"it leads from {self.kind} to {kind}")

    def require_host(self, host: str) -> None:
        """Check a host that is written as an IP address; names are checked when they are resolved."""
        try:
            address = str(ipaddress.ip_address(host))
        except ValueError:
            return
        self.require([address])

    def resolver(self) -> "AbstractResolver":
        """A resolver for aiohttp that refuses addresses of another kind."""
        from aiohttp.abc import AbstractResolver
        from aiohttp.resolver import ThreadedResolver

        destination = self

        class Resolver(AbstractResolver):
            """The system's resolver with checked answers."""

            def __init__(self) -> None:
                self._system = ThreadedResolver()

            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
            ) -> "list[ResolveResult]":
                found = await self._system.resolve(host, port, family)
                if host not in destination.proxies:
                    destination.require(answer["host"] for answer in found)
                return found

            async def close(self) -> None:
                await self._system.close()

        return Resolver()


async def refuse_elsewhere(step: Any, destination: Destination) -> None:
    """Refuse a redirect without encryption, or to a machine of another kind.

    ``step`` are aiohttp's parameters of a redirect.

    Raises:
        DestinationError: the redirect leads elsewhere.
    """
    from aiohttp.client import URL

    # behind a proxy nothing was resolved here; a proxy is for the internet
    destination.kind = destination.kind or "the internet"
    target = step.url.join(URL(step.response.headers.get("Location", "")))
    host = target.host or ""
    destination.require_host(host)
    if target.scheme != "https" and not (is_loopback(host) and destination.kind == "this machine"):
        raise DestinationError("it leads to an unencrypted address")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # behind a proxy, the proxy resolves names; without one the connection fails
    destination.require(str(answer[4][0]) for answer in found)


def _proxies() -> list[str]:
    return [host for address in getproxies().values() if (host := urlsplit(address).hostname)]
