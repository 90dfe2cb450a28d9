"""What an address may be, and how it may be shown: without passwords, keys or signatures.

Accepted: a name inside the inbox, ``file://``, ``https://``, ``s3://``, and ``http://`` on this machine only.
What does not belong here: opening anything.
"""

import ipaddress
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from asco_dagster.errors import SourceError

ACCEPTED = "a file name in the inbox, or an address with https://, s3:// or file://"


def shown(address: str) -> str:
    """An address without user, password, query or fragment, fit for an error or a log.

    Args:
        address: any address, well-formed or not.

    Returns:
        ``scheme://host/path``; a question mark stands for a query that was left out.
    """
    if "://" not in address:
        return address
    scheme, rest = address.split("://", 1)
    place, question, _ = rest.split("#", 1)[0].partition("?")
    host, slash, path = place.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}{'?…' if question else ''}"


def is_remote(address: str) -> bool:
    """Whether the address must be downloaded; refuses what is neither local nor acceptable.

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
        raise SourceError(f"“{shown(address)}” is not an address of a file", expected=ACCEPTED)
    if parts.scheme == "http" and not is_loopback(host):
        raise SourceError(
            f"“{shown(address)}” would travel without encryption",
            file=name_of(address),
            expected="https://",
            remedy="correct the address in the wave's file",
        )
    if parts.scheme not in ("http", "https", "s3"):
        raise SourceError(f"“{shown(address)}” has the unknown scheme “{parts.scheme}”", expected=ACCEPTED)
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def name_of(address: str) -> str:
    """The name under which a download is kept: the last part of the path, empty when there is none."""
    name = PurePosixPath(unquote(shown(address).split("://", 1)[1].partition("/")[2].removesuffix("?…"))).name
    return "" if name in ("", ".", "..") or "\0" in name else name


def local_path(address: str, base: Path) -> Path:
    """The file that a local address names.

    Args:
        address: ``file://`` with an absolute path, or a name relative to ``base``.
        base: the inbox of the wave.

    Returns:
        The path, which exists and is a file.

    Raises:
        SourceError: it climbs out of the inbox, by ``..``, as an absolute path or through a link; it is on
            another host; or it is not there.
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
                f"“{address}” lies outside the inbox",
                expected="a file name relative to the wave's inbox",
                remedy="put the file into the inbox, or give its place as file:///…",
            )
    if not path.is_file():
        raise SourceError(
            "the file is not there",
            file=path,
            expected="a file" if address.startswith("file://") else f"a file in the inbox “{base.name}”",
            remedy="deliver it, or correct its name in the wave's file",
        )
    return path
