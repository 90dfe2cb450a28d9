"""A small wave that fails, is cancelled, dies and is resumed; after each run, what is said of every gate.

A program of its own, since the small world replaces functions of the pipeline. It runs the function behind
``asco run`` on real Dagster with PostgreSQL, and writes a JSON file. What does not belong here: what should
be said (``test_agreement``).
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from asco_testing.home_contents import release_of
from asco_testing.worlds.small_france import SCALE, shrink

WAVE = "2014"
_WORDS = {
    **{"open": "passed", "passed": "passed", "warning": "warned", "warned": "warned", "WARN": "warned"},
    **{"warns": "warned"},
    **{"closed": "failed", "ERROR": "failed", "not judged": "never"},
}
ASSET = "est_asco__weights"
"""The asset at which every run but the first and the last ends."""


def said() -> dict[str, dict[str, Any]]:
    """What each place says of each gate, by asset, in the words of ``asco status``; None for nothing."""
    import dagster as dg

    from asco_dagster.errors import GateError
    from asco_dagster.gates.data_docs import page_of
    from asco_dagster.gates.results import read_result
    from asco_dagster.gates.suite import suite_assets
    from asco_dagster.operations.instance import open_instance
    from asco_dagster.operations.monitoring.overview import overview
    from asco_dagster.orchestration.release_guard import latest_evaluations
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    places = Places.of(settings)
    quality = places.quality(WAVE)
    report = _words(
        quality / "report" / "index.html", r"<summary><code>(\w+)</code> – <span class=\"state (\w+)"
    )
    index = _words(quality / "index.html", r"<code>(\w+)</code>.*?<span class=\"state ([\w ]+)\"")
    status = next(one for one in overview(settings, places) if one.wave == WAVE)
    keys = {asset: dg.AssetCheckKey(dg.AssetKey(asset), f"gx__{asset}") for asset in suite_assets()}
    with open_instance(settings, places) as instance:
        known = latest_evaluations(instance, WAVE, list(keys.values()))
    found = {}
    for asset, key in keys.items():
        try:
            result = read_result(places.gates(WAVE), asset, WAVE)
            kept = "failed" if result.closed else "warned" if result.warned else "passed"
        except GateError:
            kept = "never"
        told = known[key]
        page = quality / page_of(asset)
        found[asset] = {
            "result": kept,
            "check": None if told is None else "passed" if told.passed else _WORDS[told.severity.value],
            "status": status.gates[asset],
            "index": _WORDS[index[asset]],
            "report": _WORDS[report[asset]] if asset in report else None,
            "page": _verdict_of(page),
        }
    return found


def _verdict_of(page: Path) -> str:
    """The verdict on the page of a gate; none counts on a page that says that it is outdated."""
    if page.is_file() and '<p class="outdated">' in page.read_text(encoding="utf-8"):
        return "never"
    return _WORDS[_words(page, r"<(p) class=\"state (\w+)\"").get("p", "not judged")]


def _words(page: Path, pattern: str) -> dict[str, str]:
    return dict(re.findall(pattern, page.read_text(encoding="utf-8"))) if page.is_file() else {}


@contextmanager
def _closed() -> Iterator[None]:
    """The weights are a million times what they should be."""
    from asco_dagster.orchestration import wave_step

    write = wave_step.write_table

    def spoilt(database: Any, asset: str, rows: Any) -> None:
        write(database, asset, rows.assign(weight=rows["weight"] * 1e6) if asset == ASSET else rows)

    with mock.patch.object(wave_step, "write_table", spoilt):
        yield


@contextmanager
def _stopped(how: Callable[[], BaseException]) -> Iterator[None]:
    """The run ends while the asset is judged, its table written."""
    from asco_dagster.orchestration import checks

    evaluate = checks.run_suite

    def ends(suite: Any, *arguments: Any) -> Any:
        if suite.asset == ASSET:
            raise how()
        return evaluate(suite, *arguments)

    with mock.patch.object(checks, "run_suite", ends):
        yield


def _run() -> tuple[int, list[str]]:
    from asco_dagster.definitions import build_definitions
    from asco_dagster.operations.wave_run import run_wave
    from asco_dagster.settings import Settings

    lines: list[str] = []
    settings = Settings.from_environment()
    return run_wave(WAVE, settings, lambda: build_definitions, inbox=None, say=lines.append), lines


def main(target: Path) -> None:
    shrink()
    from dagster._core.errors import DagsterExecutionInterruptedError

    from asco_dagster.demonstration.deliveries import write_deliveries
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    settings = Settings.from_environment()
    write_deliveries(load_wave(WAVE), places=Places.of(settings), scale=float(SCALE))
    told: dict[str, Any] = {}

    def keep(name: str, run: tuple[int, list[str]]) -> None:
        told[name] = {
            "code": run[0], "lines": run[1], "said": said(), "released": release_of(settings.home, WAVE)
        }  # fmt: skip
        target.write_text(json.dumps(told, indent=1), encoding="utf-8")
        print(name, run[0], flush=True)

    keep("released", _run())
    # A power cut tore its result; what is not judged is made again, this time with a fault.
    (Places.of(settings).gates(WAVE) / f"{ASSET}.json").write_bytes(b"")
    keep("torn", (0, []))
    with _closed():
        keep("closed", _run())
    with _stopped(DagsterExecutionInterruptedError):
        keep("cancelled", _run())
    with _stopped(lambda: RuntimeError("Great Expectations fell over")):
        keep("died", _run())
    keep("resumed", _run())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
