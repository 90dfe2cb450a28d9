"""The Celery application of a worker: each run gets a separate process.

dagster-celery's task runs a job inside Celery's pool, whose processes may not have children (the reader of
returns has some) and keep memory and environment between runs. Here the same task starts ``dagster api
execute_run`` as Dagster's other launchers do. The message only names a run: what is executed comes from
Dagster's storage and the code of this machine.
"""

import os
import sys
from typing import Any, cast

from celery import Celery
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value, unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.make_app import make_app

from asco_dagster.errors import AscoError
from asco_dagster.operations.services import children
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places


def worker_app(settings: Settings) -> Celery:
    """The application on the Redis of the settings."""
    made = cast(Celery, make_app({"broker": settings.broker_url, "backend": settings.broker_url}))
    # A run that is prefetched by a busy worker would not start on an idle one.
    made.conf.worker_disable_prefetch = True
    made.conf.broker_connection_retry_on_startup = True
    made.conf.worker_hijack_root_logger = False
    return made


app = worker_app(Settings.from_environment())


@app.task(name=TASK_EXECUTE_JOB_NAME, track_started=True)
def execute_job(execute_job_args_packed: Any) -> None:
    """Execute one run in a process that ends with this one.

    Raises:
        AscoError: the run failed, or its process died.
    """
    asked = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs)
    # without instance: that of this machine, with the same storage
    here = ExecuteRunArgs(asked.job_origin, asked.run_id, None, set_exit_code_on_failure=True)
    command = [sys.executable, "-m", "dagster", "api", "execute_run", serialize_value(here)]
    log = Places.of(Settings.from_environment()).dagster_home / "servers" / f"run-{asked.run_id}.log"
    child = children.start("run", command, os.environ, log)
    code = child.process.wait()
    if code:
        raise AscoError(
            f"run {asked.run_id[:8]} ended with code {code}", file=log, remedy="See the run in the UI"
        )
    log.unlink()
