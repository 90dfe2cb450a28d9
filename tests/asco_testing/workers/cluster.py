"""A small cluster on this machine: Redis, PostgreSQL, S3, ``asco up`` and workers with homes of their own.

What does not belong here: what the cluster runs.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from asco_dagster.installation import WORKSPACE
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage
from asco_testing import CHECKOUT
from asco_testing.dagster_api import ask
from asco_testing.s3_server import s3_server

ASCO = (sys.executable, "-m", "asco_dagster.cli.main")
UP = """
import functools, pathlib
from asco_dagster.operations.services.servers import serve
from asco_dagster.storage.places import Places
from asco_dagster.settings import Settings
settings = Settings.from_environment()
say = functools.partial(print, flush=True)
raise SystemExit(serve(settings, Places.of(settings), host="127.0.0.1", port={port},
                       workspace=pathlib.Path({workspace!r}), say=say))
"""


@dataclass
class Cluster:
    """What runs, and how it is reached."""

    folder: Path
    store: str
    environment: dict[str, str]
    base: str = ""
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def home(self, name: str) -> Path:
        return self.folder / name

    def settings_of(self, name: str) -> dict[str, str]:
        return {**os.environ, **self.environment, "ASCO_HOME": str(self.home(name))}

    def start_worker(self, name: str) -> None:
        """A worker in a session of its own, so that a kill of the session is the loss of a machine."""
        log = (self.folder / f"{name}.log").open("wb")
        self.workers[name] = subprocess.Popen(
            [*ASCO, "worker", "--name", name],
            env=self.settings_of(name),
            cwd=CHECKOUT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def lose(self, name: str) -> None:
        """Kill a worker and all that it started, at once."""
        main = self.workers.pop(name)
        for process in [*psutil.Process(main.pid).children(recursive=True), psutil.Process(main.pid)]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        main.wait()

    def ask(self, query: str) -> dict:
        return ask(self.base, query)

    def launch(self, wave: str, location: str) -> None:
        where = f'repositoryLocationName: "{location}", repositoryName: "__repository__", jobName: "wave_job"'
        tags = f'[{{key: "dagster/partition", value: "{wave}"}}]'
        told = self.ask(
            f"mutation {{launchRun(executionParams: {{selector: {{{where}}}, "
            f"executionMetadata: {{tags: {tags}}}}}) {{__typename ...on PythonError {{message}}}}}}"
        )["launchRun"]
        assert told["__typename"] == "LaunchRunSuccess", told

    def runs(self) -> list[dict]:
        query = "{runsOrError(limit: 50) {...on Runs {results {runId status tags {key value}}}}}"
        found = self.ask(query)["runsOrError"]["results"]
        for run in found:
            run["wave"] = next(tag["value"] for tag in run["tags"] if tag["key"] == "dagster/partition")
        return found

    def follow(self, until: Callable[[list[dict]], bool], patience: float = 120.0) -> list[list[dict]]:
        """Look until something holds; every look is given back."""
        looks, end = [], time.monotonic() + patience
        while not looks or not until(looks[-1]):
            assert time.monotonic() < end, (looks[-1], self.told())
            looks.append(self.runs())
            time.sleep(0.3)
        return looks

    def told(self) -> str:
        """The last words of every worker, and of the daemon that notices their loss and launches again."""
        logs = [*self.folder.glob("*.log"), *self.home("office").glob("dagster/servers/dagster-*.log")]
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-3000:]}" for path in logs)


@contextmanager
def cluster(folder: Path, more: dict[str, str], workspace: Path = WORKSPACE) -> Iterator[Cluster]:
    """Have Redis, PostgreSQL, S3 and ``asco up``; skips, saying so, without Debian's redis-server."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    common = Settings(home=folder / "postgres-home")
    with (
        _redis(folder) as redis,
        s3_server() as (store, reach),
        storage(common, Places.of(common)) as postgres,
    ):
        shared = {
            "ASCO_STORE": store,
            "ASCO_BROKER_URL": redis,
            "ASCO_POSTGRES_URL": postgres,
            "ASCO_PSEUDONYM_KEY": "one-key-for-all-the-workers-0123456789",
            "ASCO_LEASE": "15",  # seconds that a busy machine may starve a worker that lives
        }
        own = Cluster(folder, store, {**reach, **shared, **more})
        with _up(own, workspace):
            try:
                yield own
            finally:
                for name in list(own.workers):
                    own.lose(name)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    port, password = _free_port(), "planted-redis-password"
    configuration = folder / "redis.conf"
    configuration.write_text(
        f'bind 127.0.0.1\nport {port}\nsave ""\nappendonly no\nrequirepass {password}\ndir {folder}\n'
    )
    server = subprocess.Popen(["redis-server", str(configuration)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def _up(own: Cluster, workspace: Path) -> Iterator[None]:
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", UP.format(port=port, workspace=str(workspace))],
        env=own.settings_of("office"),
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "asco up ended"
        own.base = f"http://127.0.0.1:{port}"
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
