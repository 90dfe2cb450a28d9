"""Valid addresses of deliveries, and how to show them without passwords, keys or signatures.

Accepted: a name inside the inbox, ``file://``, ``https://``, ``s3://``, and ``http://`` on this machine only.
"""

import ipaddress
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from asco_dagster.errors import SourceError

ACCEPTED = "a file name in the inbox, or an address with https://, s3:// or file://"


def shown(address: str) -> str:
    """An address without user, password, query or fragment, for errors and logs.

    Returns:
        ``scheme://host/path``; ``?…`` replaces a query.
    """
    if "://" not in address:
        return address
    scheme, rest = address.split("://", 1)
    place, question, _ = rest.split("#", 1)[0].partition("?")
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if question else ''}"


def is_remote(address: str) -> bool:
    """Whether the address must be downloaded; an error if it is not accepted.

    Raises:
        SourceError: unknown scheme, no host, or plain ``http://`` to another machine.
    """
    if "://" not in address or address.startswith("file://"):
        return False
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        parts, host = None, ""
    if parts is None or not host or not name_of(address):
        raise SourceError(f"“{shown(address)}” is not the address of a file", expected=ACCEPTED)
    if parts.scheme == "http" and not is_loopback(host):
        raise SourceError(
            f"“{shown(address)}” would be downloaded without encryption",
            file=name_of(address),
            expected="https://",
            remedy="correct the address in the wave file",
        )
    if parts.scheme not in ("http", "https", "s3"):
        raise SourceError(f"“{shown(address)}” has the unknown scheme “{parts.scheme}”", expected=ACCEPTED)
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def name_of(address: str) -> str:
    """File name of a download: the last part of the path, empty if there is none."""
    name = PurePosixPath(unquote(shown(address).split("://", 1)[1].partition("/")[2].removesuffix("?…"))).name
    return "" if name in ("", ".", "..") or "\0" in name else name


def local_path(address: str, base: Path) -> Path:
    """The file that a local address names.

    Returns:
        The path, which exists and is a file.

    Raises:
        SourceError: it is outside the inbox (``..``, an absolute path, a link), on another host, or missing.
    """
    if address.startswith("file://"):
        parts = urlsplit(address)
        path = Path(url2pathname(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute():
            raise SourceError(f"“{shown(address)}” is not a file of this machine", expected="file:///…")
    else:
        path = base / address
        if not address.strip() or not path.resolve().is_relative_to(base.resolve()):
            raise SourceError(
                f"“{address}” is outside the inbox",
                expected="a file name relative to the wave's inbox",
                remedy="put the file into the inbox, or write its path as file:///…",
            )
    if not path.is_file():
        raise SourceError(
            f"not found: {path}",
            remedy="deliver it, or correct its name in the wave file",
        )
    return path
