"""A version of the questionnaire: the files of its folder, read and checked together.

``commune.yaml`` and ``epci.yaml`` say what each type of unit is asked, ``indicators.yaml`` what is estimated
from the answers. Each may be based on the file of the same name of another version.
"""

import functools
from pathlib import Path
from typing import Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.coherence import check_codebook, check_indicators
from asco_dagster.questionnaires.indicators import Catalogue, Indicator
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.waves.form import UNIT_TYPES, Form, UnitType
from asco_dagster.waves.wave import questionnaire_folder
from asco_dagster.waves.yaml_file import read_yaml, validated


class Questionnaire(Form):
    """A version of the questionnaire.

    Attributes:
        name: its folder, for example ``2014``.
        codebooks: what each type of unit is asked.
        indicators: what is estimated of each type of unit.
    """

    name: str
    codebooks: dict[str, Codebook]
    indicators: dict[str, list[Indicator]]

    def identifier(self, unit_type: UnitType) -> str:
        """How a document names the questionnaire of a type of unit, for example ``commune_2014``."""
        return f"{unit_type}_{self.name}"


def load_questionnaire(name: str, folder: Path | None = None) -> Questionnaire:
    """Read a version of the questionnaire.

    Args:
        name: its folder, as the key ``questionnaire`` of a wave file gives it.
        folder: where the wave files are; None means those of the installation.

    Raises:
        ConfigurationError: a file is missing or has a fault; names the file, the key and the remedy.
    """
    return _load(name, folder)


@functools.lru_cache
def _load(name: str, folder: Path | None) -> Questionnaire:
    codebooks: dict[str, Codebook] = {one: _codebook(name, one, folder) for one in UNIT_TYPES}
    path, content = _content(name, "indicators.yaml", folder)
    catalogue = validated(Catalogue, content, path)
    indicators = {"commune": catalogue.commune, "epci": catalogue.epci}
    for unit_type, codebook in codebooks.items():
        check_indicators(indicators[unit_type], codebook, path)
    return Questionnaire(name=name, codebooks=codebooks, indicators=indicators)


def _codebook(name: str, unit_type: UnitType, folder: Path | None) -> Codebook:
    path, content = _content(name, f"{unit_type}.yaml", folder)
    codebook = validated(Codebook, content, path)
    if codebook.questionnaire != unit_type:
        raise ConfigurationError(
            f"key questionnaire says “{codebook.questionnaire}”",
            file=path,
            expected=f"“{unit_type}”, as the file's name",
            remedy="Correct this key, or rename the file",
        )
    check_codebook(codebook, path)
    return codebook


def _content(name: str, file: str, folder: Path | None) -> tuple[Path, Any]:
    """Path and content of a file of a version, with the keys of the version that it is based on."""
    path = questionnaire_folder(name, folder) / file
    content = read_yaml(path)
    if not isinstance(content, dict) or "based_on" not in content:
        return path, content
    base = questionnaire_folder(str(content.pop("based_on")), folder, named_in=path) / file
    inherited = read_yaml(base)
    if not isinstance(inherited, dict) or "based_on" in inherited:
        raise ConfigurationError(
            f"key based_on names version {base.parent.name}, which is itself based on another",
            file=path,
            expected="a version whose file says everything",
            remedy="Name the version that it is based on",
        )
    return path, {**inherited, **content}
