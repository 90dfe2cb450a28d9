"""Dagster's instance: its configuration, the environment of its processes, and runs whose process died.

The configuration was measured to run waves side by side and never one wave twice.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil  # type: ignore[import-untyped]
import yaml

from asco_dagster.durable import locked, write_whole
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.orchestration.run_guard import is_postgres
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.home import named_home, require_home
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import ADDRESS, storage
from asco_dagster.storage.postgres.server_faults import Fault, connecting_fault

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

UP_LOCK = "up.lock"
PID_TAG, HOST_TAG, STARTED_TAG = "asco/pid", "asco/host", "asco/pid_started"
_STATEMENT = 600_000  # milliseconds after which PostgreSQL cancels a statement
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")
_MOST_ON_WORKERS = 32  # runs launched at once; the workers decide how many run at once
_REDIS = {"env": "ASCO_BROKER_URL"}  # it may hold a password, which no file may contain
_TO_WORKERS = {
    "module": "asco_dagster.operations.services.workers.launcher",
    "class": "WorkerLauncher",
    "config": {"broker": _REDIS, "backend": _REDIS},
}
_SILENT = {
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    # ``telemetry: {enabled: false}`` stops the recording only, this also the webserver's upload thread
    "DAGSTER_DISABLE_TELEMETRY": "1",
}


def prepare(settings: Settings, places: Places, postgres_url: str) -> dict[str, str]:
    """Write Dagster's configuration, and return the environment that its processes need.

    The address of the storage is passed in the environment, never in a file.

    Returns:
        The whole environment of a child process.
    """
    require_home(places)
    path = places.dagster_home / "dagster.yaml"
    launcher = _TO_WORKERS if settings.broker_url is not None else None
    # any process of Dagster finds this storage, whether or not asco started it
    storage_class = {"module": "asco_dagster.operations.services.home_storage", "class": "HomeStorage"}
    content = {
        **configuration(places.dagster_home, launcher),
        "storage": {"custom": {**storage_class, "config": {"home": str(places.home)}}},
    }
    text = yaml.safe_dump(content, sort_keys=False)
    if not path.is_file() or path.read_text() != text:
        write_whole(path, text)
    # Without bytecode every import costs two to three times as much.
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {
        **inherited,
        **_SILENT,
        "DAGSTER_HOME": str(named_home(places)),
        ADDRESS: postgres_url,
        **settings.as_environment(),
    }


def configuration(home: Path, launcher: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Content of ``dagster.yaml`` for a DAGSTER_HOME.

    ``launcher`` starts runs on other machines; without it they start on this one.
    """
    content: dict[str, Any] = yaml.safe_load(_CONFIGURATION.read_text(encoding="utf-8"))
    one_run_a_wave = {"key": PARTITION_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    at_once = max(2, os.cpu_count() or 1)
    if launcher is not None:
        content["run_launcher"] = dict(launcher)
        at_once = _MOST_ON_WORKERS
        # a launched run waits in Redis or Kubernetes until a machine is free
        content["run_monitoring"]["start_timeout_seconds"] = 4 * 3600
    runs = {"max_concurrent_runs": at_once, "tag_concurrency_limits": [one_run_a_wave]}
    folders = {
        "compute_logs": ("local_compute_log_manager", "LocalComputeLogManager", home / "compute_logs"),
        "local_artifact_storage": ("root", "LocalArtifactStorage", home),
    }
    return {
        **content,
        "storage": {"postgres": {"postgres_url": {"env": ADDRESS}}},
        "concurrency": {"runs": runs},
        **{
            name: {
                "module": f"dagster._core.storage.{module}",
                "class": kind,
                "config": {"base_dir": str(folder)},
            }
            for name, (module, kind, folder) in folders.items()
        },
    }


@contextmanager
def open_instance(
    settings: Settings, places: Places, *, meanwhile: Callable[[], object] | None = None
) -> Iterator["DagsterInstance"]:
    """Open Dagster's instance with its storage running and its tables created.

    While it is open this process has the environment of ``prepare``.

    ``meanwhile`` is called in this thread while the storage starts.

    Raises:
        ConfigurationError: the storage is not available.
    """
    with ExitStack() as stack:
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(stack.enter_context, storage(settings, places))
            if meanwhile is not None:
                meanwhile()
            url = started.result()
        stack.enter_context(environment(prepare(settings, places, url)))
        instance = stack.enter_context(instance_of(places))
        if settings.postgres_url is None:
            _keep_connections(instance)
        yield instance


def _keep_connections(instance: "DagsterInstance") -> None:
    """Keep connections to the embedded server open, where Dagster opens one for each statement.

    A run writes some thousand events, and a connection costs more than an event. An external server may be
    restarted meanwhile, which an open connection would not survive.
    """
    instance.optimize_for_webserver(statement_timeout=_STATEMENT, pool_recycle=3600, max_overflow=20)


@contextmanager
def instance_of(places: Places) -> Iterator["DagsterInstance"]:
    """The instance of a home whose storage runs and whose environment is set; creates its tables.

    Raises:
        ConfigurationError: Dagster opened another storage than PostgreSQL.
    """
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(named_home(places))) as instance:
        if not is_postgres(instance):
            raise ConfigurationError(
                f"Dagster did not read this file: its storage is {type(instance.run_storage).__name__}",
                file=places.dagster_home / "dagster.yaml",
                expected="PostgreSQL",
                remedy="Set ASCO_HOME to a path of plain characters",
            )
        yield instance


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set the environment of this process to exactly these variables meanwhile."""
    before = dict(os.environ)
    try:
        _replace(wanted)
        yield
    finally:
        _replace(before)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a lost connection to Dagster's storage, for example to a killed server, into one sentence.

    Raises:
        AscoError: the storage was lost.
    """
    try:
        yield
    except Exception as error:
        # heavy, and importing them before the run would delay the start of the server
        from dagster_postgres.utils import DagsterPostgresException
        from psycopg2 import OperationalError  # type: ignore[import-untyped]
        from sqlalchemy.exc import DBAPIError

        if not isinstance(error, DBAPIError | DagsterPostgresException | OperationalError):
            raise
        lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        fault = connecting_fault(lines[0]) or Fault(
            lines[0], "Run the wave again; the former release, if any, is unchanged"
        )
        raise AscoError(
            f"the connection to Dagster's storage was lost: {fault.cause}", remedy=fault.remedy
        ) from error


