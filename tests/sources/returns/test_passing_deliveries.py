"""Returns from an address: read like any others, and gone when the step is done, even one that was killed."""

import contextlib
import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from asco_dagster.connectors.fetch import temporary_folder
from asco_dagster.settings import Settings
from asco_dagster.sources.returns.assets import within_reach
from asco_dagster.sources.returns.reading import Delivered
from asco_dagster.storage.places import Places
from asco_dagster.waves import load_wave
from asco_dagster.waves.wave import Delivery
from asco_testing.sources.made_returns import UNIT, workbook, zipped


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is printed into the test's output."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    zipped(served / "returns.zip", {"one.xlsx": workbook(UNIT)})
    handler = functools.partial(_Silent, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/returns.zip"
        server.shutdown()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_returns_from_an_address_stay_no_longer_than_the_step(address: str, tmp_path: Path) -> None:
    places = Places(tmp_path / "home")
    wave = load_wave("2014")
    delivery = Delivery(address=address, vintage=2014)
    with contextlib.ExitStack() as afterwards:
        delivered, told = within_reach(
            delivery, "commune", wave, places, Settings(home=places.home), afterwards
        )
        assert isinstance(delivered, Delivered)
        assert told["bytes"] == delivered.path.stat().st_size
        assert delivered.path.is_relative_to(places.downloads("2014"))
    assert _files(places.home) == []


def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, pathlib\n"
        "from asco_dagster.connectors.fetch import temporary_folder\n"
        "with temporary_folder(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'returns.zip').write_bytes(b'contact')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(_files(tmp_path)) == 1
    with temporary_folder(tmp_path) as one, temporary_folder(tmp_path) as other:
        assert one != other and one.is_dir() and other.is_dir()
        assert _files(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
