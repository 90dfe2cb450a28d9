"""What Dagster's event log says of a wave's last run, as JSON on standard output: ``run_record.py WAVE``.

Seconds of each table and of each gate, as reported by their steps, and of each step from start to end.
Runs in a process of its own, since it needs the home's PostgreSQL. What does not belong here: adding up.
"""

import json
import sys

import dagster as dg

from asco_dagster.layers import layer_of
from asco_dagster.observation import SECONDS
from asco_dagster.operations.instance import open_instance
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places


def record(wave: str) -> dict:
    """Run, steps, tables and gates of the last run of a wave."""
    settings = Settings.from_environment()
    with open_instance(settings, Places.of(settings)) as instance:
        (run,) = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: wave}), limit=1)
        steps = instance.get_run_step_stats(run.dagster_run.run_id)
        events = [
            entry.dagster_event for entry in instance.all_logs(run.dagster_run.run_id) if entry.dagster_event
        ]
    tables, gates, told = {}, {}, set()
    for event in events:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            made = event.step_materialization_data.materialization
            # Tables made together each tell the seconds of their step; dbt's models have their own.
            again = event.step_key in told and not event.step_key.startswith("dbt_")
            told.add(event.step_key)
            tables[made.asset_key.path[-1]] = 0.0 if again else _seconds(made.metadata)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            judged = event.asset_check_evaluation_data
            gates[judged.check_name] = [judged.asset_key.path[-1], _seconds(judged.metadata)]
    return {
        "run": run.end_time - run.start_time,
        "events": len(events),
        "steps": {step.step_key: step.end_time - step.start_time for step in steps if step.end_time},
        "tables": {name: [layer_of(name), seconds] for name, seconds in tables.items()},
        "gates": {name: [layer_of(asset), seconds] for name, (asset, seconds) in gates.items()},
    }


def _seconds(metadata: dict) -> float:
    value = metadata.get(SECONDS)
    return float(value.value) if value is not None else 0.0


if __name__ == "__main__":
    print(json.dumps(record(sys.argv[1])))
