"""``asco up`` on a small workspace: it answers, it shows what it may, and it leaves nothing behind."""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.services.servers import serve, url
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_testing.dagster_api import TOKEN

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
Living = Callable[[Path], list[str]]
Eventually = Callable[..., bool]

DEFINITIONS = """
import os
import dagster as dg

@dg.asset(description=os.environ["ASCO_UI_URL"])
def est_small__table():
    return 1

defs = dg.Definitions(assets=[est_small__table])
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "small.py").write_text(DEFINITIONS)
    path = tmp_path / "workspace.yaml"
    path.write_text("load_from: [{python_file: {relative_path: small.py, attribute: defs}}]")
    return path


@pytest.fixture
def up(
    script: Script, workspace: Path, serving: Callable[[Path], str]
) -> Callable[..., "subprocess.Popen[str]"]:
    """``serve`` in another process; it ignores SIGINT at its start, as one started with & does."""
    ignoring = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    return lambda: script(serving(workspace), preexec_fn=ignoring)


def read_until(process: "subprocess.Popen[str]", word: str) -> str:
    assert process.stdout
    told = ""
    while word not in told:
        line = process.stdout.readline()
        assert line, f"ended after: {told}"
        told += line
    return told


def test_everything_answers_and_a_ctrl_c_leaves_nothing(
    up: Callable[[], "subprocess.Popen[str]"], settings: Settings, places: Places, port: int, living: Living
) -> None:
    process = up()
    told = read_until(process, "Ctrl-C")
    pages = told.split("Quality pages: ")[1].split()[0].removesuffix("/?token=…")

    question = {"query": "{ assetNodes { assetKey { path } description } }"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/graphql", json.dumps(question), headers)
    nodes = json.load(connection.getresponse())["data"]["assetNodes"]
    here = f"http://127.0.0.1:{port}"
    assert nodes == [{"assetKey": {"path": ["est_small__table"]}, "description": here}]
    connection.request("GET", "/quality/2014/index.html", headers=headers)  # as events of any age link it
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (307, f"{pages}/quality/2014/index.html")
    connection.close()

    commands = " ".join(living(places.home))
    assert all(part in commands for part in ("dagster_webserver", "dagster._daemon", "postgres"))

    with pytest.raises(ConfigurationError, match=f"is already served at http://127.0.0.1:{port}"):
        serve(settings, places, host="127.0.0.1", port=0)

    # What lies in this folder, the webserver's telemetry thread would send out.
    assert not (places.dagster_home / ".logs_queue").exists()
    assert not (places.dagster_home / "logs").exists()

    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=40) == 0
    assert living(places.home) == []


def test_a_dead_child_ends_everything_with_a_sentence(
    up: Callable[[], "subprocess.Popen[str]"], places: Places, living: Living
) -> None:
    process = up()
    read_until(process, "Starting")
    daemon = next(
        child for child in psutil.Process(process.pid).children() if "dagster._daemon" in child.cmdline()
    )
    daemon.kill()
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "dagster-daemon ended: " in rest
    assert "dagster-daemon.log" in rest
    assert living(places.home) == []


def test_killing_asco_up_takes_everything_along(
    up: Callable[[], "subprocess.Popen[str]"], places: Places, living: Living, eventually: Eventually
) -> None:
    process = up()
    read_until(process, "Ctrl-C")
    os.kill(process.pid, signal.SIGKILL)
    assert eventually(lambda: living(places.home) == [], seconds=60), living(places.home)


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings, places: Places) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {taken} of 127.0.0.1 is in use.*--port"):
            serve(settings, places, host="127.0.0.1", port=taken)
    assert not places.postgres.exists()


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1"), ("dept.example", "http://dept.example:1")],  # noqa: S104
)
def test_the_address_printed_is_one_that_a_browser_opens(host: str, shown: str) -> None:
    assert url(host, 1) == shown
