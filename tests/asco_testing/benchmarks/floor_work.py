"""The least that a part of the work can take, each in a process of its own: ``floor_work.py WHAT ARGUMENT``.

``bytes INBOX`` inflates every delivered byte; ``sql WAVE`` runs the SQL of every dbt model on a copy of the
wave's database in DuckDB alone. Prints the seconds of the work itself, without imports. What does not belong
here: what the floors are compared with.
"""

import json
import shutil
import sys
import tempfile
import time
import zipfile
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path


def every_byte(inbox: Path) -> float:
    """Seconds of reading all files of a wave's inbox, members of archives inflated."""
    began = time.perf_counter()
    for path in sorted(inbox.iterdir()):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    archive.read(name)
        else:
            path.read_bytes()
    return time.perf_counter() - began


def same_sql(wave: str) -> float:
    """Seconds of DuckDB for the models as dbt compiles them, in the order of what they read."""
    import os

    import duckdb
    from dbt.cli.main import dbtRunner

    from asco_dagster.installation import DBT_PROJECT
    from asco_dagster.orchestration.dbt_manifest import common_arguments
    from asco_dagster.orchestration.dbt_run import variables
    from asco_dagster.settings import Settings
    from asco_dagster.staging.pseudonyms import pseudonym
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    places = Places.of(Settings.from_environment())
    with tempfile.TemporaryDirectory(dir=places.wave(wave)) as folder:
        database, target = Path(folder) / "asco.duckdb", Path(folder) / "target"
        shutil.copyfile(places.database(wave), database)
        os.environ["WAVE_DATABASE"] = str(database)
        given = ["--vars", json.dumps(variables(load_wave(wave))), "--target", "wave"]
        outcome = dbtRunner().invoke(["compile", "--quiet", *given, *common_arguments(DBT_PROJECT, target)])
        if not outcome.success:
            sys.exit(f"dbt does not compile: {outcome.exception}")
        nodes = json.loads((target / "manifest.json").read_text())["nodes"]
        models = {name: node for name, node in nodes.items() if node["resource_type"] == "model"}
        reads = {
            name: [p for p in node["depends_on"]["nodes"] if p in models] for name, node in models.items()
        }
        key = places.pseudonym_key(Settings.from_environment())
        with duckdb.connect(str(database)) as connection:
            connection.create_function("pseudonym", partial(pseudonym, key), ["VARCHAR"], "VARCHAR")
            began = time.perf_counter()
            for name in TopologicalSorter(reads).static_order():
                node = models[name]
                table = f"{node['schema']}.{node['name']}"
                connection.execute(f"create or replace table {table} as {node['compiled_code']}")
            return time.perf_counter() - began


if __name__ == "__main__":
    print(every_byte(Path(sys.argv[2])) if sys.argv[1] == "bytes" else same_sql(sys.argv[2]))
