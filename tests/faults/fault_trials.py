"""Death and return: each part is killed or starved at seeded random instants, then the wave is run once more.

``make test-faults TRIES=n`` runs n tries of each fault over both waves, at the smallest scale that releases,
and prints the table *fault, tries, recovered*; it ends with 1 when one try did not recover. After each try:

* every released version is whole and its bytes are those of an undisturbed run;
* one more run of the wave releases, and every table has the rows of an undisturbed run;
* no draft, no run in progress and no process of the home is left.

It is no pytest module, since a try takes a minute or more. What does not belong here: the faults of
publishing alone (``tests/publication``), which are tried at each of its steps.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_waves import SCALE, write_small_waves

CHECKOUT = Path(__file__).parents[2]
WAVES = ("2014", "2025")
PATIENCE = 1800.0
ASCO = (sys.executable, "-m", "asco_dagster.cli.main")
SELECTOR = '{repositoryLocationName: "asco", repositoryName: "__repository__", jobName: "wave_job"}'


class NotRecoveredError(Exception):
    """What a try left behind."""


class SkippedError(Exception):
    """Why a fault cannot be tried on this machine."""


@dataclass
class Bench:
    """The home under test, and what an undisturbed run made of each wave."""

    home: Path
    waves: Path
    seconds: dict[str, float] = field(default_factory=dict)
    released: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        told = {"ASCO_HOME": str(self.home), "ASCO_WAVES": str(self.waves)}
        return {**os.environ, **told}

    def start(self, *arguments: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*ASCO, *arguments],
            env=self.environment,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=before,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        told, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, told

    def prepare(self) -> None:
        """Deliveries and one undisturbed run of each wave, unless the home holds them already."""
        if all((self.home / "releases" / wave / "latest").exists() for wave in WAVES):
            self.seconds = dict.fromkeys(WAVES, 240.0)
            self.note()
            return
        for wave in WAVES:
            self.demand_done("demo", "--wave", wave, "--scale", SCALE)
        for wave in WAVES:  # the second wave's release may compare itself with the first's
            start = time.monotonic()
            self.demand_done("run", wave)
            self.seconds[wave] = time.monotonic() - start
            print(f"wave {wave}: {self.seconds[wave]:.0f} s undisturbed", flush=True)
        self.demand_done("run", WAVES[0])
        self.note()

    def note(self) -> None:
        """Remember what is released and how many rows each table has."""
        for wave in WAVES:
            self.released[wave], self.rows[wave] = self.release_of(wave), self.rows_of(wave)

    def demand_done(self, *arguments: str) -> None:
        code, told = self.run(*arguments)
        if code:
            raise NotRecoveredError(f"asco {' '.join(arguments)} gave {code}: {told[-600:]}")

    def release_of(self, wave: str) -> dict[str, str]:
        """Hash of each released file; of the manifest all but its times."""
        root, found = self.home / "releases" / wave, {}
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file() and path.name != "manifest.json":
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.is_file():
                told = json.loads(path.read_text())
                found[name] = str(told["content_sha256"])
        return found

    def rows_of(self, wave: str) -> dict[str, int]:
        with duckdb.connect(str(self.home / "waves" / wave / "asco.duckdb"), read_only=True) as database:
            names = database.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
                " where table_schema not in ('main') order by 1"
            ).fetchall()
            return {name: len(database.table(name)) for (name,) in names}

    def living(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = process.environ().get("ASCO_HOME") == str(self.home)
                mine = mine or str(self.home) in " ".join(process.cmdline())
                if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def demand_quiet(self) -> None:
        """Nothing of the home is left running, half a minute after the fault."""
        end = time.monotonic() + 40
        while left := self.living():
            if time.monotonic() > end:
                told = "; ".join(" ".join(process.cmdline())[:120] for process in left)
                for process in left:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                raise NotRecoveredError(f"left running: {told}")
            time.sleep(0.2)

    def demand_whole_releases(self) -> None:
        """What is released is what an undisturbed run releases, or is not there at all."""
        for wave in WAVES:
            found = {k: v for k, v in self.release_of(wave).items() if not k.startswith(".draft-")}
            versions = {name.split("/")[0] for name in found} - {"latest"}
            wanted = self.released[wave]
            whole = {k: v for k, v in wanted.items() if k.split("/")[0] in versions}
            if {k: v for k, v in found.items() if k != "latest"} != {
                k: v for k, v in whole.items() if k != "latest"
            }:
                raise NotRecoveredError(f"the release of {wave} is neither the former nor whole")
            if found.get("latest", wanted["latest"]) not in {*versions, wanted["latest"]}:
                raise NotRecoveredError(f"latest of {wave} points to {found['latest']}")

    def demand_recovery(self, wave: str) -> None:
        """One more run, and everything is as an undisturbed run leaves it."""
        self.demand_quiet()
        self.demand_whole_releases()
        self.demand_done("run", wave)
        if self.release_of(wave) != self.released[wave]:
            raise NotRecoveredError(f"the release of {wave} has other bytes after the retry")
        if self.rows_of(wave) != self.rows[wave]:
            raise NotRecoveredError(f"the tables of {wave} have other rows after the retry")
        code, told = self.run("status", "--json")
        states = [w["run"]["status"] for w in json.loads(told) if w["run"]] if code == 0 else [told]
        if set(states) - {"SUCCESS"}:
            raise NotRecoveredError(f"asco status tells {states}")
        self.demand_quiet()


def instant(bench: Bench, wave: str, chance: random.Random) -> float:
    """A moment of a run, uniformly over its length."""
    return chance.uniform(0.5, bench.seconds[wave])


def kill_run(bench: Bench, wave: str, chance: random.Random) -> None:
    process = bench.start("run", wave)
    wait(process, instant(bench, wave, chance))
    process.kill()
    process.communicate()


def kill_postgres(bench: Bench, wave: str, chance: random.Random) -> None:
    process = bench.start("run", wave)
    wait(process, instant(bench, wave, chance))
    with contextlib.suppress(OSError, ValueError, IndexError):
        os.kill(int((bench.home / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    finish(process)


def full_disk(bench: Bench, wave: str, chance: random.Random) -> None:
    """No file of the run grows beyond a random size: writing fails as on a full disk."""
    most = int(10 ** chance.uniform(4.5, 7.5))
    process = bench.start("run", wave, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    finish(process)


def read_only_inbox(bench: Bench, wave: str, chance: random.Random) -> None:
    inbox = bench.home / "inbox" / wave
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in inbox.rglob("*") if path.is_file()
    }
    closed = [path for path in (inbox, *inbox.rglob("*")) if not path.is_symlink()]
    for path in closed:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        bench.demand_done("run", wave)
    finally:
        for path in closed:
            path.chmod(0o700 if path.is_dir() else 0o600)
    after = {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in inbox.rglob("*") if path.is_file()
    }
    if after != before:
        raise NotRecoveredError(f"the inbox of {wave} was changed")


def jumping_clock(bench: Bench, wave: str, chance: random.Random) -> None:
    library = next(iter(sorted(Path("/usr/lib").rglob("libfaketime.so.1"))), None)
    if library is None:
        raise SkippedError("libfaketime is not installed (Debian: apt-get install libfaketime)")
    shift = chance.choice(("-400d", "-3d", "-2h", "+2h", "+3d"))
    process = subprocess.Popen(
        [*ASCO, "run", wave],
        env={**bench.environment, "LD_PRELOAD": str(library), "FAKETIME": shift},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    finish(process)


def started_twice(bench: Bench, wave: str, chance: random.Random) -> None:
    first = bench.start("run", wave)
    wait(first, chance.uniform(0, 15))
    second = bench.start("run", wave)
    finish(first), finish(second)
    if first.returncode and second.returncode:
        raise NotRecoveredError(f"neither of two runs released ({first.returncode}, {second.returncode})")


def kill_server(name: str) -> Callable[[Bench, str, random.Random], None]:
    """Kill one of the servers of ``asco up`` while it runs the wave."""

    def fault(bench: Bench, wave: str, chance: random.Random) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        served = bench.start("up", "--port", str(port))
        try:
            while "Ctrl-C" not in (line := served.stdout.readline()):
                if not line:
                    raise NotRecoveredError("asco up ended before it answered")
            launch(f"http://127.0.0.1:{port}", wave)
            time.sleep(instant(bench, wave, chance))
            for process in psutil.Process(served.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if name in " ".join(process.cmdline()):
                        process.kill()
            served.communicate(timeout=120)
        finally:
            if served.poll() is None:
                served.send_signal(signal.SIGINT)
                served.communicate(timeout=120)

    return fault


def launch(base: str, wave: str) -> None:
    query = (
        f"mutation {{launchRun(executionParams: {{selector: {SELECTOR}, "
        f'executionMetadata: {{tags: [{{key: "dagster/partition", value: "{wave}"}}]}}}}) {{__typename}}}}'
    )
    request = urllib.request.Request(
        f"{base}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        told = json.load(answer)["data"]["launchRun"]["__typename"]
    if told != "LaunchRunSuccess":
        raise NotRecoveredError(f"the run was not launched: {told}")


def wait(process: "subprocess.Popen[str]", seconds: float) -> None:
    """Let it run for a while, or less when it ends."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def finish(process: "subprocess.Popen[str]") -> None:
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise NotRecoveredError("the run neither ended nor failed") from None


