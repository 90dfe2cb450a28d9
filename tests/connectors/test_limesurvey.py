"""The LimeSurvey client against a local server that speaks RemoteControl 2's JSON-RPC."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from asco_dagster.connectors import limesurvey
from asco_dagster.connectors.limesurvey import export_responses
from asco_dagster.errors import ConfigurationError, SourceError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_testing.sources.limesurvey import limesurvey_answers, limesurvey_export
from asco_testing.sources.made_returns import ANY_DAY, SAMPLED, UNIT, answers, codebook

USER, PASSWORD, SURVEY = "asco", "s3cret-Password", 123456
EXPORT = b'"id","token"\n"1","01001"\n'


@dataclass
class StandIn:
    """A LimeSurvey server of one survey.

    Attributes:
        url: its address.
        calls: methods called, in order, with their parameters.
        export: what it exports.
        faults: status codes to answer before it behaves.
        sessions: open session keys.
    """

    url: str = ""
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)
    export: bytes = EXPORT
    faults: list[int] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result of a call, as RemoteControl gives it."""
        self.calls.append((method, params))
        if method == "get_session_key":
            if params[:2] != [USER, PASSWORD]:
                return {"status": "Invalid user name or password"}
            self.sessions.add("key-1")
            return "key-1"
        if params[0] not in self.sessions:
            return {"status": "Invalid session key"}
        if method == "release_session_key":
            self.sessions.discard(params[0])
            return "OK"
        if method == "export_responses":
            if params[1] != SURVEY:
                return {"status": "Error: Invalid survey ID"}
            return (
                base64.b64encode(self.export).decode()
                if self.export
                else {"status": "No Data, could not get max id."}
            )
        return {"status": f"Method {method} does not exist"}


@pytest.fixture
def server() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if stand_in.faults:
                code = stand_in.faults.pop(0)
                if code == 0:  # hang up
                    self.connection.close()
                    return
                self.send_response(code)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                return
            told = {
                "id": call["id"],
                "result": stand_in.answer(call["method"], call["params"]),
                "error": None,
            }
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{http.server_port}/index.php/admin/remotecontrol"
    yield stand_in
    http.shutdown()
    http.server_close()


def _settings(server: StandIn, **changes: str) -> Settings:
    given = {"limesurvey_url": server.url, "limesurvey_user": USER, "limesurvey_password": PASSWORD} | changes
    return Settings(home=Path("unused"), **given)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limesurvey, "FIRST_WAIT", 0.01)


def test_the_export_comes_whole_and_the_session_is_closed(server: StandIn) -> None:
    assert export_responses(SURVEY, _settings(server)) == EXPORT
    assert [method for method, _ in server.calls] == [
        "get_session_key",
        "export_responses",
        "release_session_key",
    ]
    assert server.calls[1][1][1:7] == [SURVEY, "csv", None, "all", "code", "short"]
    assert not server.sessions


@pytest.mark.parametrize(
    ("survey", "changes", "told"),
    [
        (SURVEY, {"limesurvey_password": "wrong-Password"}, "user name or password is wrong"),
        (999, {}, "there is no such survey"),
    ],
)
def test_a_refusal_is_reported_without_the_password(
    survey: int, changes: dict[str, str], told: str, server: StandIn
) -> None:
    with pytest.raises(SourceError, match=told) as caught:
        export_responses(survey, _settings(server, **changes))
    assert "Password" not in str(caught.value).replace("password", "")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_survey_without_responses_says_so(server: StandIn) -> None:
    server.export = b""
    with pytest.raises(SourceError, match="no response yet"):
        export_responses(SURVEY, _settings(server))


def test_a_broken_connection_is_tried_again(server: StandIn) -> None:
    server.faults = [0, 0]
    assert export_responses(SURVEY, _settings(server)) == EXPORT


@pytest.mark.parametrize(
    ("faults", "told"),
    [([0] * 9, "connection broke"), ([500], "answered 500"), ([302], "RPCInterfaceNotEnabled")],
)
def test_a_server_that_fails_is_an_error(faults: list[int], told: str, server: StandIn) -> None:
    server.faults = faults
    with pytest.raises(SourceError, match=told):
        export_responses(SURVEY, _settings(server))


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("LARGEST", 1000, "it is larger than 1000 bytes"),
        ("LONGEST", -1.0, "it did not end within -1 seconds"),
    ],
)
def test_an_answer_without_end_is_not_taken(
    limit: str, value: float, told: str, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.export = b"x" * 2000
    monkeypatch.setattr(limesurvey, limit, value)
    with pytest.raises(SourceError, match=f"its answer is refused: {told}"):
        export_responses(SURVEY, _settings(server))


def test_settings_are_all_there_or_none() -> None:
    with pytest.raises(ConfigurationError, match="ASCO_LIMESURVEY_USER"):
        Settings.from_environment({"ASCO_LIMESURVEY_URL": "https://example.org"})
    with pytest.raises(ConfigurationError, match="no server is set"):
        export_responses(SURVEY, Settings(home=Path("unused")))


def test_the_password_does_not_travel_in_the_clear_and_is_not_shown(server: StandIn) -> None:
    with pytest.raises(ConfigurationError, match="is not valid"):
        export_responses(SURVEY, _settings(server, limesurvey_url="http://example.org/remotecontrol"))
    assert PASSWORD not in repr(_settings(server))
    assert not server.calls


def test_a_wave_reads_its_survey_from_the_server(server: StandIn, tmp_path: Path) -> None:
    from asco_dagster.sources.returns.assets import within_reach
    from asco_dagster.sources.returns.reading import read_returns
    from asco_dagster.waves import load_wave
    from asco_dagster.waves.wave import Delivery

    server.export = limesurvey_export([{"token": UNIT, **limesurvey_answers()}], separator=";")
    delivery = Delivery(address=f"limesurvey://{SURVEY}", vintage=2025, format="limesurvey_api")
    places = Places(tmp_path)
    with contextlib.ExitStack() as afterwards:
        delivered, told = within_reach(
            delivery, "commune", load_wave("2014"), places, _settings(server), afterwards
        )
    found = read_returns(
        [delivered],
        codebooks={"commune": codebook()},
        wave="2014",
        sampled=SAMPLED,
        collection=ANY_DAY,
    )
    table = found.answers.table()
    values = dict(zip(table["question"].to_pylist(), table["value"].to_pylist(), strict=True))
    assert values == answers()
    assert set(table["source_file"].to_pylist()) == {f"limesurvey-{SURVEY}.csv"}
    assert told["bytes"] == len(server.export)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # contact details are in no file
