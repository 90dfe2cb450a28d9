"""A process that serves pages reads a wave file again once it is edited."""

import shutil
from pathlib import Path

from asco_dagster.waves import readable_waves
from asco_dagster.waves.wave import FOLDER


def test_an_edited_wave_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "2014.yaml"
    shutil.copyfile(FOLDER / file.name, file)
    assert [wave.wave for wave in readable_waves(tmp_path).waves] == ["2014"]
    with file.open("a") as opened:
        opened.write("unknown_key: 3\n")
    assert "key unknown_key: unknown key" in readable_waves(tmp_path).faults[file.name]
