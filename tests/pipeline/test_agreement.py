"""GX's result, the check in Dagster, the quality pages and ``asco status`` agree on every gate.

The small world runs to a release, then with a gate that closes; a run is cancelled, one dies while judging,
and one resumes.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from agreement_world import CANCELLED, CLOSED, DIED
from small_world import write_waves

RUNS = ("released", "closed", "cancelled", "died", "resumed")
STOPPED = {"cancelled": CANCELLED, "died": DIED}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each run came to, and what is said of each gate after it."""
    work = tmp_path_factory.mktemp("agreement")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ASCO_", "DAGSTER_"))}
    waves = {"ASCO_WAVES": str(write_waves(work / "waves")), "ASCO_HOME": str(work / "home")}
    program = Path(__file__).with_name("agreement_world.py")
    subprocess.run([sys.executable, str(program), str(work / "told.json")], env=own | waves, check=True)
    return dict(json.loads((work / "told.json").read_text(encoding="utf-8")))


def test_the_runs_end_as_they_should(told: dict[str, dict[str, Any]]) -> None:
    assert {name: told[name]["code"] for name in RUNS} == {
        "released": 0, "closed": 1, "cancelled": 3, "died": 3, "resumed": 0,
    }  # fmt: skip
    assert told["closed"]["said"][CLOSED]["result"] == "failed"
    for name, asset in STOPPED.items():
        assert told[name]["said"][asset]["result"] == "never"
    judged = {asset: one["result"] for asset, one in told["resumed"]["said"].items()}
    assert judged == {asset: one["result"] for asset, one in told["released"]["said"].items()}
    assert set(judged.values()) <= {"passed", "warned"}


@pytest.mark.parametrize("run", RUNS)
def test_every_place_says_the_same_of_every_gate(run: str, told: dict[str, dict[str, Any]]) -> None:
    for asset, one in told[run]["said"].items():
        assert one["status"] == one["index"] == one["page"] == one["result"], asset
        if one["result"] != "never":
            assert one["check"] == one["result"], asset
        if one["report"] is not None:
            assert one["report"] == one["result"], asset


def test_there_is_a_report_where_all_is_judged_and_none_elsewhere(told: dict[str, dict[str, Any]]) -> None:
    counts = {name: sum(one["report"] is not None for one in told[name]["said"].values()) for name in RUNS}
    assert counts["released"] == counts["resumed"] > 40
    assert (counts["closed"], counts["cancelled"], counts["died"]) == (0, 0, 0)


def test_what_a_stopped_run_left_unjudged_is_named_by_the_next(told: dict[str, dict[str, Any]]) -> None:
    for after, asset in (("died", CANCELLED), ("resumed", DIED)):
        named = [line for line in told[after]["lines"] if f"the gate of {asset} is not judged: run" in line]
        assert len(named) == 1, told[after]["lines"]
        assert named[0].startswith(f"asco: file {asset}.json: ")


def test_no_stopped_run_changes_a_released_byte(told: dict[str, dict[str, Any]]) -> None:
    assert told["released"]["released"]
    for name in RUNS[1:]:
        assert told[name]["released"] == told["released"]["released"], name
