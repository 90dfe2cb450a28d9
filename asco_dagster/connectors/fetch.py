"""Bring one delivered file within reach: read in place from the inbox, or downloaded whole and checked.

A download lands under a temporary name and is renamed last, so that a name without ``.part`` is a complete
file. What does not belong here: which files a wave needs, and what they contain.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asco_dagster.connectors.addresses import is_remote, local_path, name_of, shown
from asco_dagster.connectors.destinations import Destination, DestinationError, refuse_elsewhere
from asco_dagster.connectors.editions import edition_of, keep_edition, known_edition
from asco_dagster.durable import make_folder, sync
from asco_dagster.errors import OutOfReachError, SourceError

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the first retry, doubled each time and never more than the longest, jitter apart."""

SILENCE = 60
"""Seconds without a byte after which a server counts as gone."""

LARGEST = 8 * 1024**3
"""Bytes that are taken of one file: some ten times the largest source, INSEE's census of individuals."""

LONGEST = 2 * 3600.0
"""Seconds for one file, all attempts together."""

_CHUNK = 1024 * 1024


class _TooLargeError(Exception):
    """More bytes came than are taken of one file."""


class _TransientError(Exception):
    """A fault that may pass: a sentence without the address, and the seconds it is asked to wait."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        self.what = what
        self.wait = wait
        super().__init__(what)


@dataclass(frozen=True)
class _Answer:
    """Status and headers (names in lower case) of an http answer."""

    status: int
    headers: Mapping[str, str]


def fetch(address: str, *, into: Path, base: Path, sha256: str | None = None, attempts: int = 4) -> Path:
    """Make the file at an address readable at a local path.

    Args:
        address: a name relative to ``base``, ``file://…``, ``https://…``, ``s3://…`` (endpoint and keys from
            fsspec's own environment, for example ``FSSPEC_S3_ENDPOINT_URL``), or ``http://`` on loopback.
        into: folder for downloads, created when missing. Downloads are named by the last part of their
            address, so sources whose names collide need folders of their own.
        base: the wave's inbox.
        sha256: expected checksum in hexadecimal, any case.
        attempts: how often a download is tried in all.

    Returns:
        The local path: the file itself when it is local, else the finished download; an http server that
        says that nothing has changed since (304) is not asked for the bytes again.

    Raises:
        SourceError: unacceptable address, file not there or refused, still failing after all attempts,
            shorter or longer than announced, or another checksum; too large, too slow, or led to a machine
            of another kind than its address.
    """
    if not is_remote(address):
        path = local_path(address, base)
        _check_sum(path, sha256, path.name)
        return path
    name = name_of(address)
    make_folder(into)
    _sweep(into, name)
    part, target = into / f".{name}.{os.getpid()}.part", into / name
    known = known_edition(address, target, sha256_of(target) if target.is_file() else None)
    try:
        headers = _download(address, part, attempts, known.conditions() if known else {})
        if headers is None:  # not modified: what lies here is what the server has
            _check_sum(target, sha256, name)
            return target
        _check_sum(part, sha256, name)
        edition = edition_of(address, sha256_of(part), headers)
        sync(part)
        part.replace(target)
        if edition.conditions():
            keep_edition(target, edition)
        sync(into)
    finally:
        part.unlink(missing_ok=True)
    return into / name


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Args:
        path: the file, of any size.

    Returns:
        64 hexadecimal digits in lower case.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def told_of(path: Path) -> dict[str, Any]:
    """What a manifest tells of a delivered file: its ``sha256`` and its ``bytes``, a number.

    Raises:
        OutOfReachError: the system does not give it.
    """
    try:
        return {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    except OSError as fault:
        raise OutOfReachError.from_os_error(fault, path) from fault


def _check_sum(path: Path, expected: str | None, name: str) -> None:
    if expected is None:
        return
    found = told_of(path)["sha256"]
    if found != expected.strip().lower():
        raise SourceError(
            f"its sha256 is {found}",
            file=name,
            expected=expected.strip().lower(),
            remedy="compare it with what the publisher announces; the wave's file names the accepted sum",
        )


def _sweep(into: Path, name: str) -> None:
    """Remove what a killed download of the same file has left; a living process keeps its own."""
    for left in into.glob(".*.part"):
        owner = left.name.removeprefix(f".{name}.").removesuffix(".part")
        if owner.isdigit() and left.name == f".{name}.{owner}.part" and not is_alive(int(owner)):
            left.unlink(missing_ok=True)


def is_alive(process: int) -> bool:
    """Whether a process of this id runs, ours or another's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _download(
    address: str, target: Path, attempts: int, conditions: Mapping[str, str]
) -> Mapping[str, str] | None:
    """Try until it holds; the sentence at the end never contains the address as it was given.

    Returns:
        Headers of the answer (none from S3), or None when the server says that nothing has changed.
    """
    import tenacity

    backoff = tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT)

    def pause(state: tenacity.RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        asked = fault.wait if isinstance(fault, _TransientError) else None
        return backoff(state) if asked is None else min(asked, LONGEST_WAIT)

    retrying = tenacity.Retrying(
        stop=tenacity.stop_any(tenacity.stop_after_attempt(attempts), tenacity.stop_after_delay(LONGEST)),
        wait=pause,
        retry=tenacity.retry_if_exception_type(_TransientError),
        reraise=True,
    )
    try:
        answer: Mapping[str, str] | None = retrying(
            _download_once, address, target, conditions, Destination(), time.monotonic() + LONGEST
        )
    except _TransientError as fault:
        what = fault.what
    else:
        return answer
    raise SourceError(
        f"the download from “{shown(address)}” failed {attempts} times, last because {what}",
        file=name_of(address),
        remedy="try again later, or put the file into the inbox by hand",
    )


def _download_once(
    address: str, target: Path, conditions: Mapping[str, str], destination: Destination, end: float
) -> Mapping[str, str] | None:
    import fsspec.asyn

    progress = _limited()
    answers: list[_Answer] = []
    fault: Exception | None = None
    try:
        files = _filesystem(address, conditions, answers, destination)
        # the whole of it is cancelled at the deadline, however slowly its bytes come
        patience = max(0.01, end - time.monotonic())
        fsspec.asyn.sync(
            files.loop, files._get_file, address, str(target), callback=progress, timeout=patience
        )
    # Whatever the libraries raise is judged below, outside: a chained error would show the address.
    except Exception as raised:
        fault = raised
    if answers and answers[-1].status == 304:
        if not conditions:
            raise _TransientError("the server answered 304 to a request without conditions")
        return None
    if fault is not None and time.monotonic() >= end:
        raise _refused(address, f"it did not end within {LONGEST:.0f} seconds") from None
    if fault is not None:
        raise _judged(fault, address) from None
    encoding = answers[-1].headers.get("content-encoding", "identity") if answers else "identity"
    if encoding.strip().lower() != "identity":
        raise _refused(address, f"the server sent it compressed ({encoding[:20]}), which was not asked for")
    size = target.stat().st_size if target.exists() else 0
    if progress.size is not None and size != progress.size:
        raise _TransientError(f"{size} of {progress.size} bytes came")
    return answers[-1].headers if answers else {}


def _limited() -> Any:
    """A callback of fsspec that ends a download once too much has come, or is announced."""
    from fsspec.callbacks import Callback

    class Limited(Callback):
        """Counts bytes."""

        def set_size(self, size: int | None) -> None:
            super().set_size(size)
            if size is not None and size > LARGEST:
                raise _TooLargeError

        def relative_update(self, inc: int = 1) -> None:
            super().relative_update(inc)
            if self.value > LARGEST:
                raise _TooLargeError

    return Limited()


def _filesystem(
    address: str, conditions: Mapping[str, str], answers: "list[_Answer]", destination: Destination
) -> Any:
    """The fsspec file system of an address, fresh, so that a retry gets a fresh connection.

    Args:
        address: the address.
        conditions: headers that make the request conditional.
        answers: takes status and headers of each answer, which fsspec does not give.
        destination: the kind of machine that it may talk to.
    """
    import fsspec

    if address.startswith("s3://"):
        return fsspec.filesystem("s3", skip_instance_cache=True)
    import aiohttp

    async def follow(session: Any, context: Any, step: Any) -> None:
        await refuse_elsewhere(step, destination)

    async def session(**options: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(resolver=destination.resolver())
        return aiohttp.ClientSession(connector=connector, **options)

    async def note(session: Any, context: Any, end: Any) -> None:
        answers.append(_Answer(end.response.status, {k.lower(): v for k, v in end.response.headers.items()}))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)
    trace.on_request_redirect.append(follow)
    destination.require_host(urlsplit(address).hostname or "")
    return fsspec.filesystem(
        "http",
        skip_instance_cache=True,
        # Compressed on the way, a body would not have the announced length.
        headers={"Accept-Encoding": "identity", **conditions},
        get_client=session,
        client_kwargs={
            # a body that is compressed all the same is not unpacked: a few bytes could become a full disk
            "auto_decompress": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE),
            "trust_env": True,
            "trace_configs": [trace],
        },
    )


