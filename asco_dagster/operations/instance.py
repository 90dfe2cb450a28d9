"""Dagster's instance: its configuration, the environment of its processes, and runs whose process is gone.

The configuration is the one that was measured to run waves side by side and never one wave twice. What does
not belong here: the server that stores the runs (``storage.postgres``), and what a run does.
"""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asco_dagster.durable import write_whole
from asco_dagster.errors import ConfigurationError
from asco_dagster.orchestration.run_guard import is_postgres
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.home import named_home, require_home
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import ADDRESS, storage
from asco_dagster.storage.postgres.embedded import open_lock

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

UP_LOCK = "up.lock"
PID_TAG, HOST_TAG, STARTED_TAG = "asco/pid", "asco/host", "asco/pid_started"
_TICKS_KEPT = 90  # days
_STATEMENT = 600_000  # milliseconds after which PostgreSQL gives up a statement
_MOST_SPREAD = 32  # runs launched at once; how many run at once, the other machines decide
_REDIS = {"env": "ASCO_BROKER_URL"}  # it may hold a password, which reaches no file
_TO_WORKERS = {
    "module": "asco_dagster.operations.workers.launcher",
    "class": "WorkerLauncher",
    "config": {"broker": _REDIS, "backend": _REDIS},
}
_SILENT = {
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    # ``telemetry: {enabled: false}`` stops the recording only: the webserver's upload thread asks this alone.
    "DAGSTER_DISABLE_TELEMETRY": "1",
}


def prepare(settings: Settings, places: Places, postgres_url: str) -> dict[str, str]:
    """Write Dagster's configuration and tell the environment that its processes need.

    Args:
        settings: the environment of this process.
        places: where DAGSTER_HOME lies.
        postgres_url: address of the storage; goes into the environment and never into a file.

    Returns:
        The whole environment of a child process.
    """
    require_home(places)
    path = places.dagster_home / "dagster.yaml"
    launcher = _TO_WORKERS if settings.broker_url is not None else None
    # found by each process of Dagster, whether or not asco started it
    own_storage = {"module": "asco_dagster.operations.home_storage", "class": "HomeStorage"}
    told = {
        **configuration(places.dagster_home, launcher),
        "storage": {"custom": {**own_storage, "config": {"home": str(places.home)}}},
    }
    text = yaml.safe_dump(told, sort_keys=False)
    if not path.is_file() or path.read_text() != text:
        write_whole(path, text)
    # Without bytecode every import costs two to three times as much.
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    own = {
        "DAGSTER_HOME": str(named_home(places)),
        ADDRESS: postgres_url,
        **settings.as_environment(),
    }
    return {**inherited, **_SILENT, **own}


