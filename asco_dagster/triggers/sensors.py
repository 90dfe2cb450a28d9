"""The sensors: start waves on new deliveries, show each wave's state, send notices."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict

import dagster as dg

from asco_dagster.errors import AscoError
from asco_dagster.operations.monitoring.notices import is_configured, send_candidate, send_failure
from asco_dagster.operations.monitoring.wave_state import WaveState, wave_state
from asco_dagster.orchestration.checks import operator_address
from asco_dagster.orchestration.partitions import waves_to_start
from asco_dagster.releases.embargo import PARIS
from asco_dagster.settings import Settings
from asco_dagster.storage.inbox import Seen, look
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.held import download_for_pages
from asco_dagster.storage.shared_store.inbox import download_inbox
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.triggers.jobs import wave_job
from asco_dagster.waves import Readable

SECONDS_BETWEEN_LOOKS = 30
SECONDS_BETWEEN_STATES = 60
RELEASE = "pub_asco__release"
FAULTS = "faults"
"""Key of a cursor, beside one per wave, for the wave files that are not valid."""


@dg.sensor(
    name="inbox_sensor",
    job=wave_job,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    # Off until someone enables it under “Automation”: starting waves is a decision of the office.
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts a wave when its inbox is complete, no longer being copied, and has new content.",
)
def inbox_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult | dg.SkipReason:
    """Check the inbox of every wave; the cursor stores what was seen of each."""
    places = Places.of(settings)
    remembered = json.loads(context.cursor or "{}")
    faults = remembered.pop(FAULTS, {})
    before = {wave: Seen(**seen) for wave, seen in remembered.items()}
    readable = waves_to_start()
    _log_new_faults(context, readable, faults)
    seen, requests = dict(remembered), []
    reasons = [f"{file} is left out" for file in readable.faults]
    for one in readable.waves:
        wave = one.wave
        if settings.store is not None:
            download_inbox(Store(settings.store), wave, places.inbox(wave))
        found = look(one, places.inbox(wave), before.get(wave, Seen()))
        seen[wave] = asdict(found.seen)
        if found.content is None:
            reasons.append(f"{wave}: {found.reason}")
            continue
        key = f"{wave}:{found.content}:{found.seen.turn}"
        requests.append(
            dg.RunRequest(run_key=key, partition_key=wave, tags={"asco/inbox": found.content[:16]})
        )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join(reasons) or "there is no wave"),
        cursor=json.dumps({**seen, FAULTS: readable.faults}, sort_keys=True),
    )


@dg.sensor(
    name="wave_state_sensor",
    minimum_interval_seconds=SECONDS_BETWEEN_STATES,
    default_status=dg.DefaultSensorStatus.RUNNING,  # read-only
    description=f"Shows the state of each wave as an observation of {RELEASE}; starts nothing.",
)
def wave_state_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult:
    """Check every wave; the cursor stores a hash of each state."""
    places, today = Places.of(settings), dt.datetime.now(PARIS).date()
    before = json.loads(context.cursor or "{}")
    readable = waves_to_start()
    _log_new_faults(context, readable, before.pop(FAULTS, {}))
    for wave in readable.waves:
        download_for_pages(settings, places, wave.wave)  # without effect unless there is a shared store
    states = [wave_state(context.instance, places, wave, today) for wave in readable.waves]
    hashes = {state.wave: hashlib.sha256(repr(state).encode()).hexdigest() for state in states}
    changed = [state for state in states if hashes[state.wave] != before.get(state.wave)]
    return dg.SensorResult(
        asset_events=[_observed(state, settings) for state in changed],
        skip_reason=None if changed else dg.SkipReason("no wave has changed"),
        cursor=json.dumps({**hashes, FAULTS: readable.faults}, sort_keys=True),
    )


def _log_new_faults(context: dg.SensorEvaluationContext, readable: Readable, before: dict[str, str]) -> None:
    """Log new faults of wave files; the cursor stores those that were logged."""
    for file, fault in readable.faults.items():
        if before.get(file) != fault:
            context.log.warning(fault)


def _observed(state: WaveState, settings: Settings) -> dg.AssetObservation:
    facts = [dg.TableRecord({"what": name, "state": text}) for name, text in state.facts]
    return dg.AssetObservation(
        RELEASE,
        partition=state.wave,
        description=f"Wave {state.wave}: {state.phase}",
        metadata={
            "wave": dg.MetadataValue.text(state.phase),
            "state of the wave": dg.MetadataValue.table(facts),
            "what to do": dg.MetadataValue.url(operator_address(settings, state.wave)),
        },
    )


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """A sensor that sends notices of failed runs and closed gates, enabled if a channel is configured."""
    status = dg.DefaultSensorStatus.RUNNING if is_configured(settings) else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="failure_sensor",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=status,
        description="Sends a notice of each failed run and closed gate by webhook and mail.",
    )
    def sensor(
        context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SkipReason | None:
        return _sent(send_failure, context, settings)

    return sensor


def candidate_sensor(settings: Settings) -> dg.SensorDefinition:
    """A sensor that sends a notice of each new candidate, enabled if a channel is configured."""
    status = dg.DefaultSensorStatus.RUNNING if is_configured(settings) else dg.DefaultSensorStatus.STOPPED

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="candidate_sensor",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=status,
        description="Sends a notice of each new version that waits for approval, by webhook and mail.",
    )
    def sensor(
        context: dg.RunStatusSensorContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SkipReason | None:
        return _sent(send_candidate, context, settings)

    return sensor


def _sent(
    send: Callable[[dg.DagsterInstance, dg.DagsterRun, Settings], object],
    context: dg.RunStatusSensorContext,
    settings: Settings,
) -> dg.SkipReason | None:
    """Send the notices of a run."""
    if not is_configured(settings):
        return dg.SkipReason("neither ASCO_WEBHOOK_URL nor ASCO_SMTP_URL is set")
    try:
        send(context.instance, context.dagster_run, settings)
    except AscoError as error:
        # Not chained: a library's message may contain the address.
        raise dg.Failure(str(error), allow_retries=False) from None
    return None
