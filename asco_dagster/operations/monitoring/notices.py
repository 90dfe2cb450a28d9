"""Notices of a failed run, a closed gate or a candidate, by webhook and by mail.

A notice names wave, asset, gate, reason and link. It never contains an observed value of the survey, the
message of a library, or a secret: the linked page shows those to authorized users.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from asco_dagster.connectors.addresses import is_loopback
from asco_dagster.errors import AscoError, ConfigurationError, is_sentence
from asco_dagster.escaping import in_chat, on_one_line
from asco_dagster.orchestration.tags import APPROVE, CANDIDATE_IS_NEW, DIFFERENCES, PARTITION_TAG
from asco_dagster.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

NOTIFIED_TAG = "asco/notified"
"""Tag of a run whose failure or candidate was sent."""

_CANDIDATE = "candidate"
_SECONDS = 10.0
_TRIES = 3
_LONGEST = 500


@dataclass(frozen=True)
class Notice:
    """One message.

    Attributes:
        kind: ``gate_closed``, ``run_failed`` or ``candidate``.
        wave: the wave.
        asset: the asset; may be empty.
        gate: the closed gate; empty for other failures.
        reason: why, in one sentence.
        run: id of the run.
        link: page with details; empty if no pages are served.
    """

    kind: str
    wave: str
    asset: str
    gate: str
    reason: str
    run: str
    link: str

    def sentence(self) -> str:
        """The notice on one line."""
        if self.kind == _CANDIDATE:
            return f"wave {self.wave}: {self.reason}"
        what = f"gate {self.gate} is closed" if self.gate else f"run {self.run[:8]} failed"
        where = f" at {self.asset}" if self.asset and not self.gate else ""
        return f"wave {self.wave}: {what}{where}: {self.reason}"


def send_failure(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """Send the notices of a failed run, once.

    Raises:
        AscoError: a channel failed; the others were tried nevertheless.
    """
    return _send_once(notices_of, instance, run, settings)


def send_candidate(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """Send the notice of a run that made a candidate, once; nothing if it made none.

    Raises:
        AscoError: a channel failed; the others were tried nevertheless.
    """
    return _send_once(candidate_notices, instance, run, settings)


def _send_once(
    found: "Callable[[DagsterInstance, DagsterRun, Settings], list[Notice]]",
    instance: "DagsterInstance",
    run: "DagsterRun",
    settings: Settings,
) -> list[Notice]:
    current = instance.get_run_by_id(run.run_id) or run
    if NOTIFIED_TAG in current.tags or not is_configured(settings):
        return []
    notices = found(instance, run, settings)
    if not notices:
        return []
    try:
        send(notices, settings)
    finally:
        # Tagged in either case: a broken channel must not make the other one repeat its message for ever.
        instance.add_run_tags(run.run_id, {NOTIFIED_TAG: "yes"})
    return notices


def is_configured(settings: Settings) -> bool:
    """Whether a channel is configured."""
    return bool(settings.webhook_url or settings.smtp_url)


def notices_of(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """One notice per closed gate of the run, or of its failure if no gate closed."""
    from dagster import DagsterEventType

    wave = run.tags.get(PARTITION_TAG, "?")
    page = f"{settings.ui_url}/runs/{run.run_id}" if settings.ui_url else ""
    kinds = {DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.STEP_FAILURE}
    found: list[Notice] = []
    failures: list[Notice] = []
    for record in instance.get_records_for_run(run.run_id, of_type=kinds).records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        if event.event_type_value == "STEP_FAILURE":
            reason = _failure(event.step_failure_data.error)
            step = event.step_key or ""
            failures.append(
                Notice("run_failed", wave, step, "", redacted(reason, settings), run.run_id, page)
            )
            continue
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity.value == "ERROR":
            asset = check.asset_key.path[-1]
            link = f"{settings.ui_url}/assets/{asset}?view=checks" if settings.ui_url else ""
            reason = redacted(_closed(check.metadata), settings)
            found.append(
                Notice("gate_closed", wave, asset, check.check_name, reason, run.run_id, link or page)
            )
    gone = Notice("run_failed", wave, "", "", "its process ended or never started", run.run_id, page)
    return found or failures or [gone]


def candidate_notices(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """The notice of the candidate that a run made: what it changes, and how it is approved."""
    from dagster import DagsterEventType

    kinds = {DagsterEventType.ASSET_MATERIALIZATION}
    found = []
    for record in instance.get_records_for_run(run.run_id, of_type=kinds).records:
        made = record.asset_materialization
        facts = {name: value.value for name, value in made.metadata.items()} if made is not None else {}
        if made is not None and facts.get(CANDIDATE_IS_NEW):
            reason = redacted(f"version {facts['version']}: {facts['state']}; {facts[APPROVE]}", settings)
            wave, asset = made.partition or "?", made.asset_key.path[-1]
            found.append(
                Notice(
                    _CANDIDATE,
                    wave,
                    asset,
                    "",
                    reason,
                    run.run_id,
                    _absolute(str(facts[DIFFERENCES]), settings),
                )
            )
    return found


def _absolute(link: str, settings: Settings) -> str:
    """A link of an event for somebody who is not on its pages; empty where no pages are served."""
    if not link.startswith("/"):
        return link
    return f"{settings.ui_url}{link}" if settings.ui_url else ""


def redacted(text: str, settings: Settings) -> str:
    """A text on one line, shortened, with every secret of the settings replaced by stars."""
    shown = on_one_line(text)
    for secret in settings.secrets():
        for hidden in filter(None, (secret, _password(secret))):
            shown = shown.replace(hidden, "***")
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def send(notices: Sequence[Notice], settings: Settings) -> None:
    """Send notices to every configured channel, three tries each.

    Raises:
        AscoError: a channel failed; names it without its address.
    """
    faults = []
    if settings.webhook_url:
        faults += _tried("webhook", lambda: _post(notices, settings.webhook_url or ""))
    if settings.smtp_url:
        faults += _tried("mail", lambda: _mail(notices, settings))
    if faults:
        raise AscoError(
            f"the notice on wave {notices[0].wave} was not sent: {'; '.join(faults)}",
            remedy="Check ASCO_WEBHOOK_URL or ASCO_SMTP_URL, and the server",
        )


def _tried(channel: str, attempt: Callable[[], None]) -> list[str]:
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5, jitter=0.2),
        retry=tenacity.retry_if_not_exception_type(ConfigurationError),
        reraise=True,
    )
    try:
        retrying(attempt)
    except ConfigurationError as error:
        return [f"{channel}: {error.what}"]
    except Exception as error:
        answer = getattr(error, "response", None)
        status = getattr(answer, "status_code", None) or getattr(error, "smtp_code", None)
        return [f"{channel}: {type(error).__name__}{f' {status}' if status else ''}"]
    return []


def _post(notices: Sequence[Notice], address: str) -> None:
    import requests

    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ConfigurationError("ASCO_WEBHOOK_URL is not an https:// address")
    shown = [replace(notice, reason=in_chat(notice.reason)) for notice in notices]
    body: Any = {"text": "\n".join(_lines(shown)), "notices": [asdict(notice) for notice in notices]}
    answer = requests.post(
        address,
        json=body,
        timeout=_SECONDS,
        allow_redirects=False,
        auth=lambda request: request,  # else requests sends what ~/.netrc holds for that host
    )
    if answer.status_code >= 300:  # a redirect would send it elsewhere
        raise requests.HTTPError(response=answer)


def _mail(notices: Sequence[Notice], settings: Settings) -> None:
    message = EmailMessage()
    first = notices[0]
    what = f"gate {first.gate} is closed" if first.gate else "the run failed"
    if first.kind == _CANDIDATE:
        what = "a version waits for approval"
    message["Subject"] = f"ASCO wave {first.wave}: {what}"
    message["From"], message["To"] = settings.mail_from or "", settings.mail_to or ""
    message.set_content("\n\n".join(_lines(notices)))
    parts = urlsplit(settings.smtp_url or "")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigurationError("ASCO_SMTP_URL is not an smtp:// or smtps:// address")
    with _server(parts.scheme, parts.hostname, parts.port) as server:
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _server(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    tls = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_SECONDS, context=tls)
    server = smtplib.SMTP(host, port or 587, timeout=_SECONDS)
    if not is_loopback(host):  # nothing crosses a network unencrypted
        server.starttls(context=tls)
    return server


def _lines(notices: Iterable[Notice]) -> list[str]:
    return [f"{notice.sentence()}\n{notice.link}".strip() for notice in notices]


def _closed(metadata: Any) -> str:
    """The reasons of the failed expectations, without observed values."""
    table = metadata.get("expectations")
    records = [record.data for record in table.records] if table is not None else []
    failed = [row for row in records if row.get("verdict", "passed") != "passed"]
    reasons = [f"{row['column']}: {row['reason']}" if row.get("column") else row["reason"] for row in failed]
    return "; ".join(map(str, reasons)) or "a test of keys, relations or contracts failed"


def _failure(error: Any) -> str:
    """An error of this project as it is; of others only the name, since the message may quote data."""
    seen = error
    while seen is not None:
        if is_sentence(seen.cls_name):
            return str(seen.message).split(": ", 1)[-1]
        error, seen = seen, seen.cause
    return f"{(error.cls_name if error is not None else None) or 'an error'}; see the page of the run"


def _password(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""
