"""One delivered file: read in place from the inbox, or downloaded whole and checked."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from asco_dagster.connectors.addresses import is_remote, local_path, name_of, shown
from asco_dagster.connectors.destinations import Destination, DestinationError, refuse_elsewhere
from asco_dagster.connectors.editions import conditions_of, store_edition
from asco_dagster.durable import is_alive, make_folder, replacing
from asco_dagster.errors import OutOfReachError, SourceError

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds before the first retry, doubled each time up to the longest, plus jitter."""

SILENCE = 60
"""Seconds without a byte after which a connection is closed."""

LARGEST = 8 * 1024**3
"""Bytes of one file: some ten times the largest source, INSEE's census of individuals."""

LONGEST = 2 * 3600.0
"""Seconds for one file, all attempts together."""

_CHUNK = 1024 * 1024
_TEMPORARY = ".temporary-"


class _TooLargeError(Exception):
    """The file is too large."""


class _UnchangedError(Exception):
    """The server has the same edition (304)."""


class _TransientError(Exception):
    """A fault to retry: a sentence without the address, and the seconds that the server asks to wait."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        self.what = what
        self.wait = wait
        super().__init__(what)


def fetch(address: str, *, into: Path, base: Path, sha256: str | None = None, attempts: int = 4) -> Path:
    """Download the file of an address, unless it is local.

    Args:
        address: a name relative to ``base``, ``file://…``, ``https://…``, ``s3://…`` (endpoint and keys from
            fsspec's own environment, for example ``FSSPEC_S3_ENDPOINT_URL``), or ``http://`` on loopback.
        into: folder for downloads, created if missing. Downloads are named by the last part of their address,
            so sources with equal names need separate folders.
        base: the wave's inbox.
        sha256: expected checksum in hexadecimal, any case.
        attempts: maximum number of attempts.

    Returns:
        The local path: the file if it is local, else the download, which is reused if the server says that
        it has not changed (304).

    Raises:
        SourceError: the address is not accepted; the file is missing, refused, too large, too slow, or of
            another size or checksum than expected; all attempts failed; or a redirect led elsewhere.
    """
    if not is_remote(address):
        path = local_path(address, base)
        _check_sum(path, sha256, path.name)
        return path
    name = name_of(address)
    target = make_folder(into) / name
    conditions = conditions_of(address, target, sha256_of(target) if target.is_file() else None)
    with contextlib.suppress(_UnchangedError):
        with replacing(target) as draft:
            headers = _download(address, draft, attempts, conditions)
            _check_sum(draft, sha256, name)
            checksum = sha256_of(draft)
        store_edition(address, target, checksum, headers)
        return target
    _check_sum(target, sha256, name)
    return target


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Returns:
        64 hexadecimal digits in lower case.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_and_size(path: Path) -> dict[str, Any]:
    """A delivered file in the manifest: its ``sha256`` and number of ``bytes``.

    Raises:
        OutOfReachError: it cannot be read.
    """
    try:
        return {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    except OSError as fault:
        raise OutOfReachError.from_os_error(fault, path) from fault


@contextlib.contextmanager
def temporary_folder(downloads: Path) -> Iterator[Path]:
    """A private folder for downloads with contact details, deleted at the end or by the next process."""
    for found in downloads.glob(f"{_TEMPORARY}*"):
        owner = found.name.removeprefix(_TEMPORARY).partition("-")[0]
        if owner.isdigit() and not is_alive(int(owner)):
            shutil.rmtree(found, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{os.getpid()}-", dir=downloads))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_sum(path: Path, expected: str | None, name: str) -> None:
    if expected is None:
        return
    found = hash_and_size(path)["sha256"]
    if found != expected.strip().lower():
        raise SourceError(
            f"its sha256 is {found}",
            file=name,
            expected=expected.strip().lower(),
            remedy="compare it with what the publisher announces; the wave's file names the accepted sum",
        )


def _download(address: str, target: Path, attempts: int, conditions: Mapping[str, str]) -> Mapping[str, str]:
    """Download with retries; headers of the answer (none from S3). No message contains the whole address."""
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
        headers: Mapping[str, str] = retrying(
            _download_once, address, target, conditions, Destination(), time.monotonic() + LONGEST
        )
        return headers
    except _TransientError as fault:
        # not chained: the cause could show the address
        raise SourceError(
            f"the download from “{shown(address)}” failed {attempts} times, last because {fault.what}",
            file=name_of(address),
            remedy="try again later, or put the file into the inbox by hand",
        ) from None


def _download_once(
    address: str, target: Path, conditions: Mapping[str, str], destination: Destination, end: float
) -> Mapping[str, str]:
    import fsspec.asyn

    progress = _limited()
    answers: list[Any] = []
    fault: Exception | None = None
    try:
        files = _filesystem(address, conditions, answers, destination)
        # cancelled at the deadline, however slowly bytes arrive
        patience = max(0.01, end - time.monotonic())
        fsspec.asyn.sync(
            files.loop, files._get_file, address, str(target), callback=progress, timeout=patience
        )
    # Handled below, outside: a chained error would show the address.
    except Exception as raised:
        fault = raised
    if answers and answers[-1].status == 304:
        if not conditions:
            raise _TransientError("the server answered 304 to a request without conditions")
        raise _UnchangedError
    if fault is not None and time.monotonic() >= end:
        raise _refused(address, f"it took longer than {LONGEST:.0f} seconds") from None
    if fault is not None:
        raise _error(fault, address) from None
    encoding = answers[-1].headers.get("content-encoding", "identity") if answers else "identity"
    if encoding.strip().lower() != "identity":
        raise _refused(address, f"the server sent it compressed ({encoding[:20]}), which was not asked for")
    size = target.stat().st_size if target.exists() else 0
    if progress.size is not None and size != progress.size:
        raise _TransientError(f"{size} of {progress.size} bytes came")
    return answers[-1].headers if answers else {}


def _limited() -> Any:
    """A callback of fsspec that stops a download that is, or is announced as, too large."""
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
    address: str, conditions: Mapping[str, str], answers: list[Any], destination: Destination
) -> Any:
    """The fsspec file system of an address, fresh, so that a retry gets a fresh connection.

    ``answers`` receives aiohttp's answers, which fsspec does not return.
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
        answers.append(end.response)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(note)
    trace.on_request_redirect.append(follow)
    destination.require_host(urlsplit(address).hostname or "")
    return fsspec.filesystem(
        "http",
        skip_instance_cache=True,
        # A compressed body would not have the announced length.
        headers={"Accept-Encoding": "identity", **conditions},
        get_client=session,
        client_kwargs={
            # a body that is compressed nevertheless is not unpacked: a few bytes could fill the disk
            "auto_decompress": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE),
            "trust_env": True,
            "trace_configs": [trace],
        },
    )


def _error(fault: Exception, address: str) -> Exception:
    """A fault to retry, or the error to report; never the fault's text."""
    if isinstance(fault, _TooLargeError):
        return _refused(address, f"it is larger than {LARGEST} bytes")
    led = _refused_destination(fault)
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
        remedy="check the address and the permissions, or put the file into the inbox by hand",
    )


def _refused_destination(fault: BaseException | None) -> DestinationError | None:
    """The refusal of a destination, which aiohttp may have wrapped."""
    while fault is not None:
        if isinstance(fault, DestinationError):
            return fault
        fault = fault.__cause__ or fault.__context__
    return None


def _retry_after(fault: Exception) -> float | None:
    """Seconds of a ``Retry-After`` header; None if it is a date or missing."""
    headers = getattr(fault, "headers", None) or {}
    with contextlib.suppress(TypeError, ValueError):
        return max(0.0, float(headers.get("Retry-After", "")))
    return None