def configuration(home: Path, launcher: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What ``dagster.yaml`` says.

    Args:
        home: DAGSTER_HOME.
        launcher: what starts runs on other machines; None starts them on this one.
    """
    spread = launcher is not None
    one_run_a_wave = {"key": PARTITION_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    return {
        "storage": {"postgres": {"postgres_url": {"env": ADDRESS}}},
        "concurrency": {
            "runs": {
                "max_concurrent_runs": _MOST_SPREAD if spread else max(2, os.cpu_count() or 1),
                "tag_concurrency_limits": [one_run_a_wave],
            }
        },
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 5,
            # a run for which no machine is free yet waits in Redis or Kubernetes, launched and not started
            "start_timeout_seconds": 4 * 3600 if spread else 180,
            "max_runtime_seconds": 4 * 3600,  # the backstop for a run that nothing else can tell dead
        },
        **({"run_launcher": dict(launcher)} if launcher is not None else {}),
        "run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False},
        # looks of the schedules and sensors, two a minute each
        "retention": {
            "schedule": {"purge_after_days": _TICKS_KEPT},
            "sensor": {
                "purge_after_days": {"skipped": 7, "failure": _TICKS_KEPT, "success": _TICKS_KEPT},
            },
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # no newsletter window over the first page
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home / "compute_logs")},
        },
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(home)},
        },
    }


@contextmanager
def open_instance(
    settings: Settings, places: Places, *, meanwhile: Callable[[], object] | None = None
) -> Iterator["DagsterInstance"]:
    """Open Dagster's instance, its storage up and its schema in place.

    While it is open this process has the environment of ``prepare``.

    Args:
        settings: the environment.
        places: where DAGSTER_HOME lies.
        meanwhile: done in this thread while the storage starts, which is mostly waiting.

    Raises:
        ConfigurationError: the storage cannot be had.
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
            _hold_connections(instance)
        yield instance


def _hold_connections(instance: "DagsterInstance") -> None:
    """Keep connections to the home's own server open, where Dagster opens one for each statement.

    A run writes some thousand events, and a connection costs more than an event. A server that somebody else
    runs may be restarted meanwhile, which a held connection would not survive: there it stays as it is.
    """
    instance.optimize_for_webserver(statement_timeout=_STATEMENT, pool_recycle=3600, max_overflow=20)


@contextmanager
def instance_of(places: Places) -> Iterator["DagsterInstance"]:
    """The instance of a home whose storage is up and whose environment is set; makes its tables.

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
    """Have exactly these variables in this process for a while."""
    before = dict(os.environ)
    try:
        _replace(wanted)
        yield
    finally:
        _replace(before)


def run_tags() -> dict[str, str]:
    """Tags that let another process tell whether the process of this run still lives."""
    pid = os.getpid()
    return {PID_TAG: str(pid), HOST_TAG: socket.gethostname(), STARTED_TAG: process_started(pid) or ""}


def mark_dead_runs(instance: "DagsterInstance", *, unserved: bool = False) -> list[str]:
    """Report as failed the runs whose process is gone.

    A killed command line leaves its run started, and such a run blocks its wave. Runs of other hosts are left
    to those who can judge them.

    Args:
        instance: Dagster's instance.
        unserved: the storage is this home's own and no ``asco up`` serves it, so that no run of Dagster's
            launcher can live: those that it left started are dead as well.

    Returns:
        The ids of the runs that were marked.
    """
    from dagster import DagsterRunStatus, RunsFilter

    alive = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING]
    alive += [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    runs = instance.get_runs(RunsFilter(tags={HOST_TAG: socket.gethostname()}, statuses=alive))
    dead = [run for run in runs if PID_TAG in run.tags and not _lives(run)]
    launched = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    if unserved:
        left = instance.get_runs(RunsFilter(statuses=launched))
        dead += [run for run in left if PID_TAG not in run.tags]
    for run in dead:
        whose = f"asco run, process {run.tags[PID_TAG]}" if PID_TAG in run.tags else "asco up"
        instance.report_run_failed(run, f"The process of this run ({whose}) is gone; the run is over.")
    return [run.run_id for run in dead]


def is_unserved(settings: Settings, places: Places) -> bool:
    """Whether the storage is this home's own and no ``asco up`` serves the home now."""
    if settings.postgres_url is not None:
        return False  # another machine may share it
    lock = open_lock(places.dagster_home / UP_LOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(lock)


def running_run(instance: "DagsterInstance", wave: str) -> "DagsterRun | None":
    """The run of a wave that is in progress, if there is one; queued runs are not."""
    from dagster import DagsterRunStatus, RunsFilter

    active = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    runs = instance.get_runs(RunsFilter(tags={PARTITION_TAG: wave}, statuses=active), limit=1)
    return runs[0] if runs else None


def process_started(pid: int) -> str | None:
    """When a process started, in a form that no later process of the same number shares.

    Returns:
        ``boot:tick`` from Linux's ``/proc``, elsewhere seconds since 1970; None when there is no such process
        (one that is dead and not yet reaped counts as none).
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Field 2 is the program's name in brackets and may hold blanks: count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if Path("/proc/self").exists() else _started_elsewhere(pid)
    return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def _started_elsewhere(pid: int) -> str | None:
    import psutil  # type: ignore[import-untyped]

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return None


def _lives(run: "DagsterRun") -> bool:
    return process_started(int(run.tags[PID_TAG])) == run.tags.get(STARTED_TAG)


def _replace(wanted: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
