"""Guards of a run before it writes: the Dagster instance of its home, and no other run of its wave."""

from pathlib import Path
from typing import TYPE_CHECKING

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.home import named_home
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import is_storage_of

if TYPE_CHECKING:
    from dagster import DagsterInstance


def require_home_instance(instance: "DagsterInstance", settings: Settings, places: Places) -> None:
    """Require that a step runs under the instance of its home: another would not record what it writes.

    Raises:
        ConfigurationError: it runs under another instance; names both, and how to start it.
    """
    same_home = Path(instance.root_directory).resolve() == places.dagster_home.resolve()
    if not (same_home and is_postgres(instance) and is_storage_of(_address(instance), settings, places)):
        raise ConfigurationError(
            f"this run belongs to the Dagster instance at {instance.root_directory}, not to that of the home "
            f"{places.home}; nothing was written",
            remedy="Start it with asco dagster -- … or asco dg -- …, or with "
            f"DAGSTER_HOME={named_home(places)} and ASCO_HOME={places.home}",
        )


def require_no_other_run(instance: "DagsterInstance", wave: str, run_id: str) -> None:
    """Require that no run of the wave began before this one and is still in progress.

    Dagster's queue ensures it; a run that a command line starts bypasses the queue.

    Raises:
        AscoError: there is one.
    """
    from dagster import DagsterRunStatus, RunsFilter

    active = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    found = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: wave}, statuses=active), ascending=True)
    first = found[0].dagster_run.run_id if found else run_id
    if first != run_id:
        raise AscoError(
            f"wave {wave} is running already (run {first[:8]}); nothing was written",
            remedy="Wait for it, or cancel it; “asco status” marks a run whose process is gone",
        )


def _address(instance: "DagsterInstance") -> str:
    return str(instance.run_storage.postgres_url)  # type: ignore[attr-defined]


def is_postgres(instance: "DagsterInstance") -> bool:
    """Whether an instance keeps its runs in PostgreSQL."""
    from dagster_postgres.run_storage import PostgresRunStorage

    return isinstance(instance.run_storage, PostgresRunStorage)
