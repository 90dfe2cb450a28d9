"""``asco doctor`` on a home that is well and on homes that are not."""

import socket
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from asco_dagster.cli.doctor import doctor
from asco_dagster.installation import CHECKOUT
from asco_dagster.operations.upkeep.diagnosis import home_findings, packages, pinned, waves
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave


def consult() -> Result:
    app = Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, [])


def test_a_good_home_is_well_and_deliveries_are_reported(places: Places) -> None:
    before = consult()
    assert before.exit_code == 0, before.output
    assert "No problems." in before.output
    assert "embedded server starts" in before.output
    assert "deliveries missing" in before.output
    for delivery in load_wave("2014").deliveries():
        path = places.inbox("2014") / delivery.address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    verdicts = {finding.subject: finding.verdict for finding in waves(places)}
    assert verdicts == {"wave 2014": "OK", "wave 2025": "note"}


def test_a_home_that_cannot_be_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASCO_HOME", str(tmp_path / "file" / "home"))
    result = consult()
    assert result.exit_code == 2
    assert "cannot be written" in result.output
    assert "Set ASCO_HOME to a writable folder" in result.output


def test_a_wrong_setting_is_a_problem_without_a_traceback(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCO_HOEM", "x")
    result = consult()
    assert result.exit_code == 2
    assert "unknown setting ASCO_HOEM" in result.output
    monkeypatch.delenv("ASCO_HOEM")
    monkeypatch.setenv("ASCO_POSTGRES_URL", "postgresql://u:hunter2@127.0.0.1:1/d")
    result = consult()
    assert result.exit_code == 2
    assert "PostgreSQL at 127.0.0.1:1" in result.output
    assert "hunter2" not in result.output


def test_what_lies_open_is_reported_and_what_is_closed_above_is_not(places: Places) -> None:
    database = places.database("2014")
    database.touch()
    database.chmod(0o644)  # whatever the umask
    assert {finding.verdict for finding in home_findings(places) if finding.subject == "permissions"} == {
        "OK"
    }
    for folder in (database.parent.parent, database.parent):
        folder.chmod(0o755)
    told = [finding.text for finding in home_findings(places) if finding.verdict == "problem"]
    assert told == [
        f"{database.parent} can be read by others (mode 0755)",
        f"{database} can be read by others (mode 0644)",
    ]


def test_a_package_of_another_version_is_a_problem(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "duckdb==0.0.1 \\\n    --hash=sha256:00\npsycopg2_binary[x]==0.0.2 ; python_version>'3'\n"
    )
    assert pinned(lock) == {"duckdb": "0.0.1", "psycopg2-binary": "0.0.2"}
    told = [finding.text for finding in packages(lock)]
    assert len(told) == 2
    assert all("pinned is 0.0." in line for line in told)
    assert [finding.verdict for finding in packages(CHECKOUT / "requirements.lock")] == ["OK"]
    assert pinned(CHECKOUT / "requirements.lock")["dagster"] == "1.13.27"


def test_a_taken_port_is_a_note(places: Places) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 3000))
            other.listen()
        except OSError:
            pass  # somebody has it already, which serves as well
        result = consult()
    assert "3000 is in use" in result.output
    assert result.exit_code == 0