FAULTS: dict[str, Callable[[Bench, str, random.Random], None]] = {
    "SIGKILL of the run": kill_run,
    "SIGKILL of PostgreSQL": kill_postgres,
    "SIGKILL of the daemon": kill_server("dagster._daemon"),
    "SIGKILL of the webserver": kill_server("dagster_webserver"),
    "full disk": full_disk,
    "read-only inbox": read_only_inbox,
    "clock that jumps": jumping_clock,
    "the same wave started twice": started_twice,
}


@dataclass
class Outcome:
    """What became of a fault."""

    tries: int = 0
    recovered: int = 0
    told: list[str] = field(default_factory=list)


def trials(bench: Bench, chosen: list[str], tries: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    """Try each fault so many times, the waves in turn; every second try starts without a release."""
    for name in chosen:
        outcome = Outcome()
        for number in range(tries):
            wave, chance = WAVES[number % 2], random.Random(f"{seed}:{name}:{number}")
            if number % 4 >= 2:
                shutil.rmtree(bench.home / "releases" / wave, ignore_errors=True)
            try:
                outcome.tries += 1
                FAULTS[name](bench, wave, chance)
                bench.demand_recovery(wave)
                outcome.recovered += 1
            except SkippedError as reason:
                outcome.tries -= 1
                outcome.told.append(f"skipped: {reason}")
                break
            except NotRecoveredError as reason:
                outcome.told.append(f"try {number} (wave {wave}): {reason}")
            print(f"{name}: {outcome.recovered} of {outcome.tries} recovered", flush=True)
        yield name, outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tries", type=int, default=2, help="tries of each fault")
    parser.add_argument("--seed", type=int, default=2014)
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), help="this fault; may be repeated")
    parser.add_argument(
        "--home", type=Path, help="a folder to keep: its waves are prepared once, for many calls"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="asco-faults-") as folder:
        work = (options.home or Path(folder)).absolute()
        waves = write_small_waves(work / "waves", {wave: wave for wave in WAVES})
        bench = Bench(work / "home", waves)
        bench.prepare()
        found = dict(trials(bench, options.only or list(FAULTS), options.tries, options.seed))
    print(f"\n{'fault':<30}{'tries':>7}{'recovered':>11}")
    for name, outcome in found.items():
        print(f"{name:<30}{outcome.tries:>7}{outcome.recovered:>11}")
        for line in outcome.told:
            print(f"    {line}")
    return int(any(outcome.recovered < outcome.tries for outcome in found.values()))


if __name__ == "__main__":
    sys.exit(main())
