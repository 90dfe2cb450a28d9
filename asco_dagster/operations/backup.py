"""``asco backup`` and ``asco restore``: run history, waves and releases in one file, the keys apart.

The archive is a plain tar with a list of its files and their checksums first. PostgreSQL is dumped by its own
``pg_dump``; a wave's database is held against writers while it is copied. What does not belong here:
deliveries in the inbox, which are the office's own, and keys, which go into a file of their own or nowhere.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from asco_dagster.durable import PUBLIC, make_folder
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.cluster import binary
from asco_dagster.operations.home import VERSION, demand_home
from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.postgres import storage
from asco_dagster.operations.records import keep_record
from asco_dagster.places import Places
from asco_dagster.settings import Settings
from asco_dagster.warehouse import open_database

LIST, DUMP = "backup.json", "dagster.dump"
FOLDERS = ("waves", "releases", "quarantine", "records")
_SKIPPED = (".draft-", "spill")
_CONFIDENTIAL_MODES, _PUBLIC_MODES = (0o700, 0o600), (0o755, 0o444)


def backup(settings: Settings, places: Places, target: Path, keys: Path | None = None) -> int:
    """Write a backup of the home.

    Args:
        settings: the environment.
        places: the home.
        target: the archive, which must not exist; it is confidential (0600).
        keys: takes the keys of the home, apart; None leaves them out.

    Returns:
        Number of files in it.

    Raises:
        AscoError: a run is in progress, or ``pg_dump`` failed.
        ConfigurationError: the target exists.
    """
    for path in filter(None, (target, keys)):
        if path.exists():
            raise ConfigurationError(f"{path} exists already", remedy="Name a new file")
    demand_home(places)
    with ExitStack() as stack:
        held = [stack.enter_context(_quiet(path)) for path in _databases(places)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=places.home)))
        _dump(settings, places, folder / DUMP)
        files = [(path.relative_to(places.home).as_posix(), path) for path in _kept(places)]
        _write(target, [(DUMP, folder / DUMP), *files])
        del held
    if keys is not None:
        own = sorted((places.home / "keys").glob("*.key"))
        _write(keys, [(path.relative_to(places.home).as_posix(), path) for path in own])
    return len(files)


def restore(settings: Settings, places: Places, source: Path, keys: Path | None = None) -> int:
    """Make a home of a backup.

    Everything is checked before anything is laid into the home.

    Args:
        settings: the environment.
        places: the home, in which nothing has run.
        source: the archive.
        keys: the keys' own archive, if there is one.

    Returns:
        Number of files restored.

    Raises:
        ConfigurationError: the home is not empty, or the backup is of a newer version.
        AscoError: the archive is not whole.
    """
    taken = [name for name in (*FOLDERS, "postgres", "keys") if any((places.home / name).glob("*"))]
    if taken:
        raise ConfigurationError(
            f"{places.home} holds {', '.join(taken)} already",
            expected="a home in which nothing has run",
            remedy="Set ASCO_HOME to a new folder",
        )
    make_folder(places.home, PUBLIC)
    with tempfile.TemporaryDirectory(dir=places.home) as work:
        laid = Path(work)
        names = _read(source, laid) + (_read(keys, laid) if keys else [])
        demand_home(places)
        for name in sorted({Path(name).parts[0] for name in names} - {DUMP}):
            (laid / name).rename(places.home / name)
        _set_modes(places.home)
        _load(settings, places, laid / DUMP)
    keep_record(places, "restore", {"from": source.name, "files": len(names)})
    return len(names)


def _databases(places: Places) -> list[Path]:
    return sorted((places.home / "waves").glob("*/asco.duckdb"))


@contextmanager
def _quiet(database: Path) -> Iterator[None]:
    """No run writes to this database meanwhile; one that does already is an error."""
    with open_database(database, read_only=True):
        yield


def _kept(places: Places) -> list[Path]:
    found = [path for name in FOLDERS for path in sorted((places.home / name).rglob("*"))]
    return [
        path
        for path in found
        if (path.is_symlink() or path.is_file()) and not any(part in str(path) for part in _SKIPPED)
    ]


def _write(target: Path, files: Sequence[tuple[str, Path]]) -> None:
    listed: dict[str, Any] = {"layout": VERSION, "files": {}}
    for name, path in files:
        listed["files"][name] = str(path.readlink()) if path.is_symlink() else _sha256(path)
    text = json.dumps(listed, indent=1).encode()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                entry = tarfile.TarInfo(LIST)
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text))
                for name, path in files:
                    archive.add(path, name, recursive=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _read(source: Path, folder: Path) -> list[str]:
    """Unpack an archive and check every file against its list."""
    remedy = "Take another copy of the backup"
    try:
        with tarfile.open(source) as archive:
            first = archive.next()
            inside = archive.extractfile(first) if first is not None and first.name == LIST else None
            listed = json.load(inside) if inside is not None else {}
            if int(listed.get("layout", VERSION + 1)) > VERSION:
                raise ConfigurationError(
                    f"{source.name} is no backup that this version can read",
                    expected=f"layout {VERSION} or older",
                    remedy="Use the version of asco_dagster that wrote it",
                )
            archive.extractall(folder, filter="data")  # no way out of the folder, no device, no link outside
    except (OSError, tarfile.TarError, ValueError) as error:
        raise AscoError(
            f"the backup cannot be read ({type(error).__name__})", file=source, remedy=remedy
        ) from error
    (folder / LIST).unlink()
    for name, told in listed["files"].items():
        path = folder / name
        found = str(path.readlink()) if path.is_symlink() else _sha256(path) if path.is_file() else None
        if found != told:
            raise AscoError(f"{name} in the backup is not what was backed up", file=source, remedy=remedy)
    return list(listed["files"])


def _set_modes(home: Path) -> None:
    for name in (*FOLDERS, "keys"):
        folder_mode, file_mode = _PUBLIC_MODES if name == "releases" else _CONFIDENTIAL_MODES
        root = home / name
        for path in [root, *root.rglob("*")] if root.exists() else []:
            if not path.is_symlink():
                path.chmod(folder_mode if path.is_dir() else file_mode)


def _dump(settings: Settings, places: Places, target: Path) -> None:
    with storage(settings, places) as url:
        _run("pg_dump", url, "--format=custom", "--no-owner", "--file", str(target))


def _load(settings: Settings, places: Places, dump: Path) -> None:
    with storage(settings, places) as url:
        _run("pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(dump))
    with open_instance(settings, places):
        pass  # Dagster brings an older schema up to date


def _run(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs; the password goes through the environment, not the arguments."""
    from sqlalchemy import make_url

    address = make_url(url)
    host = address.host or str(address.query.get("host", ""))
    told = {
        "PGHOST": host,
        "PGPORT": str(address.port or 5432),
        "PGUSER": address.username or "",
        "PGPASSWORD": str(address.password or ""),
        "PGDATABASE": address.database or "",
    }
    chosen = ["--dbname", address.database or ""] if program == "pg_restore" else []
    done = subprocess.run(
        [str(binary(program)), *chosen, *arguments],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            **{k: v for k, v in told.items() if v},
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise AscoError(
            f"{program} failed: {last}", remedy="Mend what it names; nothing of the home was changed by it"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
