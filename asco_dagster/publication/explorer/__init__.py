"""The page of a release: one file with map, chart and table in French and English, for a browser offline.

Belongs here: putting the released cells, the shapes and the page's parts together. It uses the released
tables only, and nothing of it comes from the network. What does not belong here: the quality report.
"""

import json
from pathlib import Path
from typing import Any

from asco_dagster.publication.content import Content, themes
from asco_dagster.publication.metadata.documents import PUBLISHER
from asco_dagster.releases.contract import ReleasedFile

PATH = "index.html"
PARTS = Path(__file__).parent
SHAPES = Path(__file__).parents[1] / "shapes" / "departements.json"
COLUMNS = ("geography", "area_code", "size_class", "estimate", "ci_low", "ci_high", "status", "quality_flag")
_ORDER = {"france": 0, "region": 1, "departement": 2}


def write_explorer(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the page.

    Args:
        content: the released content.
        folder: the release folder.
    """
    page = (PARTS / "page.html").read_text(encoding="utf-8")
    # a “</script>” inside a label would end the script that carries the content
    told = json.dumps(_told(content), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    for mark, text in (
        ("STYLE", (PARTS / "page.css").read_text(encoding="utf-8")),
        ("SCRIPT", (PARTS / "page.js").read_text(encoding="utf-8")),
        ("CONTENT", told),
    ):
        page = page.replace(f"/*{mark}*/", text)
    (folder / PATH).write_text(page, encoding="utf-8")
    return [ReleasedFile(PATH)]


def _told(content: Content) -> dict[str, Any]:
    wave = content.wave
    source = "Source : {} – ASCO {}. Licence Ouverte 2.0."
    return {
        "wave": wave.wave,
        "title": [wave.release.title.fr, wave.release.title.en],
        "label": [wave.label.fr, wave.label.en],
        "source": [source.format(PUBLISHER, wave.wave), source.format("DREES", wave.wave).replace(" :", ":")],
        "labels": {dimension: dict(codes) for dimension, codes in content.labels.items()},
        "groups": {
            unit_type: {
                group.code: group.areas
                for group in wave.disclosure.recoding
                if group.geography == "departement" and unit_type in group.unit_types
            }
            for unit_type in ("commune", "epci")
        },
        "cells": _cells(content),
        "shapes": json.loads(SHAPES.read_text(encoding="utf-8")),
    }


def _cells(content: Content) -> dict[str, dict[str, dict[str, list[list[Any]]]]]:
    """Cells by type of unit, indicator (in the order of the questionnaire) and statistic."""
    frame = content.frame("asco_cells")
    # all sizes before each of them, France before its parts
    order = frame["geography"].map(_ORDER).rename("level")
    first = (frame["size_class"] != "total").rename("part")
    frame = frame.assign(level=order, part=first)
    frame = frame.sort_values(["level", "area_code", "part", "size_class"], kind="stable")
    plain = frame.astype(object).where(frame.notna(), None)
    found: dict[str, dict[str, dict[str, list[list[Any]]]]] = {}
    for theme in themes(content.wave):
        for indicator in theme.indicators:
            found.setdefault(theme.unit_type, {}).setdefault(indicator, {})
    columns = ["unit_type", "indicator", "statistic", *COLUMNS]
    for unit_type, indicator, statistic, *cell in plain[columns].itertuples(index=False, name=None):
        found.setdefault(unit_type, {}).setdefault(indicator, {}).setdefault(statistic, []).append(cell)
    return {
        unit_type: {code: _sorted(own) for code, own in indicators.items() if own}
        for unit_type, indicators in found.items()
    }


def _sorted(statistics: dict[str, list[list[Any]]]) -> dict[str, list[list[Any]]]:
    return {name: statistics[name] for name in ("share", "population_share", "total") if name in statistics}
