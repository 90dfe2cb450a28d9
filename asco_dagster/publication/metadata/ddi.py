"""DDI Codebook 2.5 of each questionnaire of the wave, as ``questionnaires.ddi`` describes it."""

from pathlib import Path

from asco_dagster.publication.content import Content
from asco_dagster.questionnaires.ddi import ddi_codebook
from asco_dagster.releases.contract import ReleasedFile


def write_ddi(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write one codebook a questionnaire."""
    files = []
    (folder / "ddi").mkdir(exist_ok=True)
    for unit_type in sorted(content.wave.questionnaires):
        path = f"ddi/{content.wave.questionnaires[unit_type]}.xml"
        (folder / path).write_bytes(ddi_codebook(content.wave, unit_type))
        files.append(ReleasedFile(path))
    return files
