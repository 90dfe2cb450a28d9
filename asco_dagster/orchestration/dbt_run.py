"""Running dbt in this process, on the prebuilt manifest.

A dbt subprocess costs seconds each time and would outlive a killed parent, holding the database's lock.
"""

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.installation import DBT_PROJECT
from asco_dagster.orchestration.dbt_manifest import common_arguments, manifest_folder
from asco_dagster.settings import Settings
from asco_dagster.storage.encryption import SPILL
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import open_database
from asco_dagster.waves import Wave
from asco_dagster.waves.wave import POPULATION_SHARE_DECIMALS

_TARGET = "dbt-"
_ENCRYPTED = "encrypted"


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, seed or test.

    Attributes:
        unique_id: dbt's identifier.
        status: dbt's word: ``success``, ``pass``, ``warn``, ``fail``, ``error``, ``skipped``.
        message: dbt's message.
        failures: rows that failed a test.
        seconds: execution time.
        sql: a model's SQL as it was run; empty for seeds and tests.
    """

    unique_id: str
    status: str
    message: str
    failures: int
    seconds: float
    sql: str = ""


def build(selection: Sequence[str], *, wave: Wave, places: Places) -> list[NodeResult]:
    """Build the selected models and seeds and run their tests, for one wave.

    Args:
        selection: names of models, seeds and tests.
        wave: the wave; its values reach the models as dbt variables.
        places: paths of the home.

    Returns:
        One result a node.

    Raises:
        AscoError: dbt itself failed, for example on a model's SQL; names the model.
    """
    from dbt.cli.main import dbtRunner

    os.environ |= _environment(wave, places)
    profile = _profile()
    target = Path(tempfile.mkdtemp(prefix=_TARGET, dir=places.wave(wave.wave)))
    try:
        outcome = dbtRunner(manifest=_manifest(manifest_folder(places))).invoke(
            [
                *("build", "--quiet", "--no-write-json", "--exclude-resource-type", "unit_test"),
                # only the tests that are named: another part of the layer may not be built yet
                *("--indirect-selection", "empty", "--select", *selection),
                *("--vars", json.dumps(variables(wave))),
                *("--target", profile),
                *common_arguments(DBT_PROJECT, target),
            ]
        )
    finally:
        if profile == _ENCRYPTED:
            _let_go()
        shutil.rmtree(target, ignore_errors=True)
    if outcome.exception is not None:
        raise AscoError(
            f"dbt stopped: {outcome.exception}", remedy="Look at the run's log"
        ) from outcome.exception
    executed: Any = outcome.result  # of “build”: dbt's type is a union over all its commands
    return [_node_result(result) for result in executed.results]


def run_command(arguments: Sequence[str], *, wave: Wave, places: Places) -> int:
    """Run any dbt command on a wave's database, with the wave's values.

    Args:
        arguments: those of dbt, the command first.
        wave: the wave.
        places: paths of the home.

    Returns:
        dbt's exit code: 0 done, 1 a model or test failed, 2 dbt could not do it.

    Raises:
        ConfigurationError: the arguments name variables or a target, which are the wave's.
    """
    from dbt.cli.main import dbtRunner

    named = [part for part in arguments if part.split("=")[0] in ("--vars", "--target", "-t")]
    if named:
        raise ConfigurationError(
            f"{named[0]} cannot be given to asco dbt: a wave's values are in its file",
            file=f"{wave.wave}.yaml",
            remedy="Leave it out, or change the wave's file",
        )
    target = places.dbt / "by hand"
    folders = {
        "PROJECT_DIR": DBT_PROJECT,
        "PROFILES_DIR": DBT_PROJECT,
        "TARGET_PATH": target,
        "LOG_PATH": target,
    }
    os.environ |= {
        **_environment(wave, places),
        **{f"DBT_{name}": str(path) for name, path in folders.items()},
    }
    outcome = dbtRunner().invoke(list(arguments), vars=dict(variables(wave)), target=_profile())
    if outcome.exception is not None:
        raise AscoError(
            f"dbt stopped: {outcome.exception}",
            remedy=f"See asco dbt {wave.wave} -- --help, or the log in {target}",
        )
    return 0 if outcome.success else 1


def _environment(wave: Wave, places: Places) -> dict[str, str]:
    """What profiles.yml takes from the environment; the database is there afterwards."""
    database = places.database(wave.wave)
    with open_database(database):
        pass  # created confidential and with its schemas, when dbt is the first to come
    return {
        "WAVE_DATABASE": str(database),
        "WAVE_MEMORY": Settings.from_environment().memory,
        "WAVE_SPILL": str(database.parent / SPILL),
    }


def _profile() -> str:
    """The output of profiles.yml."""
    return "wave" if Settings.from_environment().database_key is None else _ENCRYPTED


def sweep(folder: Path) -> None:
    """Remove what dbt's killed runs left in a wave's folder.

    To be called with the wave's database open: dbt holds it as well, so that none is at work then.

    Args:
        folder: the wave's.
    """
    for path in folder.glob(f"{_TARGET}*"):
        shutil.rmtree(path, ignore_errors=True)


def _let_go() -> None:
    """Close dbt's connection: it keeps one to a database in memory open, and with it the wave's."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    held = DuckDBConnectionManager._ENV
    if held is not None:
        held.close()
    DuckDBConnectionManager.close_all_connections()


def variables(wave: Wave) -> Mapping[str, Any]:
    """What the models take from the wave file."""
    return {
        "wave": wave.wave,
        "aid_year": wave.aid_year,
        "commune_size_classes": [c.model_dump() for c in wave.sampling.commune.size_classes],
        "epci_size_classes": [c.model_dump() for c in wave.sampling.epci.size_classes],
        "commune_strata": wave.sampling.commune.strata,
        "epci_strata": wave.sampling.epci.strata,
        "decimals_commune_share": wave.release.decimals_share["commune"],
        "decimals_epci_share": wave.release.decimals_share["epci"],
        "decimals_population_share": POPULATION_SHARE_DECIMALS,
        "decimals_total": wave.release.decimals_total,
    }


@functools.cache
def _manifest(folder: Path) -> Any:
    from dbt.contracts.graph.manifest import Manifest

    return Manifest.from_msgpack((folder / "partial_parse.msgpack").read_bytes())


def _node_result(result: Any) -> NodeResult:
    is_model = str(result.node.resource_type) == "model"
    return NodeResult(
        unique_id=result.node.unique_id,
        status=str(result.status),
        message=" ".join((result.message or "").split()),
        failures=result.failures or 0,
        seconds=result.execution_time,
        sql=(getattr(result.node, "compiled_code", None) or "") if is_model else "",
    )
