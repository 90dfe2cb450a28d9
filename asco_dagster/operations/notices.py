"""Messages to people: a run failed, a gate closed. By webhook and by mail, to whatever is configured.

A message names wave, asset, gate, reason and link. It never carries an observed value of the survey, nor what
a library said of the data, nor a secret: the page behind the link shows those to who may see them. What does
not belong here: when to send (``triggers/sensors.py``, ``wave_run.py``).
"""

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from asco_dagster.connectors.addresses import is_loopback
from asco_dagster.errors import AscoError, ConfigurationError, is_sentence
from asco_dagster.escaping import in_chat, on_one_line
from asco_dagster.orchestration.tags import PARTITION_TAG
from asco_dagster.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

TOLD_TAG = "asco/told"
"""Tag of a run whose failure was told already."""

_SECONDS = 10.0
_TRIES = 3
_LONGEST = 500


@dataclass(frozen=True)
class Notice:
    """One thing that a person must know.

    Attributes:
        kind: ``gate_closed`` or ``run_failed``.
        wave: the wave.
        asset: the asset concerned, empty when it is none in particular.
        gate: the gate that closed, empty for other failures.
        reason: why, in one sentence.
        run: id of the run.
        link: page that shows more; empty when no pages are served.
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
        what = f"gate {self.gate} is closed" if self.gate else f"run {self.run[:8]} failed"
        where = f" at {self.asset}" if self.asset and not self.gate else ""
        return f"wave {self.wave}: {what}{where}: {self.reason}"


def tell_failure(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """Send what a failed run has to tell, once.

    Raises:
        AscoError: a channel did not take the message; the others were tried all the same.
    """
    current = instance.get_run_by_id(run.run_id) or run
    if TOLD_TAG in current.tags or not is_configured(settings):
        return []
    notices = notices_of(instance, run, settings)
    try:
        send(notices, settings)
    finally:
        # Tagged in either case: one broken channel must not make the other repeat itself for ever.
        instance.add_run_tags(run.run_id, {TOLD_TAG: "yes"})
    return notices


def is_configured(settings: Settings) -> bool:
    """Whether there is anybody to tell."""
    return bool(settings.webhook_url or settings.smtp_url)


def notices_of(instance: "DagsterInstance", run: "DagsterRun", settings: Settings) -> list[Notice]:
    """One notice a closed gate of the run, or one of its failure when no gate closed."""
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


def redacted(text: str, settings: Settings) -> str:
    """A text on one line, cut, and with stars for every secret of the settings."""
    told = on_one_line(text)
    for secret in settings.secrets():
        told = told.replace(secret, "***")
        password = _password(secret)
        if password:
            told = told.replace(password, "***")
    return told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…"


def send(notices: Sequence[Notice], settings: Settings) -> None:
    """Send notices to every configured channel, three tries each.

    Raises:
        AscoError: a channel did not take them; says which, without its address.
    """
    faults = []
    if settings.webhook_url:
        faults += _tried("webhook", lambda: _post(notices, settings.webhook_url or ""))
    if settings.smtp_url:
        faults += _tried("mail", lambda: _mail(notices, settings))
    if faults:
        raise AscoError(
            f"the message on wave {notices[0].wave} did not go out: {'; '.join(faults)}",
            remedy="Check ASCO_WEBHOOK_URL or ASCO_SMTP_URL, and whether the server takes messages",
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
        status = getattr(error, "code", None) or getattr(error, "smtp_code", None)
        return [f"{channel}: {type(error).__name__}{f' {status}' if status else ''}"]
    return []


def _post(notices: Sequence[Notice], address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ConfigurationError("ASCO_WEBHOOK_URL is no https:// address")
    shown = [replace(notice, reason=in_chat(notice.reason)) for notice in notices]
    body = {"text": "\n".join(_lines(shown)), "notices": [asdict(notice) for notice in notices]}
    request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
        address, json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=_SECONDS):
        pass


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes where it was sent, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _mail(notices: Sequence[Notice], settings: Settings) -> None:
    message = EmailMessage()
    first = notices[0]
    what = f"gate {first.gate} is closed" if first.gate else "the run failed"
    message["Subject"] = f"ASCO wave {first.wave}: {what}"
    message["From"], message["To"] = settings.mail_from or "", settings.mail_to or ""
    message.set_content("\n\n".join(_lines(notices)))
    parts = urlsplit(settings.smtp_url or "")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ConfigurationError("ASCO_SMTP_URL is no smtp:// or smtps:// address")
    with _server(parts.scheme, parts.hostname, parts.port) as server:
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)


def _server(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    tls = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_SECONDS, context=tls)
    server = smtplib.SMTP(host, port or 587, timeout=_SECONDS)
    if not is_loopback(host):  # a password or a reason never crosses a network in the clear
        server.starttls(context=tls)
    return server


def _lines(notices: Iterable[Notice]) -> list[str]:
    return [f"{notice.sentence()}\n{notice.link}".strip() for notice in notices]


def _closed(metadata: Any) -> str:
    """The reasons of the expectations that failed, without what they observed."""
    table = metadata.get("expectations")
    records = [record.data for record in table.records] if table is not None else []
    failed = [row for row in records if row.get("passed") == "NO"]
    told = [f"{row['column']}: {row['reason']}" if row.get("column") else row["reason"] for row in failed]
    return "; ".join(str(line) for line in told) or "a test of keys, relations or contracts failed"


def _failure(error: Any) -> str:
    """A sentence of this project as it is; of anything else the name alone, since it may quote the data."""
    seen = error
    while seen is not None:
        if is_sentence(seen.cls_name):
            return str(seen.message).split(": ", 1)[-1]
        error, seen = seen, seen.cause
    return f"{(error.cls_name if error is not None else None) or 'an error'}; the run's page tells more"


def _password(address: str) -> str:
    try:
        return urlsplit(address).password or ""
    except ValueError:
        return ""
