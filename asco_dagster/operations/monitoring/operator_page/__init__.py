"""The operator's page: what is wrong in each wave, where, and what to do; the root of the quality pages.

Made at each request from Dagster's event log, the results of the gates and the folders of the home, so that
it never shows a former state. One wave does not hide another, as it does on Dagster's page of a check.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import AscoError, GateError
from asco_dagster.gates.data_docs import REPORT, page_of, styles
from asco_dagster.gates.explanation import failing_first, remedy
from asco_dagster.gates.history.page import PAGE as HISTORY
from asco_dagster.gates.history.store import Acknowledgement, acknowledgements
from asco_dagster.gates.results import GateResult, Verdict, read_result
from asco_dagster.gates.suite import suite_assets
from asco_dagster.layers import LAYERS, layer_of
from asco_dagster.operations.monitoring.overview import LastRun, last_run, unjudged_gates
from asco_dagster.operations.monitoring.releases import Release, list_releases
from asco_dagster.orchestration.tags import CLOSED
from asco_dagster.releases.candidate import Candidate, candidates
from asco_dagster.sources.returns.quarantine import Entry, Quarantine
from asco_dagster.storage.inbox import delivered_files, faults_of
from asco_dagster.storage.invented import DEMONSTRATION, invented_checksums
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave, readable_waves

if TYPE_CHECKING:
    from dagster import DagsterInstance

SEVERITIES = ("blocked", "not judged", "warning", "acknowledged")
"""What a gate that is not simply open can be, the worst first."""
_TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Line:
    """Something about a gate, or a test of dbt, that needs a look.

    Attributes:
        severity: one of ``SEVERITIES``.
        asset: of the gate.
        layer: of the asset.
        reason: why it is expected, or why the gate is not judged.
        column: the column or columns concerned.
        expected: what is allowed.
        observed: what was seen.
        remedy: what to do.
        offending: keys of some rows that failed.
        result: of the gate; None where it has none.
        page: path of its Data Docs below ``quality/<wave>/``; None where there are none.
        acknowledged: who has looked at the warning, and why it may be so.
    """

    severity: str
    asset: str
    layer: str
    reason: str
    column: str = ""
    expected: str = ""
    observed: str = ""
    remedy: str = ""
    offending: tuple[str, ...] = ()
    result: GateResult | None = None
    page: str | None = None
    acknowledged: Acknowledgement | None = None


@dataclass(frozen=True)
class WavePage:
    """A wave as the page shows it.

    Attributes:
        wave: its name.
        run: its last run; None if it never ran.
        failures: why the last run failed, as sentences.
        lines: what needs a look, the worst first.
        open: gates that are open, with their results.
        missing: deliveries that are missing or cannot be read, with the reason, by path.
        changed: deliveries that changed after the start of the last run.
        releases: its versions.
        candidate: the version that waits for an approval; None without one.
        quarantine: returns that were refused.
        faults: what of this wave cannot be read.
        has_report: whether its quality report is there.
        has_history: whether its history page is there.
        invented: whether files of its inbox are invented.
    """

    wave: str
    run: LastRun | None = None
    failures: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    open: list[GateResult] = field(default_factory=list)
    missing: Mapping[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    candidate: Candidate | None = None
    quarantine: list[Entry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    has_report: bool = False
    has_history: bool = False
    invented: bool = False

    def count(self, severity: str) -> int:
        """Number of gates with a line of a severity."""
        return len({line.asset for line in self.lines if line.severity == severity})

    @property
    def latest(self) -> Release | None:
        """The latest public version."""
        return next((one for one in self.releases if one.latest), None)

    @property
    def sealed(self) -> Release | None:
        """The version under embargo."""
        return next((one for one in self.releases if one.state == "sealed"), None)

    @property
    def verdict(self) -> tuple[str, str]:
        """The state of the wave as a class of the page's styles, and as a sentence."""
        if self.run is None:
            return "unjudged", "never run"
        if self.run.status in ("QUEUED", "STARTING", "STARTED", "CANCELING"):
            return "unjudged", "running: what follows is as far as it has come"
        if self.count("blocked"):
            return "closed", f"{_gates(self.count('blocked'))} closed: no new version of this wave"
        if self.run.status != "SUCCESS":
            return "closed", f"the last run ended with {self.run.status}: the former release is unchanged"
        if self.count("not judged"):
            return "unjudged", f"{_gates(self.count('not judged'))} not judged: run the wave again"
        if self.missing or self.changed:
            return "warns", "deliveries are missing or newer than the last run"
        if self.candidate is not None:
            return "warns", f"version {self.candidate.version} waits for approval"
        return ("warns", "open, with warnings") if self.count("warning") else ("open", "every gate is open")


