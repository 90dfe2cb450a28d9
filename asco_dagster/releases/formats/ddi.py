"""DDI Codebook 2.5 of each questionnaire of the wave, as ``questionnaires.ddi`` describes it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from asco_dagster.questionnaires.ddi import ddi_codebook
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.format import ContentFormat, ReleaseFolder
from asco_dagster.waves.form import UNIT_TYPES

FREQUENCIES = ("<catStat", "<sumStat")  # elements in which DDI gives how often something was answered


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write one codebook a questionnaire."""
    files = []
    (folder / "ddi").mkdir(exist_ok=True)
    questionnaire = load_questionnaire(content.wave.questionnaire)
    for unit_type in UNIT_TYPES:
        path = f"ddi/{questionnaire.identifier(unit_type)}.xml"
        (folder / path).write_bytes(ddi_codebook(content.wave, unit_type))
        files.append(ReleasedFile(path))
    return files


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it is the codebook that it is named after, without frequencies of answers."""
    text = (release.path / file).read_text(encoding="utf-8")
    if f'ID="{PurePosixPath(file).stem}"' not in text:
        yield f"{file} is not the codebook of that questionnaire."
    if any(element in text for element in FREQUENCIES):
        yield f"{file} holds frequencies of answers."


FORMAT = ContentFormat({"ddi/*.xml": None}, faults, write)
