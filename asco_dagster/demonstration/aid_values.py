"""Invented values of the *Aide sociale* survey: one array a table of ``aid_tables.yaml``."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from asco_dagster.demonstration.frame import Territory, departement_populations

CATALOGUE = Path(__file__).parent / "aid_tables.yaml"
REFERENCE_YEAR = 2014

Workbook = Literal["beneficiaries", "spending", "staff"]
# Decimals that each workbook's values are rounded to; full-time equivalents have one.
_DECIMALS = {"beneficiaries": 0, "spending": 5, "staff": 0}


@dataclass(frozen=True)
class AidTable:
    """One table of a workbook.

    Attributes:
        sheet: name of the sheet, blanks included.
        title: its first row.
        region_title: title of its second block; None where there is none.
        years: the years of its columns.
        header_row: row of its first header, from 1.
        region_header_row: row of its second header; None follows the first at the usual distance.
        values: (départements, years), départements in the order of :func:`departement_populations`.
    """

    sheet: str
    title: str
    region_title: str | None
    years: tuple[int, ...]
    header_row: int
    region_header_row: int | None
    values: np.ndarray


def aid_tables(workbook: Workbook, territory: Territory, seed: int) -> list[AidTable]:
    """All tables of a workbook.

    A value is the table's rate per 1,000 inhabitants × inhabitants × a factor of the département that the
    tables of a domain share × the trend × noise. A table that sums others is their sum exactly.

    Args:
        workbook: which one.
        territory: whose inhabitants bear the rates.
        seed: seed of the noise.

    Returns:
        The tables in the order of the workbook.
    """
    table = departement_populations(territory)
    population = table["population"].to_numpy(dtype=float)
    entries = _catalogue()[workbook]
    made: dict[str, np.ndarray] = {}
    for entry in sorted(entries, key=lambda entry: _depth(entry, entries)):
        made[entry["sheet"]] = _values(entry, population, made, workbook, seed)
    return [
        AidTable(
            sheet=entry["sheet"],
            title=entry["title"],
            region_title=entry.get("region_title"),
            years=tuple(_years(entry)),
            header_row=entry["header_row"],
            region_header_row=entry.get("region_header_row"),
            values=made[entry["sheet"]],
        )
        for entry in entries
    ]


@functools.lru_cache
def _catalogue() -> dict[str, list[dict[str, Any]]]:
    return yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))


def _years(entry: dict[str, Any]) -> range:
    return range(entry["years"][0], entry["years"][1] + 1)


def _depth(entry: dict[str, Any], entries: list[dict[str, Any]]) -> int:
    """How many levels of sums a table has below it: parts come before what sums them."""
    parts = [part for part in entries if part["sheet"] in entry.get("sum_of", [])]
    return 1 + max((_depth(part, entries) for part in parts), default=-1)


def _values(
    entry: dict[str, Any], population: np.ndarray, made: dict[str, np.ndarray], workbook: Workbook, seed: int
) -> np.ndarray:
    decimals = 1 if entry["sheet"].startswith("etp") else _DECIMALS[workbook]
    generator = np.random.default_rng([seed, 3, *entry["sheet"].encode()])
    if "sum_of" in entry:
        total = np.sum([made[part] for part in entry["sum_of"]], axis=0)
        share = entry.get("share", 1.0)
        if share != 1.0:
            total = total * np.clip(generator.normal(share, 0.01, total.shape), 0.0, 1.0)
        return np.round(total, decimals)
    domain = entry["sheet"].strip().split("-")[-1 if workbook == "beneficiaries" else 0].split(" ")[0]
    factor = np.random.default_rng([seed, 4, *domain.encode()]).lognormal(0.0, 0.22, len(population))
    of_table = generator.lognormal(0.0, 0.10, len(population))
    years = np.array(_years(entry))
    middle = REFERENCE_YEAR if REFERENCE_YEAR in years else int(years.mean())
    trend = (1.0 + entry["growth"]) ** (years - middle)
    noise = generator.normal(1.0, 0.025, (len(population), len(years)))
    level = entry["rate"] / 1000 * population * factor * of_table
    return np.round(level[:, None] * trend * noise, decimals)
