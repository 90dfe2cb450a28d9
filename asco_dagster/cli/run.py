"""``asco run``: runs waves without the UI; one in this process, several in processes side by side."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.monitoring.structured_log import formatter, set_up_logging
from asco_dagster.operations.wave_run import run_wave
from asco_dagster.processors import confine, shares
from asco_dagster.settings import Settings
from asco_dagster.waves import load_wave

if TYPE_CHECKING:
    import dagster as dg


def run(
    waves: Annotated[
        list[str], typer.Argument(metavar="WAVE...", help="The waves to run, for example 2014.")
    ],
    inbox: Annotated[
        Path | None, typer.Option(help="Read the deliveries from this folder instead of the home's inbox.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Rebuild every table, unchanged ones too.")] = False,
) -> None:
    """Run waves, from deliveries to a release.

    Exit code: 0 released, 1 gate closed, 2 usage or configuration, 3 failed.

    Example: asco run 2014 2025
    """
    for wave in waves:
        load_wave(wave)
    if inbox is not None and not inbox.is_dir():
        raise ConfigurationError(f"not found: folder {inbox}", remedy="Name the folder of the deliveries")
    if len(set(waves)) < len(waves):
        raise ConfigurationError("a wave is named twice", remedy="Name each wave once")
    if len(waves) == 1:
        raise typer.Exit(_run_here(waves[0], inbox, fresh))
    free: SimpleQueue[set[int]] = SimpleQueue()
    dealt = shares(len(waves))
    for share in dealt:
        free.put(share)
    with ThreadPoolExecutor(max_workers=len(dealt)) as pool:
        codes = list(pool.map(lambda wave: _run_beside(wave, inbox, fresh, free), waves))
    raise typer.Exit(max(codes))


def _run_here(wave: str, inbox: Path | None, fresh: bool) -> int:
    settings = Settings.from_environment()
    set_up_logging(settings)
    say = formatter(settings, typer.echo, wave=wave)
    return run_wave(wave, settings, _pipeline, inbox=inbox, say=say, fresh=fresh)


def _pipeline() -> "Callable[..., dg.Definitions]":
    """What builds the definitions; importing it takes seconds, in which the storage starts."""
    from asco_dagster.definitions import build_definitions  # dagster, pandas, Great Expectations

    return build_definitions


def _run_beside(wave: str, inbox: Path | None, fresh: bool, free: SimpleQueue[set[int]]) -> int:
    """Run a wave in another process, on one of the free shares of the processors."""
    command = [sys.executable, "-m", "asco_dagster.cli.main", "run", wave]
    if inbox is not None:
        command += ["--inbox", str(inbox)]
    command += ["--fresh"] if fresh else []
    share = free.get()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            confine(child.pid, share)
            for line in child.stdout or ():
                # a line of JSON names its wave itself
                typer.echo(line.rstrip() if line.startswith("{") else f"[{wave}] {line.rstrip()}")
    finally:
        free.put(share)
    return child.returncode
