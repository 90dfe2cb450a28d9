"""GX's result, the check in Dagster, the quality pages and ``asco status`` agree on every gate.

The small world runs to a release; a power cut tears a result, a gate closes, a run is cancelled, one dies
while judging, and one resumes.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from asco_testing.pipeline import agreement_world
from asco_testing.pipeline.agreement_world import ASSET
from asco_testing.worlds.small_france import write_waves

pytestmark = pytest.mark.long

RUNS = ("released", "closed", "cancelled", "died", "resumed")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each run came to, and what is said of each gate after it."""
    work = tmp_path_factory.mktemp("agreement")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ASCO_", "DAGSTER_"))}
    waves = {"ASCO_WAVES": str(write_waves(work / "waves")), "ASCO_HOME": str(work / "home")}
    program = agreement_world.__file__
    subprocess.run([sys.executable, program, str(work / "told.json")], env=own | waves, check=True)
    return dict(json.loads((work / "told.json").read_text(encoding="utf-8")))


def test_the_runs_end_as_they_should(told: dict[str, dict[str, Any]]) -> None:
    assert {name: told[name]["code"] for name in RUNS} == {
        "released": 0, "closed": 1, "cancelled": 3, "died": 3, "resumed": 0,
    }  # fmt: skip
    results = {name: one["said"][ASSET]["result"] for name, one in told.items()}
    assert results == {
        "released": "passed", "torn": "never", "closed": "failed", "cancelled": "never", "died": "never",
        "resumed": "passed",
    }  # fmt: skip
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


def test_what_is_not_judged_is_named_by_the_next_run(told: dict[str, dict[str, Any]]) -> None:
    begin = f"asco: file {ASSET}.json: the gate of {ASSET} is not judged: "
    for run, why in (("closed", "the file is empty"), ("died", "run "), ("resumed", "run ")):
        named = [line for line in told[run]["lines"] if line.startswith(begin + why)]
        assert len(named) == 1, told[run]["lines"]
        assert named[0].endswith(" or “Re-execute all”): the table is made and judged again.")


def test_no_stopped_run_changes_a_released_byte(told: dict[str, dict[str, Any]]) -> None:
    assert told["released"]["released"]
    for name in RUNS[1:]:
        assert told[name]["released"] == told["released"]["released"], name
