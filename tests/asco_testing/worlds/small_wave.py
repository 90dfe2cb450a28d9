"""A small wave that really ran: demonstration deliveries of wave 2014 at a twentieth of the sample's size.

Its tables are the real data that the mutations start from. The territory and the aid tables have their true
size whatever the scale; only the sample is small, so that bounds on its size, weights and precision are those
of this wave. What does not belong here: what is broken (``mutations``).
"""

import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

from asco_dagster.orchestration.tags import FRESH
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import Wave, load_wave
from asco_dagster.waves.form import Text
from asco_testing.home_instances import home_instance

SCALE, WAVE, FORMER = 0.05, "2014", "2002"
# Suppressing and attacking every indicator takes a minute more and shows no more.
PROTECTED = ("any_action", "act_elderly", "ccas", "instructs", "sectors_1_6", "sectors_7_plus", "competence")
# A twentieth of the sample cannot be as long or as precise, nor its weights as small, as the whole one.
BOUNDS = {
    "sample_units_min": 300.0,
    "weight_max": 3000.0,
    "cv_france_share_max": 0.6,
    "cv_france_total_max": 1.0,
}
# Declared before anything is revised: a wave file that changed would have every table made again.
REASON = Text(fr="Réponses corrigées par les communes", en="Answers corrected by the communes")


@dataclasses.dataclass(frozen=True)
class SmallWave:
    """The wave that ran and the home in which it did."""

    wave: Wave
    home: Path
    instance: dg.DagsterInstance

    @property
    def places(self) -> Places:
        """Its places."""
        return Places.of(Settings(home=self.home))


def small() -> Wave:
    """Wave 2014 with the bounds of a small sample, and a second version with a reason, published at once."""
    wave = load_wave(WAVE)
    release = wave.release.model_copy(update={"reasons": {"2.0.0": REASON}, "approval": "automatic"})
    return wave.model_copy(update={"bounds": {**wave.bounds, **BOUNDS}, "release": release})


@contextmanager
def _small() -> Iterator[None]:
    """While it lasts: the bounds of a small sample, few indicators protected, a former wave known."""
    wave = small()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asco_dagster.waves.wave._load", lambda *_: wave)
        patch.setattr("asco_dagster.confidentiality.assets.read_table", _few_indicators)
        patch.setattr("asco_dagster.releases.compared.wave_names", lambda: [FORMER, WAVE])
        yield


def _few_indicators(
    database: duckdb.DuckDBPyConnection, asset: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Of the answers only those to some indicators, when cells are composed of them."""
    table = read_table(database, asset, columns)
    return table[table["indicator"].isin(PROTECTED)] if asset == "est_asco__indicators" else table


def materialize(
    small_wave: SmallWave, *selection: str, only_changed: bool = False
) -> dg.ExecuteInProcessResult:
    """Materialise some assets of the wave, or all, in this process; on request only what changed."""
    from asco_dagster.definitions import build_definitions

    with _small(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASCO_HOME", str(small_wave.home))
        job = build_definitions(settings=Settings(home=small_wave.home)).resolve_job_def("wave_job")
        return job.execute_in_process(
            instance=small_wave.instance,
            partition_key=WAVE,
            # a table that stands would not be written, broken or whole
            tags={} if only_changed else {FRESH: "true"},
            asset_selection=[dg.AssetKey(name) for name in selection] or None,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What a run says of its failed steps and closed gates, the cause of each included."""
    told = [f"{c.check_name}: {c.description}" for c in result.get_asset_check_evaluations() if not c.passed]
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        while error is not None:
            told.append(error.message)
            error = error.cause
    return told


def build_small_wave(home: Path) -> None:
    """Deliver and run the small wave to a release in a home; then what needs an earlier release once more."""
    from asco_dagster.demonstration.deliveries import write_deliveries

    with small_wave_in(home) as built:
        write_deliveries(built.wave, places=built.places, scale=SCALE)
        run = materialize(built)
        assert run.success, failures(run)
        # the same release as that of a wave before: drift and evolution have something to compare with
        shutil.copytree(built.places.releases(WAVE), built.places.releases(FORMER), symlinks=True)
        again = materialize(built, "sec_quality__drift", "pub_asco__evolution")
        assert again.success, failures(again)


@contextmanager
def small_wave_in(home: Path) -> Iterator[SmallWave]:
    """The small wave in a home, with its server running."""
    with home_instance(home) as instance:
        yield SmallWave(small(), home, instance)
