"""The page of a release: one file with map, chart and table in French and English, for a browser offline.

It is made of the released cells, the shapes and the page's parts; nothing of it comes from the network.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asco_dagster.releases.content import Content, themes
from asco_dagster.releases.contract import CELLS, MODELLED, ReleasedFile, contract_of
from asco_dagster.releases.documents import PUBLISHER
from asco_dagster.releases.format import ContentFormat, ReleaseFolder
from asco_dagster.releases.shapes import departements

PATH = "index.html"
PARTS = Path(__file__).parent
NUMBERS = slice(3, 6)  # places of the numbers in COLUMNS
STATUS = 6
COLUMNS = ("geography", "area_code", "size_class", "estimate", "ci_low", "ci_high", "status", "quality_flag")
MODEL_COLUMNS = ("area_code", "estimate", "ci_low", "ci_high", "method", "quality_flag")
_ORDER = {"france": 0, "region": 1, "departement": 2}


def write(content: Content, folder: Path) -> list[ReleasedFile]:
    """Write the page."""
    page = (PARTS / "page.html").read_text(encoding="utf-8")
    # a “</script>” inside a label would end the script that carries the content
    data = json.dumps(_data(content), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    for mark, text in (
        ("STYLE", (PARTS / "page.css").read_text(encoding="utf-8")),
        ("SCRIPT", (PARTS / "page.js").read_text(encoding="utf-8")),
        ("CONTENT", data),
    ):
        page = page.replace(f"/*{mark}*/", text)
    (folder / PATH).write_text(page, encoding="utf-8")
    return [ReleasedFile(PATH)]


def _data(content: Content) -> dict[str, Any]:
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
        "modelled": _modelled(content),
        "shapes": departements(),
    }


def _cells(content: Content) -> dict[str, dict[str, dict[str, list[list[Any]]]]]:
    """Cells by type of unit, indicator (in the order of the questionnaire) and statistic."""
    columns = ["unit_type", "indicator", "statistic", *COLUMNS]
    frame = content.frame(CELLS, columns)
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
    for unit_type, indicator, statistic, *cell in plain[columns].itertuples(index=False, name=None):
        found.setdefault(unit_type, {}).setdefault(indicator, {}).setdefault(statistic, []).append(cell)
    return {
        unit_type: {code: _sorted(statistics) for code, statistics in indicators.items() if statistics}
        for unit_type, indicators in found.items()
    }


def _modelled(content: Content) -> dict[str, dict[str, dict[str, list[list[Any]]]]]:
    """Modelled estimates by type of unit, indicator and statistic."""
    keys = ["unit_type", "indicator", "statistic"]
    rows = content.frame(MODELLED, [*keys, *MODEL_COLUMNS]).astype(object)
    found: dict[str, dict[str, dict[str, list[list[Any]]]]] = {}
    for unit_type, indicator, statistic, *row in rows.itertuples(index=False, name=None):
        found.setdefault(unit_type, {}).setdefault(indicator, {}).setdefault(statistic, []).append(row)
    return found


def _sorted(statistics: dict[str, list[list[Any]]]) -> dict[str, list[list[Any]]]:
    return {name: statistics[name] for name in ("share", "population_share", "total") if name in statistics}


def faults(file: str, release: ReleaseFolder) -> Iterator[str]:
    """Whether it holds the released cells and modelled estimates, suppressed cells without numbers."""
    page, cells = (release.path / file).read_text(encoding="utf-8"), release.rows(contract_of(CELLS))
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.DOTALL)
    held = json.loads(found.group(1)) if found else {}
    rows = _flat(held.get("cells", {}))
    if any(value is not None for cell in rows if cell[3 + STATUS] != "V" for value in cell[3:][NUMBERS]):
        yield f"{file} holds numbers of suppressed cells."
        return
    released = cells[["unit_type", "indicator", "statistic", *COLUMNS]].astype(object)
    expected = set(released.where(released.notna(), None).itertuples(index=False, name=None))
    if len(rows) != len(cells) or set(rows) != expected:
        yield f"{file} does not hold the cells of the release."
    if release.holds(contract_of(MODELLED).parquet):
        models = release.rows(contract_of(MODELLED))
        wanted = models[["unit_type", "indicator", "statistic", *MODEL_COLUMNS]].astype(object)
        shown = _flat(held.get("modelled", {}))
        if len(shown) != len(models) or set(shown) != set(wanted.itertuples(index=False, name=None)):
            yield f"{file} does not hold the modelled estimates of the release."


def _flat(held: dict[str, dict[str, dict[str, list[list[Any]]]]]) -> list[tuple[Any, ...]]:
    """The rows of the page with their keys."""
    return [
        (unit_type, indicator, statistic, *row)
        for unit_type, indicators in held.items()
        for indicator, statistics in indicators.items()
        for statistic, part in statistics.items()
        for row in part
    ]


FORMAT = ContentFormat({PATH: None}, faults, write)
