"""A file that hangs or kills its reading process is refused alone; its neighbours are read."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from asco_dagster.sources.returns import reading_pool
from asco_dagster.sources.returns.questionnaire_form import Expected, Return
from asco_dagster.sources.returns.reading_pool import Outcome, Where
from asco_testing.sources.made_returns import codebook, read, workbook, zipped

pytestmark = pytest.mark.slow

DO = {
    b"hang": lambda: time.sleep(60),
    b"die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    b"memory": lambda: bytearray(1 << 40),
}


def misbehaving(places: list[Where]) -> list[Outcome]:
    """Read a batch as ever, but for files that say what to do."""
    for where in places:
        act = DO.get(reading_pool.read_member(where))
        if act is not None:
            act()
    return reading_pool.read_places(places)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"hang", "too_slow"), (b"die", "reader_died"), (b"memory", "reader_died")]
)
def test_only_the_culprit_is_refused(
    content: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_pool, "_TASK", misbehaving)
    monkeypatch.setattr(reading_pool, "SECONDS", 1.5)
    files = {f"{number:02d}.xlsx": workbook(f"01{number:03d}") for number in range(1, 60)}
    files["30.xlsx"] = content
    quarantine = tmp_path / "q"
    quarantine.mkdir()
    began = time.monotonic()
    found = read(zipped(tmp_path / "r.zip", files), quarantine, sampled=None)
    assert found.counts == {"accepted": 58, "superseded": 0, "refused": 1, "ignored": 0}
    told = found.returns.set_index("file").loc["r.zip/30.xlsx"]
    assert (told["reason"], told["sha256"] is not None) == (reason, True)
    assert [json.loads(path.read_text())["file"] for path in quarantine.iterdir()] == ["r.zip/30.xlsx"]
    assert time.monotonic() - began < 30


def test_a_fault_of_ours_costs_one_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tmp_path / "good.xlsx"
    good.write_bytes(workbook())

    def fails(*_: object) -> Return:
        raise KeyError("01 99 00 12 34")

    monkeypatch.setattr(reading_pool, "read_workbook", fails)
    _, refusal = reading_pool.read_one(Where(good), {"commune": Expected.of(codebook(), "2014", None)})
    assert (refusal.reason, refusal.expected) == ("unforeseen", "no KeyError")
