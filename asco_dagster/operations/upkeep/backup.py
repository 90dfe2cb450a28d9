"""``asco backup`` and ``asco restore``: run history, waves and releases in one file, keys in another.

The archive is a plain tar: first the list of its files with checksums, then the signature of that list with a
key of the home, then the files; the run history is data (``run_history``). A wave's database is locked while
it is copied. Restoring trusts nothing: only expected names are accepted, each file is compared with the list,
and a list without the signature of the home is refused. Deliveries in the inbox are not included.
"""

import hashlib
import hmac
import io
import json
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.durable import PUBLIC, make_folder, replacing
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.upkeep.records import keep_record
from asco_dagster.operations.upkeep.run_history import read_history, tables, write_history
from asco_dagster.settings import Settings
from asco_dagster.storage.home import VERSION, require_home
from asco_dagster.storage.keys import create_key, read_key
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_dagster.storage.warehouse import open_database

FORMAT = 2
"""Version of the archive; format 1 had a script of pg_dump and no signature."""

LIST, SIGNATURE, HISTORY = "backup.json", "backup.hmac", "history"
FOLDERS = ("waves", "releases", "sealed", "withdrawn", "quarantine", "records")
KEYS = ("keys/pseudonym.key", "keys/signing.key", "keys/backup.key")
_LARGEST_LIST = 64 * 1024**2
_CHUNK = 1024**2
_SKIPPED = (".draft-", "spill")
_CONFIDENTIAL_MODES, _PUBLIC_MODES = (0o700, 0o600), (0o755, 0o444)
_LINKS = re.compile(r"releases/[\w-]+/latest|sealed/[\w-]+/next")
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9a-f]{12})?")
_REMEDY = "Use another copy of the backup"


def backup(settings: Settings, places: Places, target: Path, keys: Path | None = None) -> int:
    """Write a backup of the home.

    The archive is confidential (0600). ``keys`` is a separate archive of the keys; None leaves them out.

    Returns:
        Number of files.

    Raises:
        AscoError: a run is in progress, or the run history cannot be read.
        ConfigurationError: the target exists, or others may read or replace a key of the home.
    """
    for path in filter(None, (target, keys)):
        if path.exists():
            raise ConfigurationError(f"{path} already exists", remedy="Name a new file")
    require_home(places)
    key = _backup_key(places)
    with ExitStack() as stack:
        for path in sorted((places.home / "waves").glob("*/asco.duckdb")):
            stack.enter_context(open_database(path, read_only=True))  # no run writes meanwhile
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=places.home)))
        with (
            open_instance(settings, places),
            storage(settings, places) as url,
        ):  # Dagster has created its tables
            history = [(f"{HISTORY}/{path.name}", path) for path in write_history(url, folder)]
        files = [(path.relative_to(places.home).as_posix(), path) for path in _kept(places)]
        _write(target, [*history, *files], key)
    if keys is not None:
        _write(keys, [(name, places.home / name) for name in KEYS if (places.home / name).is_file()], key)
    return len(files)


def restore(
    settings: Settings,
    places: Places,
    source: Path,
    keys: Path | None = None,
    *,
    unverified: bool = False,
) -> int:
    """Restore a backup into a new home; everything is checked before anything is written into it.

    Args:
        settings: the settings.
        places: the home, in which nothing has run.
        source: the archive.
        keys: archive of the keys, with the key that signed the backup.
        unverified: accept a backup without a valid signature; its files are still compared with its list.

    Returns:
        Number of files restored.

    Raises:
        ConfigurationError: the home is not empty, or the backup is of another version or not verified.
        AscoError: the archive is damaged.
    """
    taken = [name for name in (*FOLDERS, "postgres", "keys") if any((places.home / name).glob("*"))]
    if taken:
        raise ConfigurationError(
            f"{places.home} already contains {', '.join(taken)}",
            expected="a home in which nothing has run",
            remedy="Set ASCO_HOME to a new folder",
        )
    make_folder(places.home, PUBLIC)
    with tempfile.TemporaryDirectory(dir=places.home) as work:
        unpacked = Path(work)
        key = None
        if keys is not None:
            _read(keys, unpacked, is_key, None)
            key = _key_in(unpacked)
        if key is None and not unverified:
            raise ConfigurationError(
                f"the signature of the backup {source.name} cannot be checked without its key",
                expected="--keys with the archive of the keys of its home",
                remedy="Add it, or --unverified to restore a backup that anybody may have written",
            )
        names = _read(source, unpacked, is_data, None if unverified else key)
        _require_data_only(unpacked)
        require_home(places)
        history = [name for name in names if name.startswith(f"{HISTORY}/")]
        for name in sorted(path.name for path in unpacked.iterdir() if path.name != HISTORY):
            (unpacked / name).rename(places.home / name)
        _set_modes(places.home)
        _load(settings, places, unpacked / HISTORY)
    kept = len(names) - len(history)
    keep_record(places, "restore", {"from": source.name, "files": kept, "verified": not unverified})
    return kept


