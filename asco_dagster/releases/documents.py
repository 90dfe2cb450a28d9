"""JSON documents of a release, always the same bytes, and what several standards share."""

import json
from pathlib import Path
from typing import Any

from asco_dagster.releases.contract import ReleasedFile

LICENCE_DOCUMENT = "https://spdx.org/licenses/etalab-2.0"
PUBLISHER = "Direction de la recherche, des études, de l'évaluation et des statistiques (DREES)"
HOMEPAGE = "https://drees.solidarites-sante.gouv.fr/"
FRANCE = "http://publications.europa.eu/resource/authority/country/FRA"


def write_json(folder: Path, path: str, content: Any) -> ReleasedFile:
    """Write a document as JSON, its keys in the order given."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return ReleasedFile(path)


def both(fr: str, en: str) -> list[dict[str, str]]:
    """A text in both languages, as JSON-LD says it."""
    return [{"@language": "fr", "@value": fr}, {"@language": "en", "@value": en}]
