"""Both ways of reading YAML give the same: LibYAML's, and Python's for faults and for deep nesting."""

from pathlib import Path

import pytest
import yaml

from asco_dagster.errors import ConfigurationError
from asco_dagster.waves.wave import FOLDER, SHIPPED_QUESTIONNAIRES
from asco_dagster.waves.yaml_file import read_yaml


@pytest.mark.parametrize(
    "path", [FOLDER / "2014.yaml", SHIPPED_QUESTIONNAIRES / "2014" / "epci.yaml"], ids=lambda path: path.name
)
def test_a_shipped_file_is_what_pyyaml_reads(path: Path) -> None:
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("depth", [100, 101])
def test_deep_nesting_is_read(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text("[" * depth + "]" * depth)
    content = read_yaml(path)
    for _ in range(depth - 1):
        (content,) = content
    assert content == []


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 200_000], ids=["[", "-", "{"])
def test_nesting_without_end_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="not valid YAML"):
        read_yaml(path)
