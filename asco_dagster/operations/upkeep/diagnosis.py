"""The read-only checks of ``asco doctor``: the machine, installed packages, the home, the waves."""

import importlib.metadata
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from asco_dagster.durable import PUBLIC, make_folder
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.installation import LOCK
from asco_dagster.operations.services.servers import port_is_free
from asco_dagster.operations.services.workers.worker import require_broker
from asco_dagster.settings import Settings
from asco_dagster.storage.keys import read_key
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.waves import readable_waves

MINIMUM_PYTHON = (3, 11)
DISK_PROBLEM, DISK_NOTE = 1_000_000_000, 5_000_000_000  # bytes
_CONFIDENTIAL = (
    *("waves/*", "quarantine/*", "downloads/*", "waves/*/*.duckdb", "keys", "keys/*.key", "records"),
    *("readable/*", "dagster", "dbt", "demonstration", "postgres", "sealed/*", "withdrawn/*", "quality/*"),
    "store",
)


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        verdict: ``OK``, ``note`` (something optional is missing) or ``problem``.
        subject: what was checked.
        text: what was found.
        remedy: how to fix it; empty if OK.
    """

    verdict: Literal["OK", "note", "problem"]
    subject: str
    text: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Check everything; what depends on settings only if these are valid."""
    yield _python()
    yield from packages(LOCK)
    yield _duckdb()
    yield _chromium()
    yield _port(3000)
    try:
        settings = Settings.from_environment()
    except ConfigurationError as error:
        yield _problem("settings", error)
        return
    places = Places.of(settings)
    home = list(home_findings(places))
    yield from home
    if all(finding.verdict != "problem" for finding in home):
        yield _postgres(settings, places)
    yield from _shared(settings)
    yield from waves(places)


def packages(lock: Path) -> Iterator[Finding]:
    """Whether each dependency is installed, in the version that the lock file pins."""
    pins = pinned(lock)
    needed = [Requirement(text) for text in importlib.metadata.requires("asco_dagster") or ()]
    names = [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    faults = [fault for name in names if (fault := _package_fault(name, pins))]
    for fault in faults:
        yield Finding("problem", "packages", fault, "Run pip install -r requirements.lock")
    if not faults:
        text = "at their pinned versions" if pins else "installed (no requirements.lock to compare with)"
        yield Finding("OK", "packages", f"{len(names)} packages {text}")


def pinned(lock: Path) -> dict[str, str]:
    """Version of each package in a lock file, by normalised name; empty without such a file."""
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\\\]+)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def home_findings(places: Places) -> Iterator[Finding]:
    """Whether the home is writable, has disk space, and keeps its confidential folders private."""
    existing = next(path for path in (places.home, *places.home.parents) if path.exists())
    try:
        make_folder(places.home, PUBLIC)
        with tempfile.TemporaryFile(dir=places.home):
            pass
    except OSError as error:
        remedy = "Set ASCO_HOME to a writable folder"
        yield Finding("problem", "home", f"{places.home} cannot be written ({error.strerror})", remedy)
        return
    yield Finding("OK", "home", str(places.home))
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.1f} GB free"
    if free < DISK_NOTE:
        remedy = f"Free some disk space: a wave at true size takes about {DISK_NOTE / 1e9:.0f} GB"
        yield Finding("problem" if free < DISK_PROBLEM else "note", "disk", text, remedy)
    else:
        yield Finding("OK", "disk", text)
    yield from _permissions(places)


def waves(places: Places) -> Iterator[Finding]:
    """Whether each wave file is valid, and its deliveries are in the inbox."""
    readable = readable_waves()
    for file, fault in readable.faults.items():
        yield Finding("problem", f"wave file {file}", fault, "The other waves run without it")
    for wave in readable.waves:
        name = wave.wave
        files = sorted({one.address for one in wave.deliveries() if "://" not in one.address})
        missing = [file for file in files if not (places.inbox(name) / file).is_file()]
        if missing:
            text = f"file valid; {len(missing)} of {len(files)} deliveries missing: {', '.join(missing)}"
            remedy = f"Copy them to {places.inbox(name)}, or try asco demo --wave {name}"
            yield Finding("note", f"wave {name}", text, remedy)
        else:
            yield Finding("OK", f"wave {name}", f"file valid; {len(files)} deliveries present")


def _python() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info[:2] < MINIMUM_PYTHON:
        return Finding("problem", "Python", version, "Install Python 3.11 or later")
    return Finding("OK", "Python", version)


