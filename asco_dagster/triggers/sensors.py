"""The sensors: deliveries start their wave, a failure or a closed gate is told, each wave's state is shown.

What does not belong here: looking at an inbox (``storage/inbox.py``), sending (``operations/notices.py``),
what a wave's state is (``operations/wave_state.py``).
"""

import datetime as dt
import hashlib
import json
from dataclasses import asdict

import dagster as dg

from asco_dagster.errors import AscoError
from asco_dagster.operations.notices import is_configured, tell_failure
from asco_dagster.operations.wave_state import WaveState, wave_state
from asco_dagster.releases.embargo import PARIS
from asco_dagster.settings import Settings
from asco_dagster.storage.inbox import Seen, look
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.held import show
from asco_dagster.storage.shared_store.inbox import bring_inbox
from asco_dagster.storage.shared_store.objects import Store
from asco_dagster.triggers.jobs import wave_job
from asco_dagster.waves import Readable, readable_waves

SECONDS_BETWEEN_LOOKS = 30
SECONDS_BETWEEN_STATES = 60
RELEASE = "pub_asco__release"
FAULTS = "faults"
"""Where a cursor, which has an entry a wave, remembers the wave files that do not hold."""


@dg.sensor(
    name="inbox_sensor",
    job=wave_job,
    minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
    # Off until someone turns it on under “Automation”: to start a wave is a decision of the office.
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts a wave when the content of its inbox is new, whole, and no longer being copied.",
)
def inbox_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult | dg.SkipReason:
    """Look at the inbox of every wave; the cursor remembers what was seen of each."""
    places = Places.of(settings)
    remembered = json.loads(context.cursor or "{}")
    faults = remembered.pop(FAULTS, {})
    before = {wave: Seen(**told) for wave, told in remembered.items()}
    readable = readable_waves()
    _name_once(context, readable, faults)
    seen, requests = dict(remembered), []
    reasons = [f"{file} is left out" for file in readable.faults]
    for one in readable.waves:
        wave = one.wave
        if settings.store is not None:
            bring_inbox(Store(settings.store), wave, places.inbox(wave))
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
    default_status=dg.DefaultSensorStatus.RUNNING,  # it only looks
    description=f"Observes on {RELEASE} where each wave stands, whenever that changed; it starts nothing.",
)
def wave_state_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult:
    """Look at every wave; the cursor remembers what was told of each."""
    places, today = Places.of(settings), dt.datetime.now(PARIS).date()
    before = json.loads(context.cursor or "{}")
    readable = readable_waves()
    _name_once(context, readable, before.pop(FAULTS, {}))
    for wave in readable.waves:
        show(settings, places, wave.wave)  # what the workers stored; nothing without a store
    states = [wave_state(context.instance, places, wave, today) for wave in readable.waves]
    told = {state.wave: hashlib.sha256(repr(state).encode()).hexdigest() for state in states}
    changed = [state for state in states if told[state.wave] != before.get(state.wave)]
    return dg.SensorResult(
        asset_events=[_observed(state) for state in changed],
        skip_reason=None if changed else dg.SkipReason("no wave's state changed"),
        cursor=json.dumps({**told, FAULTS: readable.faults}, sort_keys=True),
    )


def _name_once(context: dg.SensorEvaluationContext, readable: Readable, before: dict[str, str]) -> None:
    """Log what is wrong with a wave file when it is new; the cursor remembers what was said."""
    for file, fault in readable.faults.items():
        if before.get(file) != fault:
            context.log.warning(fault)


def _observed(state: WaveState) -> dg.AssetObservation:
    facts = [dg.TableRecord({"what": name, "state": text}) for name, text in state.facts]
    return dg.AssetObservation(
        RELEASE,
        partition=state.wave,
        description=f"Wave {state.wave}: {state.phase}",
        metadata={
            "wave": dg.MetadataValue.text(state.phase),
            "state of the wave": dg.MetadataValue.table(facts),
        },
    )


def failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """Tells people of failed runs and closed gates; it runs as soon as there is somebody to tell.

    Args:
        settings: whether a webhook or a mail server is configured.
    """
    status = dg.DefaultSensorStatus.RUNNING if is_configured(settings) else dg.DefaultSensorStatus.STOPPED

    @dg.run_failure_sensor(
        name="failure_sensor",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=status,
        description="Tells of a failed run, and of each gate that closed, by webhook and by mail.",
    )
    def sensor(
        context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SkipReason | None:
        if not is_configured(settings):
            return dg.SkipReason("neither ASCO_WEBHOOK_URL nor ASCO_SMTP_URL is set")
        try:
            tell_failure(context.instance, context.dagster_run, settings)
        except AscoError as error:
            # Not chained: what a library said may hold the address.
            raise dg.Failure(str(error), allow_retries=False) from None
        return None

    return sensor
