"""Processors dealt out to waves that run side by side."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from asco_dagster.cli import run as command
from asco_dagster.processors import confine, processors, shares

affinity = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system does not tie processes to processors"
)
TELL = "import json, os, subprocess, sys; sys.stdin.readline(); "
OWN = "print(json.dumps(sorted(os.sched_getaffinity(0))))"


@pytest.mark.parametrize("number", [1, 2, 3, 1000])
def test_shares_are_disjoint_and_together_all(number: int) -> None:
    dealt = shares(number)
    assert len(dealt) == min(number, processors())
    assert all(dealt)
    assert sum(len(share) for share in dealt) == len(set().union(*dealt)) == processors()
    assert max(len(share) for share in dealt) - min(len(share) for share in dealt) <= 1


@affinity
def test_a_confined_process_and_its_children_use_their_share() -> None:
    share = {min(os.sched_getaffinity(0))}
    code = f"{TELL}subprocess.run([sys.executable, '-c', {f'import json, os; {OWN}'!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        confine(child.pid, share)
        told, _ = child.communicate("\n", timeout=60)
    assert set(json.loads(told)) == share
    assert processors() == len(os.sched_getaffinity(0))


@affinity
def test_a_process_that_is_gone_is_not_confined() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    before = os.sched_getaffinity(0)
    confine(child.pid, {min(before)})
    assert os.sched_getaffinity(0) == before


@affinity
def test_waves_side_by_side_run_on_shares_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each wave has a share while it runs, and the next takes over that of a wave that is done."""
    waves = ["2014", "2025", "2035"]
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys, time\ntime.sleep(0.5)\n"
        "own = sorted(os.sched_getaffinity(0))\n"
        f"open(f'{tmp_path}/{{sys.argv[-1]}}', 'w').write(repr(own))\n"
    )
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(command, "load_wave", lambda wave: wave)
    with pytest.raises(typer.Exit) as ended:
        command.run(waves)
    assert ended.value.exit_code == 0, capsys.readouterr()
    told = [set(json.loads((tmp_path / wave).read_text())) for wave in waves]
    assert all(share in shares(3) for share in told)
    assert told[0].isdisjoint(told[1]) or processors() == 1
