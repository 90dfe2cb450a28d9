"""``asco up`` on a small workspace, and requests to it byte by byte: a polite client would tidy them.

What does not belong here: what is asked.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

DEFINITIONS = """
import dagster as dg

@dg.asset
def est_small__table():
    return 1

small_job = dg.define_asset_job("small_job")
defs = dg.Definitions(assets=[est_small__table], jobs=[small_job])
"""


@dataclass(frozen=True)
class Answer:
    """What came back: the status (0 when the connection was closed without one), headers and body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Up:
    """A running ``asco up``: what it printed, and the two servers' addresses."""

    printed: str
    port: int
    quality_port: int
    home: Path
    pid: int

    @property
    def token(self) -> str:
        return self.printed.split("?token=")[1].split()[0]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def quality(self) -> str:
        return f"http://127.0.0.1:{self.quality_port}"

    @property
    def cookie(self) -> str:
        return f"asco_{self.port}={self.token}"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def served(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    definitions: str = DEFINITIONS,
    **options: object,
) -> Iterator[Up]:
    """Start ``asco up`` in a folder, on a free port, and stop it at the end."""
    (folder / "small.py").write_text(definitions)
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        "load_from: [{python_file: {relative_path: small.py, attribute: defs, location_name: small}}]"
    )
    port = free_port()
    given = {"host": "127.0.0.1", "port": port, **options}
    code = (
        "import functools, pathlib\n"
        "from asco_dagster.operations.services.servers import serve\n"
        "from asco_dagster.storage.places import Places\n"
        "from asco_dagster.settings import Settings\n"
        "settings = Settings.from_environment()\n"
        f"raise SystemExit(serve(settings, Places.of(settings), workspace=pathlib.Path({str(workspace)!r}), "
        f"say=functools.partial(print, flush=True), **{given!r}))"
    )
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ASCO_", "DAGSTER_HOME"))}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**inherited, "ASCO_HOME": str(folder / "home"), **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, f"it ended: {printed}"
            printed += line
        quality = re.search(r"Quality pages: http://\S+?:(\d+)/", printed)
        yield Up(printed, port, int(quality[1]), folder / "home", process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        finally:
            process.kill()


def ask_raw(
    port: int,
    line: str,
    headers: Sequence[tuple[str, str]] = (),
    body: str = "",
    *,
    host: str | None = None,
    address: str = "127.0.0.1",
) -> Answer:
    """Send a request as it stands and read the answer to its end.

    Args:
        port: of the server.
        line: method and target.
        headers: beside Host, Connection and Content-Length.
        body: of the request.
        host: value of Host; None names the server itself.
        address: of the server.
    """
    sent = [("Host", host if host is not None else f"{address}:{port}"), *headers]
    if not any(name == "Connection" for name, _ in headers):
        sent.append(("Connection", "close"))
    if body:
        sent.append(("Content-Length", str(len(body.encode()))))
    text = "\r\n".join([f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in sent), "", body])
    return send_raw(port, text.encode(), address=address)


def send_raw(port: int, content: bytes, *, address: str = "127.0.0.1") -> Answer:
    """Send bytes and read the answer to its end, or to the end of its headers when it opens a WebSocket."""
    with socket.create_connection((address, port), timeout=60) as connection:
        connection.sendall(content)
        received = b""
        while part := connection.recv(65536):
            received += part
            if received.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in received:
                break
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    status = int(first.split()[1]) if first else 0
    return Answer(status, {name.lower(): value for name, _, value in pairs}, rest.decode(errors="replace"))


def graphql(up: Up, query: str) -> dict:
    """What Dagster answers to a program that sends the token."""
    headers = [("Authorization", f"Bearer {up.token}"), ("Content-Type", "application/json")]
    answer = ask_raw(up.port, "POST /graphql", headers, json.dumps({"query": query}))
    assert answer.status == 200, answer
    return json.loads(answer.text)["data"]


def below(up: Up) -> list[psutil.Process]:
    """``asco up`` and every process that it started."""
    return [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]


def events(up: Up) -> tuple[int, int]:
    """Number of runs, and of materialisations and checks of the asset: what an attack would change."""
    runs = graphql(up, "{runsOrError{...on Runs{results{runId}}}}")["runsOrError"]["results"]
    asked = '{assetOrError(assetKey:{path:["est_small__table"]}){...on Asset{assetMaterializations{runId} '
    asset = graphql(up, f"{asked}assetObservations{{runId}}}}}}}}")["assetOrError"]
    return len(runs), sum(len(found) for found in asset.values())