def _package_fault(name: str, pins: dict[str, str]) -> str | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    pin = pins.get(canonicalize_name(name), found.version)
    if pin != found.version:
        return f"{name} is {found.version}, pinned is {pin}"
    code = next((file for file in found.files or () if file.name == "__init__.py"), None)
    return f"{name} is incomplete: {code} is missing" if code and not Path(code.locate()).exists() else None


def _duckdb() -> Finding:
    try:
        import duckdb

        with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/try.duckdb") as database:
            database.execute("create table t as select 1 as one")
    except Exception as error:  # whatever a broken binary raises is the finding
        return Finding(
            "problem", "DuckDB", f"cannot open a database: {error}", "Run pip install -r requirements.lock"
        )
    return Finding("OK", "DuckDB", f"{duckdb.__version__} opens and writes a database")


def _chromium() -> Finding:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        remedy = "Only the browser tests need it: apt-get install chromium"
        return Finding("note", "Chromium", "not found", remedy)
    return Finding("OK", "Chromium", found)


def _port(port: int) -> Finding:
    if port_is_free("127.0.0.1", port):
        return Finding("OK", "port", f"{port} is free")
    return Finding(
        "note", "port", f"{port} is in use", "If not by asco up, choose another with asco up --port"
    )


def _permissions(places: Places) -> Iterator[Finding]:
    found = [path for pattern in _CONFIDENTIAL for path in sorted(places.home.glob(pattern))]
    # A private folder protects all below it: only what is open on the whole path is reported.
    open_ones = [path for path in found if _reachable(path, places.home)]
    yield from _replaceable(places.home)
    yield from _keys(places)
    for path in open_ones:
        text = f"{path} can be read by others (mode {stat.S_IMODE(path.stat().st_mode):04o})"
        yield Finding("problem", "permissions", text, f"chmod go-rwx '{path}'")
    if not open_ones:
        yield Finding("OK", "permissions", "confidential folders are private")


def _replaceable(home: Path) -> Iterator[Finding]:
    """What other users could replace: the home, a folder above it, a release."""
    above = [path for path in home.parents if not path.stat().st_mode & stat.S_ISVTX]
    for path in [home, *above, home / "keys", *sorted((home / "releases").rglob("*"))]:
        if path.is_symlink() or not path.exists():
            continue
        found = path.stat()
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            text = f"other users may write into {path} (mode {stat.S_IMODE(found.st_mode):04o})"
            yield Finding("problem", "permissions", text, f"chmod go-w '{path}'")
        elif found.st_uid not in (os.geteuid(), 0):
            text = f"{path} belongs to another user (uid {found.st_uid}), who may replace its content"
            remedy = f"chown {os.geteuid()} '{path}', or set ASCO_HOME to a folder that belongs to you"
            yield Finding("problem", "permissions", text, remedy)


def _keys(places: Places) -> Iterator[Finding]:
    for path in sorted((places.home / "keys").glob("*.key")):
        try:
            read_key(path)
        except ConfigurationError as error:
            yield _problem("keys", error)


def _reachable(path: Path, home: Path) -> bool:
    between = [parent for parent in path.parents if parent.is_relative_to(home) and parent != home]
    closed = any(not parent.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH) for parent in between)
    return not closed and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _postgres(settings: Settings, places: Places) -> Finding:
    which = "embedded server starts" if settings.postgres_url is None else "ASCO_POSTGRES_URL answers"
    try:
        with storage(settings, places):
            return Finding("OK", "PostgreSQL", which)
    except AscoError as error:
        return _problem("PostgreSQL", error)


def _shared(settings: Settings) -> Iterator[Finding]:
    """Whether the shared store and the broker answer, if they are set."""
    if settings.store is not None:
        try:
            next(Store(settings.store).listed("confidential/claims/"), None)
            yield Finding("OK", "store", f"{settings.store} answers (ASCO_STORE)")
        except AscoError as error:
            yield _problem("store", error)
    if settings.broker_url is not None:
        try:
            require_broker(settings.broker_url)
            yield Finding("OK", "Redis", "ASCO_BROKER_URL answers")
        except AscoError as error:
            yield _problem("Redis", error)


def _problem(subject: str, error: AscoError) -> Finding:
    place = f"{error.place()}: " if error.place() else ""
    expected = f"; expected {error.expected}" if error.expected else ""
    return Finding("problem", subject, f"{place}{error.what}{expected}", error.remedy or "")
