"""Death and return: each part is killed or starved at seeded random instants, then the wave is run once more.

``make test-faults TRIES=n`` tries each fault n times over both waves of a small world, its first release and
a revision in turn, and prints the table *fault, tries, recovered*; it ends with 1 when a try did not recover.
A try whose run had ended before the fault is not in the table, which may so hold fewer than n of a fault.
Tries are noted in a journal, each with the fingerprint of its code: with ``--home`` a call goes on where
another stopped. After each try:

* every released version is whole and its bytes are those of an undisturbed run;
* one more run of the wave releases, and every table has the rows of an undisturbed run;
* the disturbed run is marked, no run is in progress, no draft and no process is left.

It is no pytest module, since a try takes a minute. What does not belong here: the faults of publishing
alone (``tests/publication``), which are tried at each of its steps.
"""

import argparse
import gc
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asco_testing.dagster_api import TOKEN
from asco_testing.faults import checkpoints, faults, forked_modules, journal, served
from asco_testing.faults.home_under_test import Bench, NotRecoveredError, SkippedError, require_quiet
from asco_testing.faults.tried_code import fingerprint
from asco_testing.worlds.small_france import WAVES, shrink, write_waves

CLOCK = "clock that jumps"
FAULTS: dict[str, faults.Fault] = {
    "SIGKILL of the run": faults.kill_run,
    "SIGKILL of PostgreSQL": faults.kill_postgres,
    "SIGKILL of the daemon": served.kill_server("dagster._daemon"),
    "SIGKILL of the webserver": served.kill_server("asco_dagster.operations.services.dagster_webserver"),
    "full disk": faults.full_disk,
    "read-only inbox": faults.read_only_inbox,
    CLOCK: faults.jumping_clock,
    "the same wave started twice": faults.started_twice,
}


SERVED = {"SIGKILL of the daemon", "SIGKILL of the webserver"}
CODE = {fault: fingerprint(served=fault in SERVED) for fault in FAULTS}


def attempt(
    bench: Bench,
    kept: checkpoints.Checkpoints,
    fault: str,
    number: int,
    options: argparse.Namespace,
) -> journal.Try:
    """One try."""
    wave, chance = WAVES[number % 2], random.Random(f"{options.seed}:{fault}:{number}")
    at = kept.choose(chance)
    began, before = time.monotonic(), spent()
    told, why = "", ""
    try:
        bench.restore(kept.place(at))
        told = FAULTS[fault](bench, at, chance)
        bench.require_recovery(wave, kept.wanted_of(at))
    except (NotRecoveredError, TimeoutError) as reason:
        why = str(reason)
        if options.home:  # a folder for this call alone is gone when it ends
            print(f"kept in {bench.keep(f'{fault}-{number}'.replace(' ', '-'))}", flush=True)
    finally:
        clock = os.environ.get("FAKETIME_TIMESTAMP_FILE")
        if clock:
            Path(clock).write_text("+0\n")
        calm()
    return journal.Try(
        fault, number, options.seed, CODE[fault], wave, at.name, told, not why, why,
        round(time.monotonic() - began, 1), round(spent() - before, 1),
    )  # fmt: skip


def calm() -> None:
    """Nothing of a try disturbs the next one."""
    try:
        require_quiet(60.0)
    except NotRecoveredError as reason:
        print(reason, flush=True)