def is_data(name: str) -> bool:
    """Whether a backup may contain a file of this name."""
    top, *rest = name.split("/")
    if top == HISTORY:
        return len(rest) == 1 and rest[0] in {f"{table}.csv" for table in tables()}
    plain = bool(rest) and all(part.isprintable() and part not in ("", ".", "..") for part in rest)
    return plain and top in FOLDERS and "\\" not in name


def is_key(name: str) -> bool:
    """Whether the archive of the keys may contain a file of this name."""
    return name in KEYS


def _backup_key(places: Places) -> bytes:
    """The key with which this home signs its backups, created on first use."""
    path = places.keys / "backup.key"
    if not path.exists() and not path.is_symlink():
        create_key(path, secrets.token_hex(32).encode())
    return read_key(path)


def _key_in(unpacked: Path) -> bytes | None:
    path = unpacked / "keys" / "backup.key"
    return read_key(path) if path.is_file() else None


def _kept(places: Places) -> list[Path]:
    found = [path for name in FOLDERS for path in sorted((places.home / name).rglob("*"))]
    return [
        path
        for path in found
        if (path.is_symlink() or path.is_file()) and not any(part in str(path) for part in _SKIPPED)
    ]


def _write(target: Path, files: Sequence[tuple[str, Path]], key: bytes) -> None:
    listed: dict[str, Any] = {"format": FORMAT, "layout": VERSION, "files": {}}
    for name, path in files:
        if path.is_symlink():
            listed["files"][name] = {"link": str(path.readlink())}
        else:
            listed["files"][name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    text = json.dumps(listed, indent=1).encode()
    with replacing(target) as draft, tarfile.open(draft, mode="w") as archive:
        for name, content in ((LIST, text), (SIGNATURE, _signature(key, text))):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, path in files:
            archive.add(path, name, recursive=False)


def _signature(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, b"asco backup\n" + text, hashlib.sha256).hexdigest().encode()


def _read(source: Path, folder: Path, accepted: Callable[[str], bool], key: bytes | None) -> list[str]:
    """Unpack an archive, each file compared with the list.

    ``key`` checks the signature of the list; None skips that.

    Returns:
        Names of the files.
    """
    try:
        with tarfile.open(source, "r:") as archive:
            listed = _list(archive, source, key)
            _require_names(listed, accepted, source)
            _require_room(listed, folder, source)
            seen = set()
            for member in archive:
                entry = listed.get(member.name) if member.name not in seen else None
                if entry is None:
                    if member.name in (LIST, SIGNATURE):
                        continue
                    raise _unexpected(member.name, source)
                seen.add(member.name)
                _unpack(archive, member, entry, folder / member.name, source)
    except (OSError, tarfile.TarError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise AscoError(
            f"the backup cannot be read ({type(error).__name__})", file=source, remedy=_REMEDY
        ) from error
    for name in listed:
        if name not in seen:
            raise AscoError(f"{name} is missing in the backup", file=source, remedy=_REMEDY)
    return list(listed)


def _list(archive: tarfile.TarFile, source: Path, key: bytes | None) -> dict[str, Any]:
    """The list of an archive, after its signature is checked."""
    text, signature = (_first(archive, name) for name in (LIST, SIGNATURE))
    if key is not None and not hmac.compare_digest(_signature(key, text), signature):
        raise ConfigurationError(
            f"the backup {source.name} was altered, or written by a home with other keys",
            expected="the signature of the home of the keys",
            remedy="Use another copy, or its keys; --unverified restores it nevertheless",
        )
    listed = dict(json.loads(text))
    if listed.get("format") != FORMAT or int(listed["layout"]) > VERSION:
        raise ConfigurationError(
            f"this version cannot read the backup {source.name}",
            expected=f"format {FORMAT} and layout {VERSION} or older",
            remedy="Use the version of asco_dagster that wrote it",
        )
    return dict(listed["files"])


def _first(archive: tarfile.TarFile, name: str) -> bytes:
    """Content of the next member if it is a small file of this name, else an empty list."""
    member = archive.next()
    if member is None or member.name != name or not member.isreg() or member.size > _LARGEST_LIST:
        return b"{}"
    inside = archive.extractfile(member)
    return inside.read() if inside is not None else b"{}"


def _require_names(listed: Mapping[str, Any], accepted: Callable[[str], bool], source: Path) -> None:
    for name, entry in listed.items():
        if not accepted(name):
            raise _unexpected(name, source)
        link = entry.get("link")
        if link is not None and not (_LINKS.fullmatch(name) and _VERSION.fullmatch(link)):
            raise AscoError(
                f"{name} in the backup is a link to {str(link)[:100]!r}", file=source, remedy=_REMEDY
            )


def _unexpected(name: str, source: Path) -> AscoError:
    return AscoError(
        f"the backup contains {name[:100]!r}, which no backup contains",
        file=source,
        expected=f"files of {', '.join((*FOLDERS, HISTORY))}; keys in a separate archive (--keys)",
        remedy=_REMEDY,
    )


def _require_room(listed: Mapping[str, Any], folder: Path, source: Path) -> None:
    wanted = sum(int(entry.get("bytes", 0)) for entry in listed.values())
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise AscoError(
            f"the backup needs {wanted} bytes, but only {free} are free on the disk",
            file=source,
            remedy="Free some disk space, or set ASCO_HOME to a larger disk",
        )


def _unpack(
    archive: tarfile.TarFile, member: tarfile.TarInfo, entry: Mapping[str, Any], target: Path, source: Path
) -> None:
    fault = AscoError(f"{member.name} in the backup was altered", file=source, remedy=_REMEDY)
    make_folder(target.parent)
    if "link" in entry:
        if not member.issym() or member.linkname != entry["link"]:
            raise fault
        target.symlink_to(entry["link"])
        return
    inside = archive.extractfile(member) if member.isreg() and member.size == entry["bytes"] else None
    if inside is None:
        raise fault
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := inside.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != entry["sha256"]:
        raise fault


def _require_data_only(unpacked: Path) -> None:
    """Refuse databases with views or triggers, which would run when they are opened."""
    for path in sorted((unpacked / "waves").glob("*/*")):
        found = []
        if path.suffix == ".duckdb":
            with open_database(path, read_only=True) as database:
                found = database.execute(
                    "select view_name from duckdb_views() where not internal union all"
                    " select function_name from duckdb_functions() where not internal"
                ).fetchall()
        elif path.suffix == ".sqlite":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
                found = store.execute(
                    "select name from sqlite_master where type in ('view', 'trigger')"
                ).fetchall()
        if found:
            raise AscoError(
                f"{path.name} of wave {path.parent.name} in the backup contains more than tables:"
                f" {str(found[0][0])[:60]!r}",
                expected="tables only",
                remedy=_REMEDY,
            )


def _set_modes(home: Path) -> None:
    for name in (*FOLDERS, "keys"):
        folder_mode, file_mode = _PUBLIC_MODES if name == "releases" else _CONFIDENTIAL_MODES
        root = home / name
        for path in [root, *root.rglob("*")] if root.exists() else []:
            if not path.is_symlink():
                path.chmod(folder_mode if path.is_dir() else file_mode)


def _load(settings: Settings, places: Places, history: Path) -> None:
    """Load the run history into tables that Dagster creates, and cancel unfinished runs in it."""
    from dagster import RunsFilter
    from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

    with open_instance(settings, places), storage(settings, places) as url:
        read_history(url, history)
    with open_instance(settings, places) as instance:
        for run in instance.get_runs(RunsFilter(statuses=NOT_FINISHED_STATUSES)):
            instance.report_run_canceled(run, "The run was unfinished when the backup was written.")
