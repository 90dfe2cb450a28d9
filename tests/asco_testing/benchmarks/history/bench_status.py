"""What ``asco status`` costs after thousands of runs: the last run of a home, copied in PostgreSQL.

``python -m asco_testing.benchmarks.history.bench_status HOME 5000`` adds runs to the history of a home that
ran a wave (a copy of one: nothing takes them away but ``asco prune``), and prints the seconds of the status
beyond its imports. What does not belong here: asserting them.
"""

import re
import sys
import time
from pathlib import Path

import sqlalchemy

from asco_dagster.operations.instance import open_instance
from asco_dagster.operations.monitoring.overview import overview
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

# Rows of the run that is copied, each with a new run id. For room's sake without what the status does not
# read: the events, and the bodies of all results of checks but the latest.
COPIES = """
create temporary table copies as
select n, md5('asco' || n)::uuid::varchar as run_id from generate_series(1, :runs) numbers(n);
insert into runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, partition, partition_set,
    create_timestamp, update_timestamp, start_time, end_time)
select c.run_id, snapshot_id, pipeline_name, mode, status, replace(run_body, :run, c.run_id), partition,
    partition_set, create_timestamp, update_timestamp, start_time, end_time
from runs, copies c where runs.run_id = :run order by n;
insert into run_tags (run_id, key, value)
select c.run_id, key, value from run_tags, copies c where run_tags.run_id = :run;
insert into asset_check_executions (asset_key, check_name, partition, run_id, execution_status,
    evaluation_event, evaluation_event_timestamp, evaluation_event_storage_id,
    materialization_event_storage_id, create_timestamp)
select asset_key, check_name, partition, c.run_id, execution_status,
    case when n = :runs then evaluation_event end, evaluation_event_timestamp,
    evaluation_event_storage_id, materialization_event_storage_id, create_timestamp
from asset_check_executions, copies c where asset_check_executions.run_id = :run order by n;
"""


def main(home: Path, runs: int) -> None:
    """Add the runs, and look."""
    settings = Settings(home=home)
    places = Places.of(settings)
    with open_instance(settings, places) as instance:
        (last,) = instance.get_runs(limit=1)
        with instance.event_log_storage.index_connection() as connection:
            for statement in COPIES.split(";\n"):
                if statement.strip():
                    given = {"run": last.run_id, "runs": runs}
                    told = {name: given[name] for name in re.findall(r"(?<!:):(\w+)", statement)}
                    connection.execute(sqlalchemy.text(statement), told)
        print(f"{instance.get_runs_count():,} runs in the history")
    overview(settings, places)  # its imports
    for _ in range(3):
        start = time.perf_counter()
        overview(settings, places)
        print(f"asco status, the server's start and stop included: {time.perf_counter() - start:.2f} s")
    with open_instance(settings, places) as instance:
        from asco_dagster.operations.monitoring.overview import wave_status

        start = time.perf_counter()
        for wave in ("2014", "2025"):
            wave_status(instance, places, wave)
        print(f"the waves alone: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
