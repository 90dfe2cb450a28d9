"""A publication killed at fifty instants leaves a whole release each time, and the next run finishes."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from asco_dagster.releases.contract import contract_of
from asco_testing.publication import killed_publisher
from asco_testing.publication.killed_publisher import FIRST
from asco_testing.worlds.tiny_content import AREAS, cells, models, profiles

pytestmark = pytest.mark.long

KILLS = 50


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the tables that the release step reads, small: two indicators."""
    frame = cells()
    frame = frame[frame["indicator"].isin(["ccas", "cias"])].reset_index(drop=True)
    assert AREAS
    columns = contract_of("revisions").columns
    revisions = pd.DataFrame({column.name: pd.Series(dtype=str) for column in columns})
    with duckdb.connect(str(tmp_path / "asco.duckdb")) as database:
        for schema in ("publication", "confidentiality"):
            database.execute(f"create schema {schema}")
        for name, rows in {
            "publication.pub_asco__cells": frame,
            "publication.pub_profile__departements": profiles(),
            "publication.pub_asco__revisions": revisions,
            "publication.pub_asco__model_estimates": models(),
            "confidentiality.sec_asco__cells": frame.assign(reason="made up", numerator=1.0),
        }.items():
            database.register("incoming", rows)
            database.execute(f"create table {name} as select * from incoming")
    return tmp_path


def test_fifty_kills_leave_latest_on_a_whole_release(home: Path) -> None:
    program = killed_publisher.__file__
    done = subprocess.run(
        [sys.executable, program, str(home), str(KILLS), "2014"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(seen) == KILLS
    for kill in seen:
        before, after, finished = kill["before"], kill["after"], kill["next"]
        assert after["faults"] == [], kill
        # the former release or the new one, and nothing between them
        assert (after["latest"], after["number"]) in (
            (before["latest"], before["number"]),
            (finished["latest"], float(kill["wanted"])),
        ), kill
        assert finished == {
            "latest": f"{kill['wanted']}.0.0", "number": float(kill["wanted"]), "faults": [], "drafts": 0
        }, kill  # fmt: skip
    assert sum(kill["before"]["latest"] is None for kill in seen) == FIRST
    # the kills fell into the work: drafts were left, and not every publication ended before its kill
    assert sum(kill["after"]["drafts"] > 0 for kill in seen) >= KILLS // 10
    assert sum(not kill["ended"] for kill in seen) >= KILLS // 2
