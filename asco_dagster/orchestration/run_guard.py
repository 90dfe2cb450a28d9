"""What a step demands of its run before it writes: the instance of its home, and no other run of its wave.

What does not belong here: the demands of a release (``release_guard``), opening an instance
(``operations.instance``).
"""

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
    """Demand that a step runs under the instance of its home: another would not tell what it writes.

    Raises:
        ConfigurationError: it runs under another instance; names both, and what to start it with.
    """
    is_own = Path(instance.root_directory).resolve() == places.dagster_home.resolve()
    if is_own and is_postgres(instance):
        address = instance.run_storage.postgres_url  # type: ignore[attr-defined]
        is_own = is_storage_of(address, settings, places)
    else:
        is_own = False
    if not is_own:
        raise ConfigurationError(
            f"this run is kept in Dagster's instance at {instance.root_directory}, not in that of the home "
            f"{places.home}, and nothing was written",
            remedy="Start it with asco dagster -- … or asco dg -- …, or with "
            f"DAGSTER_HOME={named_home(places)} and ASCO_HOME={places.home}",
        )


def require_no_other_run(instance: "DagsterInstance", wave: str, run_id: str) -> None:
    """Demand that no run of the wave began before this one and is still in progress.

    Dagster's queue sees to it; a run that a command line starts passes the queue by.

    Raises:
        AscoError: there is one.
    """
    from dagster import DagsterRunStatus, RunsFilter

    active = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    found = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: wave}, statuses=active), ascending=True)
    first = found[0].dagster_run.run_id if found else run_id
    if first != run_id:
        raise AscoError(
            f"wave {wave} is running already (run {first[:8]}), and nothing was written",
            remedy="Wait for it, or cancel it; “asco status” marks a run whose process is gone",
        )


def is_postgres(instance: "DagsterInstance") -> bool:
    """Whether an instance keeps its runs in PostgreSQL."""
    from dagster_postgres.run_storage import PostgresRunStorage

    return isinstance(instance.run_storage, PostgresRunStorage)
