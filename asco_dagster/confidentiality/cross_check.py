"""The cross-check: τ-Argus's optimum beside this project's suppression, on single tables.

τ-Argus protects one table at a time; a release is many that are linked. So both are given the same single
table (values, sensitive cells, protection levels, losses) and nothing else; then τ-Argus's masks are
attacked, each table alone and the two tables of one indicator together, which shows what the sums between
them are worth. Compared are the magnitudes. Shares are not: τ-Argus cannot be given that a share ends at its
denominator, and solves an easier table. Nothing released depends on it.

Usage: ``python -m asco_dagster.confidentiality.cross_check WAVE``, after the wave ran (``make cross-check``).
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.confidentiality.tau_argus import optimal_suppression
from asco_dagster.methods.disclosure.areas import AreaGroup, Areas, Layout, is_released, layout
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.family import Family, Table
from asco_dagster.methods.disclosure.masks import Target, search
from asco_dagster.methods.disclosure.moves import System
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import released
from asco_dagster.methods.disclosure.rules import CELL, TOTAL, DisclosureRules

SECONDS = 300  # for one table
_NEVER = 1e5  # loss of a cell that the suppression may not close


@dataclass(frozen=True)
class Single:
    """One table as both see it.

    Args:
        name: for messages.
        layout: its cells and sums.
        cells: one row per cell, in the layout's order, with the columns of ``optimal_suppression``.
    """

    name: str
    layout: Layout
    cells: pd.DataFrame

    def suppressed(self) -> np.ndarray:
        """The secondary cells that this project's search finds on this table alone; shape (cells,)."""
        values, loss, lower, upper = (
            self.cells[name].to_numpy(float) for name in ("value", "loss", "lower", "upper")
        )
        sensitive, size = self.cells["sensitive"].to_numpy(bool), len(values)
        none = sparse.csr_matrix((0, size))
        sums = sparse.csr_matrix(self.layout.matrix)
        system = System(values, np.full(size, np.inf), values, sums, none, np.zeros(0))
        targets = [
            Target(one, move)
            for one in map(int, np.flatnonzero(sensitive))
            for move in (float(upper[one]), -float(min(lower[one], values[one])))
            if move
        ]
        return search(system, targets, sensitive, loss).closed & ~sensitive


def single_tables(rows: pd.DataFrame, areas: Areas, rules: DisclosureRules, name: str) -> Iterator[Single]:
    """The single tables of one magnitude: areas by size class, and départements below their régions.

    Args:
        rows: one indicator's cells of statistic ``total``, with their primary status and composition.
        areas: the public geography.
        rules: of the wave.
        name: for messages.
    """
    merged = _merged(rows[rows["geography"] != "departement"], areas, rules)
    for kind, part, public in (
        ("by size class", merged, Areas(areas.regions)),
        ("by département", rows[rows["size_class"] == TOTAL], areas),
    ):
        known = layout(zip(*(part[key] for key in CELL), strict=True), public)
        order = known.index()
        place = [order[cell] for cell in zip(*(part[key] for key in CELL), strict=True)]
        ordered = part.iloc[np.argsort(place)].reset_index(drop=True)
        sensitive = ordered["status"].isin(["A", "B"])
        if sensitive.any() and (ordered["geography"] == "france").any():
            yield Single(f"{name}, {kind}", known, _given(ordered, known, public, rules))


def _merged(rows: pd.DataFrame, areas: Areas, rules: DisclosureRules) -> pd.DataFrame:
    """France and régions by size class, with one total for régions that are shown together."""
    for group in areas.groups:
        inside = rows["area_code"].isin(group.areas) & (rows["geography"] == group.geography)
        if not inside.any():
            continue
        largest = [name for name in ("largest", "largest_weighted", "second_largest") if name in rows]
        sums = ["respondents", "weighted_units", "positive_respondents", "numerator", "denominator"]
        total = (
            rows[inside]
            .iloc[[0]]
            .assign(
                area_code=group.code,
                **{name: rows.loc[inside, name].sum() for name in sums},
                **{name: rows.loc[inside, name].max() for name in largest},
            )
        )
        judged = primary(total.drop(columns=["status", "reason"], errors="ignore"), rules)
        rows = pd.concat([rows[~inside], judged], ignore_index=True)
    return rows


