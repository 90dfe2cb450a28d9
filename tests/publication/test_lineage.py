"""OpenLineage on request: the event names files only, and a collector that is away stops nothing."""

import datetime as dt
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from asco_dagster.publication.lineage import emit, run_event
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.release import Provenance, publish
from asco_dagster.releases.store import ReleaseStore
from asco_dagster.settings import Settings

INPUT = {"asset": "raw_asco__returns", "address": "returns.zip", "sha256": "a" * 64, "bytes": 1}


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.took.append((self.path, json.loads(body)))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


def test_a_collector_receives_inputs_and_released_files(tmp_path: Path) -> None:
    def write(draft: Path) -> list[ReleasedFile]:
        (draft / "a.csv").write_text("secret-looking value\r\n1\r\n")
        return [ReleasedFile("a.csv", 1)]

    store = ReleaseStore(tmp_path / "releases", tmp_path / "sealed", tmp_path / "withdrawn")
    published = publish("2014", store, write, Provenance("code", [INPUT], {}, {}, {}))
    event = run_event(published, str(uuid.uuid4()), dt.datetime.now(dt.UTC))
    server = HTTPServer(("127.0.0.1", 0), _Collector)
    server.took = []
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    assert emit(address, event) is None
    thread.join()
    server.server_close()
    ((path, told),) = server.took
    assert path == "/api/v1/lineage"
    assert [dataset["name"] for dataset in told["inputs"]] == ["inbox/2014/returns.zip"]
    assert [dataset["name"] for dataset in told["outputs"]] == ["releases/2014/1.0.0/a.csv"]
    assert told["inputs"][0]["facets"]["version"]["datasetVersion"] == f"sha256:{'a' * 64}"
    assert "secret-looking" not in json.dumps(told)
    assert "cannot be reached" in emit(address, event)  # it is closed by now


def test_the_collector_is_a_setting() -> None:
    assert Settings.from_environment({}).openlineage_url is None
    assert Settings.from_environment({"OPENLINEAGE_URL": "http://c:5000"}).openlineage_url == "http://c:5000"