def run_tags() -> dict[str, str]:
    """Tags by which another process sees whether the process of this run is alive."""
    pid = os.getpid()
    return {PID_TAG: str(pid), HOST_TAG: socket.gethostname(), STARTED_TAG: process_started(pid) or ""}


def mark_dead_runs(instance: "DagsterInstance", *, unserved: bool = False) -> list[str]:
    """Mark runs whose process died as failed, since a started run blocks its wave.

    Runs of other hosts are not checked.

    Args:
        instance: Dagster's instance.
        unserved: the storage is embedded and no ``asco up`` serves it, so that started runs of Dagster's
            launcher are dead as well.

    Returns:
        Ids of the marked runs.
    """
    from dagster import DagsterRunStatus, RunsFilter

    launched = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    unfinished = [DagsterRunStatus.NOT_STARTED, *launched]
    here = RunsFilter(tags={HOST_TAG: socket.gethostname()}, statuses=unfinished)
    dead = [run for run in instance.get_runs(here) if PID_TAG in run.tags and not _is_alive(run)]
    if unserved:
        dead += [run for run in instance.get_runs(RunsFilter(statuses=launched)) if PID_TAG not in run.tags]
    for run in dead:
        process = f"asco run, process {run.tags[PID_TAG]}" if PID_TAG in run.tags else "asco up"
        instance.report_run_failed(run, f"The process of this run ({process}) died.")
    return [run.run_id for run in dead]


def is_unserved(settings: Settings, places: Places) -> bool:
    """Whether the storage is embedded and no ``asco up`` serves the home now."""
    if settings.postgres_url is not None:
        return False  # another machine may share it
    try:
        with locked(places.dagster_home / UP_LOCK, wait=False, shared=True):
            return True
    except BlockingIOError:
        return False


def running_run(instance: "DagsterInstance", wave: str) -> "DagsterRun | None":
    """The run of a wave in progress, if any; queued runs do not count."""
    from dagster import DagsterRunStatus, RunsFilter

    active = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    runs = instance.get_runs(RunsFilter(tags={PARTITION_TAG: wave}, statuses=active), limit=1)
    return runs[0] if runs else None


def process_started(pid: int) -> str | None:
    """When a process started, in a form that no later process of the same number shares.

    Returns:
        ``boot:tick`` from Linux's ``/proc``, elsewhere seconds since 1970; None if there is no such process,
        or it is a zombie.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Field 2 is the program's name in brackets and may contain blanks: count from the fields after it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self").exists() else _started_elsewhere(pid)
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _started_elsewhere(pid: int) -> str | None:
    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


def _is_alive(run: "DagsterRun") -> bool:
    return process_started(int(run.tags[PID_TAG])) == run.tags.get(STARTED_TAG)


def _replace(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
