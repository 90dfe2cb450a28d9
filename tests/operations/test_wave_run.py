"""One command line at a time runs a wave, whatever became of the one before; a lost storage is reported."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from asco_dagster.cli import main
from asco_dagster.definitions import build_definitions
from asco_dagster.errors import AscoError, ConfigurationError, OutOfReachError, SourceError
from asco_dagster.gates import suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.operations.instance import open_instance, storage_errors
from asco_dagster.operations.wave_run import _Reporter, only_run, run_wave
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places

pytestmark = pytest.mark.slow

Script = Callable[..., "subprocess.Popen[str]"]
HOLDING = """
    from asco_dagster.operations.wave_run import only_run
    with only_run(places, "2014"):
        print("held", flush=True)
        input()
"""


def test_a_second_run_that_starts_at_the_same_moment_is_refused(script: Script, places: Places) -> None:
    first = script(HOLDING)
    assert first.stdout and first.stdout.readline().strip() == "held"
    with pytest.raises(AscoError, match="wave 2014 is running already"), only_run(places, "2014"):
        pass
    with only_run(places, "2025"):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    with only_run(places, "2014"):
        pass


def test_the_death_of_the_server_in_the_middle_of_a_run_is_one_sentence(
    settings: Settings, places: Places
) -> None:
    with (
        pytest.raises(AscoError, match="the connection to Dagster's storage was lost"),
        storage_errors(),
        open_instance(settings, places) as instance,
    ):
        assert instance.get_runs() == []
        os.kill(int((places.postgres / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        for _ in range(50):  # its processes take a moment to end
            instance.get_runs()


@pytest.mark.parametrize("kind", [SourceError, OutOfReachError])
def test_why_a_step_failed_is_reported_once(kind: type[SourceError]) -> None:
    """Dagster tells it twice: of the step, and again of the run; our sentence says more than its cause."""

    @dg.asset
    def broken() -> None:
        raise kind("the cell is empty", file="returns.xlsx", remedy="Fill it in") from OSError(5, "I/O")

    narrator = _Reporter(print, 1)
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.Definitions(assets=[broken], jobs=[dg.define_asset_job("job")]).resolve_job_def("job")
        run_id = "00000000-0000-4000-8000-000000000001"
        instance.add_event_listener(run_id, narrator.follow)
        assert not job.execute_in_process(instance=instance, run_id=run_id, raise_on_error=False).success
    assert narrator.failures == ["file returns.xlsx: the cell is empty. Fill it in."]


def test_a_broken_suite_is_refused_before_a_run_begins(
    settings: Settings, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a matter of configuration, as a broken wave file is: no run, exit 2."""
    shutil.copytree(EXPECTATIONS, tmp_path / "expectations")
    path = tmp_path / "expectations" / "publication" / "pub_asco__cells.json"
    path.write_text(path.read_text().replace('"severity": "critical"', '"severity": "Critical"', 1))
    monkeypatch.setattr(
        suite, "suite_path", lambda asset, _=None: next((tmp_path / "expectations").rglob(f"{asset}.json"))
    )
    with pytest.raises(ConfigurationError) as error:
        run_wave("2014", settings, lambda: build_definitions, inbox=None, say=print)
    assert str(error.value).startswith("file pub_asco__cells.json: expectation 1 (")
    assert "has the severity “Critical”; expected one of critical, warning" in str(error.value)
    assert main.exit_code(error.value) == 2
    with open_instance(settings, places) as instance:
        assert instance.get_runs() == []


def test_a_full_disk_is_one_line_and_another_error_stays_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(number: int) -> Callable[[], None]:
        def command() -> None:
            raise OSError(number, os.strerror(number), "/home/asco/waves")

        return command

    monkeypatch.setattr(main, "app", failing(errno.ENOSPC))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 3
    assert capsys.readouterr().err.startswith(
        "asco: No space left on device: /home/asco/waves. Free some disk"
    )
    monkeypatch.setattr(main, "app", failing(errno.EBADF))
    with pytest.raises(OSError, match="Bad file descriptor"):
        main.main()