def operator_page(instance: "DagsterInstance", places: Places, asked: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        instance: Dagster's.
        places: the folders of the home.
        asked: ``layer``, ``severity`` and ``wave``, to show only these; anything else shows all.
    """
    readable = readable_waves()
    waves = [wave_page(instance, places, wave) for wave in readable.waves]
    chosen = {name: asked.get(name, "") for name in ("wave", "layer", "severity")}
    return str(
        _template().render(
            waves=[one for one in waves if chosen["wave"] in ("", one.wave)],
            names=[one.wave for one in waves],
            faults=readable.faults,
            chosen=chosen,
            layers=LAYERS,
            severities=SEVERITIES,
            shown=functools.partial(_shown, chosen),
            at=dt.datetime.now(dt.UTC),
            history=HISTORY,
            report=REPORT,
            page_of=page_of,
            styles=styles(),
            demonstration=DEMONSTRATION,
        )
    )


def wave_page(instance: "DagsterInstance", places: Places, wave: Wave) -> WavePage:
    """What the page shows of a wave; what cannot be read is named instead."""
    run, inbox, quality = last_run(instance, wave.wave), places.inbox(wave.wave), places.quality(wave.wave)
    unjudged = unjudged_gates(instance, places, wave.wave)
    results = {asset: _result(places.gates(wave.wave), asset, wave.wave) for asset in suite_assets()}
    known = acknowledgements(places.wave(wave.wave))
    lines: list[Line] = []
    for asset, result in results.items():
        why = unjudged.get(asset) or (result.what if isinstance(result, GateError) else None)
        if why is not None or isinstance(result, GateError):
            page = page_of(asset) if (quality / page_of(asset)).is_file() else None
            again = f"Run wave {wave.wave} again: the gate is judged in the step of its table"
            lines.append(Line("not judged", asset, layer_of(asset), why or "", remedy=again, page=page))
        else:
            lines += _lines_of(result, known)
    failures, tests = _events(instance, run)
    lines = sorted([*lines, *tests], key=lambda line: SEVERITIES.index(line.severity))
    needy = {line.asset for line in lines}
    faults: list[str] = []
    return WavePage(
        wave=wave.wave,
        run=run,
        failures=failures,
        lines=lines,
        open=[one for asset, one in results.items() if isinstance(one, GateResult) and asset not in needy],
        missing=faults_of(wave, inbox),
        changed=_changed(inbox, run),
        releases=_or_fault(lambda: list_releases(places, [wave.wave]), faults),
        candidate=next(iter(_or_fault(lambda: candidates(places, [wave.wave]), faults)), None),
        quarantine=_or_fault(lambda: Quarantine(places.quarantine(wave.wave)).entries(), faults),
        faults=faults,
        has_report=(quality / REPORT).is_file(),
        has_history=(quality / HISTORY).is_file(),
        invented=bool(invented_checksums(inbox)),
    )


def _gates(count: int) -> str:
    return f"{count} gate{'s' if count != 1 else ''}"


def _shown(chosen: Mapping[str, str], lines: Iterable[Line]) -> list[Line]:
    return [
        line
        for line in lines
        if chosen["layer"] in ("", line.layer) and chosen["severity"] in ("", line.severity)
    ]


def _result(folder: Path, asset: str, wave: str) -> GateResult | GateError:
    try:
        return read_result(folder, asset, wave)
    except GateError as error:
        return error


def _lines_of(result: GateResult, known: Mapping[tuple[str, str, str], Acknowledgement]) -> Iterator[Line]:
    """The failed expectations of a gate, those that block first."""
    for verdict in failing_first(result.verdicts):
        if not verdict.passed:
            found = known.get((result.asset, verdict.reason, verdict.observed))
            severity = "blocked" if verdict.closes else "acknowledged" if found else "warning"
            yield _line(severity, result, verdict, found)


def _line(severity: str, result: GateResult, verdict: Verdict, found: Acknowledgement | None) -> Line:
    return Line(
        severity,
        result.asset,
        layer_of(result.asset),
        verdict.reason,
        column=verdict.column,
        expected=verdict.expected,
        observed=verdict.fault or verdict.observed,
        remedy=remedy(result, verdict),
        offending=tuple(verdict.offending),
        result=result,
        page=page_of(result.asset),
        acknowledged=found,
    )


def _events(instance: "DagsterInstance", run: LastRun | None) -> tuple[list[str], list[Line]]:
    """Why a run failed, as sentences, and the tests of dbt that failed in it."""
    from dagster import DagsterEventType

    if run is None:
        return [], []
    kinds = {DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION}
    failures: dict[str, None] = {}
    tests = []
    for record in instance.get_records_for_run(run.run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.event_type_value == "STEP_FAILURE":
            said = event.step_failure_data.user_failure_data
            if said is not None and CLOSED in said.metadata:
                continue  # the gate has its line
            failures[said.description if said and said.description else _error(event)] = None
            continue
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity.value == "ERROR" and not check.check_name.startswith("gx__"):
            asset = check.asset_key.path[-1]
            reason = f"{check.check_name}: {check.description}"
            todo = "Correct the rows that it names, and run the wave again"
            tests.append(Line("blocked", asset, layer_of(asset), reason, remedy=todo))
    return list(failures), tests


def _error(event: Any) -> str:
    error = event.step_failure_data.error
    return f"{event.step_key}: {error.message if error else 'it failed without a reason'}"


def _changed(inbox: Path, run: LastRun | None) -> list[str]:
    """Deliveries that changed after the start of the last run, by name."""
    if run is None or run.start is None:
        return []
    start = dt.datetime.fromisoformat(run.start).timestamp()
    return [
        path.relative_to(inbox).as_posix() for path in delivered_files(inbox) if path.stat().st_mtime > start
    ]


def _or_fault(read: Any, faults: list[str]) -> Any:
    """What was read; nothing, and the fault among the others, where it cannot be."""
    try:
        return read()
    except AscoError as error:
        faults.append(str(error))
        return []


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE)
