"""Messages: to a webhook and by mail, against real local servers; what they say and what they never say."""

import asyncio
import errno
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.errors import AscoError, OutOfReachError, SourceError
from asco_dagster.operations.monitoring.notices import Notice, notices_of, redacted, send, send_failure
from asco_dagster.settings import Settings

NOTICE = Notice("gate_closed", "2014", "est_a__b", "gx__est_a__b", "too few", "r1", "http://here/runs/r1")


class Hook(BaseHTTPRequestHandler):
    """Takes messages, after as many refusals as it is given."""

    taken: list[dict] = []  # noqa: RUF012  reset by the fixture
    credentials: list[str | None] = []  # noqa: RUF012  reset by the fixture
    refusals = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.credentials.append(self.headers["Authorization"])
        if Hook.refusals:
            Hook.refusals -= 1
            self.send_response(503)
        else:
            self.taken.append(json.loads(body))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.taken, Hook.credentials, Hook.refusals = [], [], 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hooks/s3cr3t-t0ken"
        server.shutdown()


class MailBox:
    """A mail server that keeps what it gets; it speaks as much SMTP as smtplib needs."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.port = 0

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await end.wait()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 local\r\n")
        while line := await reader.readline():
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"DATA":
                writer.write(b"354 go\r\n")
                body = await reader.readuntil(b"\r\n.\r\n")
                self.messages.append(message_from_bytes(body.removesuffix(b".\r\n")))
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()


@pytest.fixture
def mailbox() -> Iterator[MailBox]:
    box, ready, loop = MailBox(), threading.Event(), asyncio.new_event_loop()
    end = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(box.serve(ready, end)), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield box
    loop.call_soon_threadsafe(end.set)
    thread.join(10)


def configured(settings: Settings, hook: str | None, mailbox: MailBox | None) -> Settings:
    mail = (
        {
            "smtp_url": f"smtp://127.0.0.1:{mailbox.port}",
            "mail_from": "asco@office.example",
            "mail_to": "night@office.example, day@office.example",
        }
        if mailbox
        else {}
    )
    return replace(settings, webhook_url=hook, ui_url="http://127.0.0.1:3000", **mail)


def test_both_channels_name_wave_asset_gate_reason_and_link(
    settings: Settings, hook: str, mailbox: MailBox
) -> None:
    send([NOTICE], configured(settings, hook, mailbox))
    [posted] = Hook.taken
    assert posted["notices"] == [
        {
            "kind": "gate_closed",
            "wave": "2014",
            "asset": "est_a__b",
            "gate": "gx__est_a__b",
            "reason": "too few",
            "run": "r1",
            "link": "http://here/runs/r1",
        }
    ]
    [mail] = mailbox.messages
    assert mail["Subject"] == "ASCO wave 2014: gate gx__est_a__b is closed"
    assert mail["To"] == "night@office.example, day@office.example"
    text = mail.get_payload()
    assert all(part in text for part in ("2014", "gx__est_a__b", "too few", "http://here/runs/r1"))


def test_a_server_that_stumbles_is_asked_again(settings: Settings, hook: str) -> None:
    Hook.refusals = 2
    send([NOTICE], configured(settings, hook, None))
    assert len(Hook.taken) == 1


def test_no_credentials_of_a_netrc_file_are_sent(
    settings: Settings, hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login office password s3cr3t\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    send([NOTICE], configured(settings, hook, None))
    assert Hook.credentials == [None]


def test_one_broken_channel_does_not_silence_the_other_and_shows_no_address(
    settings: Settings, hook: str, mailbox: MailBox
) -> None:
    Hook.refusals = 99
    with pytest.raises(AscoError) as caught:
        send([NOTICE], configured(settings, hook, mailbox))
    assert "webhook: HTTPError 503" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("address", ["http://example.org/hook", "ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_a_message_travels_encrypted_or_not_at_all(settings: Settings, address: str) -> None:
    with pytest.raises(AscoError, match="not an https://"):
        send([NOTICE], replace(settings, webhook_url=address))


def test_secrets_become_stars(settings: Settings) -> None:
    told = redacted(
        "key " + "k" * 40 + " at postgresql://u:hunter2@h/d and hunter2",
        replace(settings, pseudonym_key="k" * 40, postgres_url="postgresql://u:hunter2@h/d"),
    )
    assert told == "key *** at *** and ***"


@dg.asset(
    name="est_a__b",
    partitions_def=dg.StaticPartitionsDefinition(["2014"]),
    check_specs=[dg.AssetCheckSpec("gx__est_a__b", asset="est_a__b")],
)
def gated() -> dg.MaterializeResult:
    """An asset whose gate closes."""
    record = {"column": "weight", "verdict": "✖ BLOCKED", "reason": "A weight is not absurd"}
    record |= {"observed": "84211"}
    table = dg.MetadataValue.table([dg.TableRecord(record)])
    check = dg.AssetCheckResult(
        check_name="gx__est_a__b", passed=False, description="saw 84211", metadata={"expectations": table}
    )
    return dg.MaterializeResult(check_results=[check])


@dg.asset(name="raw_a__b", partitions_def=dg.StaticPartitionsDefinition(["2014"]))
def refused() -> None:
    """An asset whose file is refused."""
    raise SourceError("no header row", file="returns.csv", remedy="Deliver it again")


@dg.asset(name="raw_b__c", partitions_def=dg.StaticPartitionsDefinition(["2014"]))
def out_of_reach() -> None:
    """An asset whose file the disk does not give."""
    fault = OSError(errno.EIO, os.strerror(errno.EIO))
    raise OutOfReachError.from_os_error(fault, Path("returns.csv")) from fault


@dg.asset(name="raw_c__d", partitions_def=dg.StaticPartitionsDefinition(["2014"]))
def quoting() -> None:
    """An asset whose library quotes the data."""
    raise ValueError("could not convert “Mme Dupont, 0612345678”")


def run_of(asset: dg.AssetsDefinition, instance: dg.DagsterInstance) -> dg.DagsterRun:
    outcome = dg.materialize([asset], partition_key="2014", instance=instance, raise_on_error=False)
    run = instance.get_run_by_id(outcome.run_id)
    assert run is not None
    return run


def test_a_closed_gate_is_reported_with_its_reason_and_without_what_it_saw(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = run_of(gated, instance)
        [told] = notices_of(instance, run, configured(settings, None, None))
    assert (told.kind, told.wave, told.asset, told.gate) == (
        "gate_closed",
        "2014",
        "est_a__b",
        "gx__est_a__b",
    )
    assert told.reason == "weight: A weight is not absurd"
    assert told.link == "http://127.0.0.1:3000/assets/est_a__b?view=checks"


def test_a_failure_is_reported_as_a_sentence_and_never_quotes_the_data(settings: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        [told] = notices_of(instance, run_of(refused, instance), settings)
        assert "file returns.csv: no header row. Deliver it again." in told.sentence()
        [told] = notices_of(instance, run_of(out_of_reach, instance), settings)
        assert "file returns.csv: it cannot be read (Input/output error). Check its disk" in told.sentence()
        [told] = notices_of(instance, run_of(quoting, instance), settings)
    assert "Dupont" not in told.sentence()
    assert told.reason == "ValueError; see the page of the run"


def test_a_failure_is_reported_once(settings: Settings, hook: str) -> None:
    own = configured(settings, hook, None)
    with dg.DagsterInstance.ephemeral() as instance:
        run = run_of(refused, instance)
        assert len(send_failure(instance, run, own)) == 1
        assert send_failure(instance, run, own) == []
        # a retry that the daemon overlooked is asked for by a second event of the same failure
        instance.report_run_failed(run, "asked for again")
        assert send_failure(instance, run, own) == []
    assert len(Hook.taken) == 1