def _given(cells: pd.DataFrame, known: Layout, areas: Areas, rules: DisclosureRules) -> pd.DataFrame:
    """The rows of a table with what both are given beside them."""
    table = Table.of(cells.drop(columns=["published_in"], errors="ignore"), known, "cross-check")
    up, down = table.level(rules)
    cost = Family.of(str(cells["unit_type"].iloc[0]), known, [table], [], rules).cost
    area = cells["geography"] + " " + cells["area_code"]  # régions and départements share codes
    whole = str(area[cells["geography"] == "france"].iloc[0])
    within = {
        ("departement", code): f"region {areas.region_of(code)}"
        for code in cells.loc[cells["geography"] == "departement", "area_code"]
    }
    return cells.assign(
        area=area,
        within=[
            "" if place[0] == "france" else within.get(place, whole)
            for place in zip(cells["geography"], cells["area_code"], strict=True)
        ],
        value=table.values,
        loss=np.where(np.isfinite(cost), cost, _NEVER),
        sensitive=cells["status"].isin(["A", "B"]),
        lower=np.minimum(down, table.values),
        upper=up,
    )


def compare(
    rows: pd.DataFrame, areas: Areas, rules: DisclosureRules, name: str, seconds: int = SECONDS
) -> list[dict]:
    """One row per single table: what each closes beside the sensitive cells, and what is left to infer.

    Returns:
        ``table``, ``cells``, ``sensitive``, ``tau_cells``, ``own_cells``, ``tau_loss``, ``own_loss``,
        ``tau_broken`` (sensitive values that the attack on this table alone infers), ``tau_broken_linked``
        (the same with both tables of the magnitude at hand) and ``seconds`` of τ-Argus.
    """
    found, masks = [], []
    for table in single_tables(rows, areas, rules, name):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tau = optimal_suppression(table.cells, Path(folder), seconds)
        taken = round(time.perf_counter() - started, 1)
        ours, loss = table.suppressed(), table.cells["loss"]
        masked = table.cells.assign(status=table.cells["status"].mask(tau, "D"))
        masks.append(masked)
        found.append(
            {
                "table": table.name,
                "cells": len(masked),
                "sensitive": int(masked["sensitive"].sum()),
                "tau_cells": int(tau.sum()),
                "own_cells": int(ours.sum()),
                "tau_loss": round(float(loss[tau].sum()), 1),
                "own_loss": round(float(loss[ours].sum()), 1),
                "tau_broken": _broken(masked, Areas(areas.regions, _departements(areas)), rules),
                "seconds": taken,
            }
        )
    if masks:
        # a cell that is in both tables is hidden only where both hide it
        both = pd.concat(masks).sort_values("status", key=lambda s: s != "V", kind="stable")
        both = both.drop_duplicates(list(CELL))
        linked = _broken(both[is_released(both, areas)], areas, rules)
        found = [{**row, "tau_broken_linked": linked} for row in found]
    return found


def _departements(areas: Areas) -> tuple[AreaGroup, ...]:
    return tuple(group for group in areas.groups if group.geography == "departement")


def _broken(cells: pd.DataFrame, areas: Areas, rules: DisclosureRules) -> int:
    """Sensitive values that anyone can infer exactly or within their protection interval."""
    public = dict.fromkeys(cells["unit_type"].unique(), areas)
    breaches = attack(released(cells), public, rules, truth=cells).breaches()
    return int((breaches["status"].isin(["A", "B"]) & (breaches["by"] == "anyone")).sum())


def magnitudes(cells: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The magnitudes of a wave with their primary status alone: unit type, name, rows."""
    judged = cells.assign(status=cells["status"].where(cells["status"].isin(["A", "B"]), "V"))
    judged = judged[judged["statistic"] == "total"]
    for (unit_type, indicator), rows in judged.groupby(["unit_type", "indicator"], sort=True):
        yield str(unit_type), f"{unit_type}, {indicator}", rows


def main(wave_name: str) -> int:
    """Compare every magnitude of a wave, print the table and keep it beside the wave's database."""
    from asco_dagster.releases.disclosure import areas_of, rules_of
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.warehouse import open_database, read_table
    from asco_dagster.waves import load_wave

    wave, places = load_wave(wave_name), Places.of(Settings.from_environment())
    with open_database(places.database(wave_name), read_only=True) as database:
        cells = read_table(database, "sec_asco__cells")
        areas, rules = areas_of(database, wave), rules_of(wave)
    rows = []
    for unit_type, name, table in magnitudes(cells):
        rows += compare(table, areas[unit_type], rules, name)
        print(f"{name}: done", file=sys.stderr)
    comparison = pd.DataFrame(rows)
    target = places.wave(wave_name) / "cross_check.csv"
    comparison.to_csv(target, index=False)
    print(comparison.to_string(index=False))
    both = comparison[["tau_cells", "own_cells", "tau_loss", "own_loss"]].sum().round(1).to_dict()
    print(f"{len(comparison)} tables, in all {both}; kept in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