def _judged(fault: Exception, address: str) -> Exception:
    """A transient fault to try again, or the sentence that ends it. Never the fault's own words."""
    if isinstance(fault, _TooLargeError):
        return _refused(address, f"it is larger than {LARGEST} bytes")
    led = _led_elsewhere(fault)
    if led is not None:
        return _refused(address, f"access is refused: {led}")
    status = getattr(fault, "status", None)
    if isinstance(status, int) and (status == 429 or status >= 500):
        return _TransientError(f"the server answered {status}", _retry_after(fault))
    if isinstance(fault, FileNotFoundError) or status == 404:
        what = "there is no such file (404)"
    elif isinstance(fault, PermissionError) or status in (401, 403):
        what = f"access is refused ({status or 403})"
    elif isinstance(status, int) and status >= 400:
        what = f"the server answered {status}"
    elif type(fault).__name__ in ("NoCredentialsError", "PartialCredentialsError", "ImportError"):
        what = f"the store cannot be used ({type(fault).__name__})"
    else:
        return _TransientError(f"the connection broke ({type(fault).__name__})")
    return _refused(address, what)


def _refused(address: str, what: str) -> SourceError:
    return SourceError(
        f"the download from “{shown(address)}” is not possible: {what}",
        file=name_of(address),
        remedy="check the address and the access rights, or put the file into the inbox by hand",
    )


def _led_elsewhere(fault: BaseException | None) -> DestinationError | None:
    """The refusal of a destination behind a fault, which aiohttp may have wrapped."""
    while fault is not None:
        if isinstance(fault, DestinationError):
            return fault
        fault = fault.__cause__ or fault.__context__
    return None


def _retry_after(fault: Exception) -> float | None:
    """Seconds of a ``Retry-After`` header; its form as a date is left to the back-off."""
    headers = getattr(fault, "headers", None) or {}
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return None