def spent() -> float:
    """Processor seconds of this process and of all that it reaped."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def trials(bench: Bench, options: argparse.Namespace, chosen: list[str], book: Path) -> None:
    """Try each fault in turn, so that a call that is stopped has tried all of them about as often."""
    from asco_dagster.publication.assets import code_version

    commit = code_version()
    kept: dict[str, checkpoints.Checkpoints] = {}
    done = {(t.fault, t.number, t.code) for t in journal.read(book) if t.seed == options.seed}
    for number in range(options.start, options.tries):
        for fault in list(chosen):
            if (fault, number, CODE[fault]) in done:
                continue
            if options.until and time.strftime("%H:%M") >= options.until:
                return
            if code_version() != commit:  # a release names it: no bytes would tie any more
                raise SystemExit("the checkout changed or was committed during the tries: call again")
            wave = WAVES[number % 2]
            if options.wave not in (None, wave):
                continue
            if wave not in kept:
                kept[wave] = checkpoints.prepare(
                    bench, bench.work / "checkpoints", fingerprint(served=True), wave
                )
            try:
                tried = attempt(bench, kept[wave], fault, number, options)
            except SkippedError as reason:
                print(f"{fault}: skipped: {reason}", flush=True)
                chosen.remove(fault)
                continue
            journal.note(book, tried)
            print(
                f"{fault} {number}: {tried.wave} {tried.checkpoint}; {tried.told};"
                f" {tried.cpu} CPU s, {tried.wall} s: {tried.why or 'recovered'}",
                flush=True,
            )


def main() -> int:
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="asco-faults-") as folder:
        work = (options.home or Path(folder)).absolute()
        book = options.journal or work / "journal.jsonl"
        if not options.table:
            lane(options, work, book)
        tries = journal.read(book)
    print(f"\n{journal.table(tries, CODE)}")
    return int(any(not one.recovered for one in tries if one.code == CODE[one.fault]))


def lane(options: argparse.Namespace, work: Path, book: Path) -> None:
    """Import everything once, then try; the clock's trials need a process of their own."""
    chosen = options.only or list(FAULTS)
    if "LD_PRELOAD" not in os.environ and CLOCK in chosen:
        chosen = [name for name in chosen if name != CLOCK]
        with_a_clock(options, work, book)
    if not chosen:
        return
    work.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        ASCO_HOME=str(work / "home"), ASCO_WAVES=str(write_waves(work / "waves")), ASCO_UI_TOKEN=TOKEN
    )
    load()
    bench = Bench(work)
    trials(bench, options, chosen, book)


def with_a_clock(options: argparse.Namespace, work: Path, book: Path) -> None:
    library = next(iter(sorted(Path("/usr/lib").rglob("libfaketime.so.1"))), None)
    if library is None:
        print(f"{CLOCK}: skipped: libfaketime is not installed (Debian: apt-get install libfaketime)")
        return
    work.mkdir(parents=True, exist_ok=True)
    clock = work / "clock"
    clock.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",  # read at each call it costs minutes
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parent / "clock"), os.environ.get("PYTHONPATH", "")]
        ),
        # a clock that is set moves neither the monotonic one nor the stamps of files that stand
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # else each wait for Python's lock ends at once, and a run with threads spins four times its work away
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }
    asked = {
        "--only": CLOCK,
        "--tries": options.tries,
        "--seed": options.seed,
        "--start": options.start,
        "--home": work,
        "--journal": book,
        **({"--until": options.until} if options.until else {}),
        **({"--wave": options.wave} if options.wave else {}),
    }
    words = [str(word) for pair in asked.items() for word in pair]
    subprocess.run([sys.executable, __file__, *words], env={**os.environ, **faked}, check=False)


def load() -> None:
    """Import all that a run needs, shrink its world, and become the reaper of orphans."""
    import great_expectations  # noqa: F401
    import highspy  # noqa: F401
    from dbt.cli.main import dbtRunner  # noqa: F401

    import asco_dagster.cli.main
    import asco_dagster.definitions  # noqa: F401
    from asco_dagster.operations import wave_run  # noqa: F401
    from asco_dagster.operations.services import children, dagster_webserver  # noqa: F401

    shrink()
    forked_modules.install()
    children.adopt_orphans()
    gc.freeze()  # a twelfth of a try went into collecting, and so copying, what every child has from here


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tries", type=int, default=2, help="tries of each fault")
    parser.add_argument("--start", type=int, default=0, help="number of the first try")
    parser.add_argument("--seed", type=int, default=2014)
    parser.add_argument("--wave", choices=WAVES, help="only the tries of this wave")
    parser.add_argument("--only", action="append", choices=sorted(FAULTS), help="this fault; may be repeated")
    parser.add_argument(
        "--home", type=Path, help="a folder to keep: a later call goes on where this one ended"
    )
    parser.add_argument("--journal", type=Path, help="file of the tries, when several folders share one")
    parser.add_argument("--until", help="begin no try from this time of day on (HH:MM)")
    parser.add_argument("--table", action="store_true", help="only print the table of the tries so far")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
