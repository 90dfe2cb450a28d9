"""The home that is disturbed, and everything that is demanded of it afterwards.

What does not belong here: how it is disturbed (``faults``), and where a try begins (``checkpoints``).
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asco_testing.faults.forked import Forked, descendants, fork
from asco_testing.faults.tried_code import require_unloaded
from asco_testing.home_contents import release_of, rows_of
from asco_testing.worlds.small_france import WAVES

PATIENCE = 600.0


class NotRecoveredError(Exception):
    """What a try left behind."""


class SkippedError(Exception):
    """Why a fault cannot be tried on this machine."""


@dataclass
class Undisturbed:
    """What an undisturbed run leaves: hash of each released file by wave, rows of each table, other files."""

    released: dict[str, dict[str, str]]
    rows: dict[str, int]
    files: list[str]


@dataclass
class Bench:
    """The home under test.

    Attributes:
        work: folder of everything that the trials write.
        extra: further variables of each command.
    """

    work: Path
    extra: dict[str, str] = field(default_factory=dict)
    number: int = 0

    @property
    def home(self) -> Path:
        return self.work / "home"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"ASCO_HOME": str(self.home), **self.extra}

    def start(self, *arguments: str, before: Callable[[], object] | None = None) -> Forked:
        """Start a command line as a process of its own."""

        def command() -> None:
            from asco_dagster.cli.main import main

            sys.argv = ["asco", *arguments]
            try:
                main()
            finally:
                require_unloaded(arguments[0])

        return self.fork(command, before)

    def fork(self, work: Callable[[], object], before: Callable[[], object] | None = None) -> Forked:
        self.number = (self.number + 1) % 20
        return fork(work, self.work / f"output-{self.number}", self.environment, before)

    def require_done(self, *arguments: str) -> str:
        process = self.start(*arguments)
        code = process.wait(PATIENCE)
        if code:
            raise NotRecoveredError(f"asco {' '.join(arguments)} gave {code}: {process.told()[-900:]}")
        return process.told()

    def restore(self, folder: Path) -> None:
        """Have the home as it was."""
        shutil.rmtree(self.home, ignore_errors=True)
        subprocess.run(["cp", "-a", str(folder), str(self.home)], check=True)

    def keep(self, name: str) -> Path:
        """Put aside the home and what was reported of it, for whoever looks for the cause."""
        kept = self.work / "lost" / name
        kept.mkdir(parents=True, exist_ok=True)
        told = map(str, self.work.glob("output-*"))
        subprocess.run(["cp", "-a", str(self.home), *told, str(kept)], check=True)
        return kept

    def save(self, folder: Path) -> None:
        require_quiet()
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.home), str(folder)], check=True)

    @staticmethod
    def quiet() -> None:
        require_quiet()

    def undisturbed(self, wave: str) -> Undisturbed:
        return Undisturbed(
            {name: release_of(self.home, name) for name in WAVES}, self.inspect(wave)["rows"], self.files()
        )

    def files(self) -> list[str]:
        """Every path but those of Dagster's and PostgreSQL's own state, which grow with each run.

        Whoever looks for a sealed or withdrawn version makes its folder: an empty one of these says nothing.
        """
        own = ("postgres/", "dagster/")
        found = []
        for path in self.home.rglob("*"):
            name = path.relative_to(self.home).as_posix()
            empty = name.startswith(("sealed/", "withdrawn/")) and path.is_dir() and not any(path.iterdir())
            if not empty and not name.startswith(own):
                found.append(name)
        return sorted(found)

    def inspect(self, wave: str) -> dict[str, Any]:
        """Rows of each table of a wave, the state of its runs, and what ``asco status`` tells."""
        found = self.work / "inspected.json"
        found.unlink(missing_ok=True)
        process = self.fork(lambda: _inspect(wave, self.home, found))
        if code := process.wait(PATIENCE):
            raise NotRecoveredError(f"the home cannot be looked at ({code}): {process.told()[-600:]}")
        told: dict[str, Any] = json.loads(found.read_text())
        return told

    def waits(self) -> bool:
        """Whether a run stands in the queue."""
        found = self.work / "waiting"
        found.unlink(missing_ok=True)
        process = self.fork(lambda: _waiting(found))
        if code := process.wait(PATIENCE):
            raise NotRecoveredError(f"the queue cannot be looked at ({code}): {process.told()[-600:]}")
        return found.read_text() != "0"

    def require_whole_releases(self, wanted: Undisturbed) -> None:
        """What is released is what an undisturbed run releases, or is not there at all."""
        for wave in WAVES:
            found = {k: v for k, v in release_of(self.home, wave).items() if not k.startswith(".draft-")}
            versions = {name.split("/")[0] for name in found} - {"latest"}
            whole = {k: v for k, v in wanted.released[wave].items() if k.split("/")[0] in versions}
            if {k: v for k, v in found.items() if k != "latest"} != whole:
                raise NotRecoveredError(f"the release of {wave} is neither the former nor whole")
            if "latest" in found and found["latest"] not in versions:
                raise NotRecoveredError(f"latest of {wave} points to {found['latest']}")

    def require_recovery(self, wave: str, wanted: Undisturbed) -> None:
        """One more run, and everything is as an undisturbed run leaves it.

        Args:
            wave: the wave.
            wanted: what an undisturbed run leaves.
        """
        require_quiet()
        self.require_whole_releases(wanted)
        self.require_done("run", wave)
        for name in WAVES:
            differ = wanted.released[name].items() ^ release_of(self.home, name).items()
            if differ:
                raise NotRecoveredError(
                    f"the release of {name} differs after the retry: {sorted(differ)[:4]}"
                )
        seen = self.inspect(wave)
        if seen["rows"] != wanted.rows:
            differ = sorted(set(seen["rows"].items()) ^ set(wanted.rows.items()))
            raise NotRecoveredError(f"the tables of {wave} have other rows after the retry: {differ[:6]}")
        if seen["runs"][0] != "SUCCESS" or set(seen["runs"]) - {"SUCCESS", "FAILURE", "CANCELED"}:
            raise NotRecoveredError(f"runs of {wave}, newest first: {seen['runs'][:4]}")
        if seen["status"].get(wave) != "SUCCESS":
            raise NotRecoveredError(f"asco status tells {seen['status']}")
        litter = sorted(set(self.files()) - set(wanted.files))
        if litter:
            raise NotRecoveredError(f"left in the home: {litter[:5]}")
        require_quiet()


def require_quiet(patience: float = 40.0) -> None:
    """Nothing is left running, half a minute after the fault."""
    end = time.monotonic() + patience
    while left := descendants():
        if time.monotonic() > end:
            told = "; ".join(f"{process.name()} {' '.join(process.cmdline())[:120]}" for process in left)
            for process in left:
                process.kill()
            raise NotRecoveredError(f"left running: {told}")
        time.sleep(0.05)


def _waiting(found: Path) -> None:
    """To be done in a process of its own, since it starts threads."""
    from dagster import DagsterRunStatus, RunsFilter

    from asco_dagster.operations.instance import open_instance
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    with open_instance(settings, Places.of(settings)) as instance:
        found.write_text(str(instance.get_runs_count(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))))


def _inspect(wave: str, home: Path, found: Path) -> None:
    """To be done in a process of its own, since it starts threads."""
    from dagster import RunsFilter

    from asco_dagster.operations.instance import open_instance
    from asco_dagster.operations.monitoring.overview import overview
    from asco_dagster.orchestration.tags import PARTITION_TAG
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    with open_instance(settings, Places.of(settings)) as instance:
        runs = [r.status.value for r in instance.get_runs(RunsFilter(tags={PARTITION_TAG: wave}))]
        told = [one.as_json() for one in overview(settings, Places.of(settings))]
    rows = rows_of(home, wave, read_only=False)
    status = {one["wave"]: one["run"]["status"] for one in told if one["run"]}
    found.write_text(json.dumps({"rows": rows, "runs": runs, "status": status}))
