"""The cross-check: τ-Argus's optimum beside the own suppression, on single tables, by hand or in tests.

τ-Argus protects one table at a time; a release is many that are linked. So both are given the same single
table (values, sensitive cells, protection levels, losses) and nothing else; then τ-Argus's masks are
attacked, each table alone and the two tables of one indicator together, which shows what the links are
worth. Compared are the magnitudes and the counts of respondents. Shares are not: τ-Argus cannot be told that
a share ends at its denominator, and solves an easier table. Nothing released depends on it.

Usage: ``python -m asco_dagster.confidentiality.cross_check WAVE``, after the wave ran (``make cross-check``).
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.confidentiality.tau_argus import optimal_suppression
from asco_dagster.methods.disclosure import DisclosureRules, attack, released
from asco_dagster.methods.disclosure.levels import room_and_levels, targets, weights
from asco_dagster.methods.disclosure.linear import AlternativeTables
from asco_dagster.methods.disclosure.rules import CELL, NUMBERS, TOTAL
from asco_dagster.methods.disclosure.secondary import Table, search
from asco_dagster.methods.disclosure.tables import Layout, column, layout

SECONDS = 300  # for one table


@dataclass(frozen=True)
class Single:
    """One table as both see it: its cells in the layout's order."""

    name: str
    layout: Layout
    cells: pd.DataFrame

    def own(self) -> np.ndarray:
        """The secondary cells that the own programme finds on this table alone."""
        system = AlternativeTables(self.layout.matrix, np.arange(len(self.cells)))
        values, upper = (self.cells[name].to_numpy(float) for name in ("value", "upper"))
        sensitive, up = self.cells["sensitive"].to_numpy(bool), np.full(len(values), np.inf)
        wanted = targets(sensitive, upper, upper, up, values)
        table = Table(self.name, system, up, values, wanted, np.zeros(len(values)))
        return search([table], sensitive, self.cells["loss"].to_numpy(float)).mask & ~sensitive


def single_tables(
    rows: pd.DataFrame, regions: Mapping[str, str], rules: DisclosureRules, name: str
) -> Iterator[Single]:
    """The single tables of one magnitude: areas by size class, and départements below their régions.

    Args:
        rows: one indicator's cells of statistic ``total``, with their primary status and composition.
        regions: département code → région code.
        rules: of the wave.
        name: for messages.
    """
    by_size = rows["geography"] != "departement"
    below = rows["size_class"] == TOTAL
    for kind, part in (("by size class", rows[by_size]), ("by département", rows[below])):
        known = layout(part[list(CELL)].itertuples(index=False, name=None), regions)
        order = known.index()
        place = [order[cell] for cell in part[list(CELL)].itertuples(index=False, name=None)]
        own = part.iloc[np.argsort(place)].reset_index(drop=True)
        sensitive = own["status"].isin(["A", "B"])
        if not sensitive.any() or not (own["geography"] == "france").any():
            continue
        counts = np.array([column(own, which, order) for which in ("respondents", "weighted_units")])
        level = room_and_levels(name, known, rules, own, counts)[2]
        area = own["geography"] + " " + own["area_code"]  # régions and départements share codes
        region = "region " + own["area_code"].map(regions).astype(str)
        within = region.where(own["geography"] == "departement", area[own["geography"] == "france"].iloc[0])
        yield Single(
            f"{name}, {kind}",
            known,
            own.assign(
                area=area,
                within=within.mask(own["geography"] == "france", ""),
                value=own["numerator"],
                loss=weights(rules, counts[1]),
                sensitive=sensitive,
                lower=np.minimum(level, own["numerator"]),
                upper=level,
            ),
        )


def compare(
    rows: pd.DataFrame, regions: Mapping[str, str], rules: DisclosureRules, name: str, seconds: int = SECONDS
) -> list[dict]:
    """One row a single table: what each closes beside the sensitive cells, and what τ-Argus's mask tells.

    Returns:
        ``table``, ``cells``, ``sensitive``, ``tau_cells``, ``own_cells``, ``tau_loss``, ``own_loss``,
        ``tau_broken`` (sensitive values that the attack on this table alone infers), ``tau_broken_linked``
        (the same with both tables of the magnitude at hand) and ``seconds`` of τ-Argus.
    """
    found, masks = [], []
    for table in single_tables(rows, regions, rules, name):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tau = optimal_suppression(table.cells, Path(folder), seconds)
        taken = round(time.perf_counter() - started, 1)
        own, loss = table.own(), table.cells["loss"]
        masked = table.cells.assign(status=table.cells["status"].mask(tau, "D"))
        masks.append(masked)
        found.append(
            {
                "table": table.name,
                "cells": len(masked),
                "sensitive": int(masked["sensitive"].sum()),
                "tau_cells": int(tau.sum()),
                "own_cells": int(own.sum()),
                "tau_loss": round(float(loss[tau].sum()), 1),
                "own_loss": round(float(loss[own].sum()), 1),
                "tau_broken": _broken(masked, regions, rules),
                "seconds": taken,
            }
        )
    if masks:
        # a cell that stands in both tables is hidden only where both hide it
        both = pd.concat(masks).sort_values("status", key=lambda s: s != "V", kind="stable")
        linked = _broken(both.drop_duplicates(list(CELL)), regions, rules)
        found = [{**row, "tau_broken_linked": linked} for row in found]
    return found


def _broken(cells: pd.DataFrame, regions: Mapping[str, str], rules: DisclosureRules) -> int:
    """Sensitive values that can be inferred exactly or within their protection interval."""
    breaches = attack(released(cells), regions, rules).breaches()
    return int(((breaches["quantity"] == "estimate") & breaches["status"].isin(["A", "B"])).sum())


def magnitudes(cells: pd.DataFrame, rules: DisclosureRules) -> Iterator[tuple[str, pd.DataFrame]]:
    """The magnitudes of a wave and, once a type of unit, its respondents as one."""
    primary = cells.assign(status=cells["status"].where(cells["status"].isin(["A", "B"]), "V"))
    for unit_type, units in primary.groupby("unit_type", sort=True):
        for indicator, rows in units[units["statistic"] == "total"].groupby("indicator", sort=True):
            yield f"{unit_type}, {indicator}", rows
        first = units[units["indicator"] == units["indicator"].min()].drop_duplicates(list(CELL))
        few = np.where(first["respondents"] < rules.threshold, "A", "V")
        counted = first.assign(numerator=first["respondents"].astype(float), status=few, statistic="total")
        yield f"{unit_type}, respondents", counted.assign(estimate=counted["numerator"], largest=1.0)


def main(wave_name: str) -> int:
    """Compare every magnitude of a wave, print the table and keep it beside the wave's database."""
    from asco_dagster.confidentiality.released import rules_of
    from asco_dagster.places import Places
    from asco_dagster.settings import Settings
    from asco_dagster.warehouse import open_database, read_table
    from asco_dagster.waves import load_wave

    wave, places = load_wave(wave_name), Places.of(Settings.from_environment())
    with open_database(places.database(wave_name), read_only=True) as database:
        cells = read_table(database, "sec_asco__cells")
        areas = read_table(database, "est_profile__departements", ["departement_code", "region_code"])
    regions, rules = dict(areas.itertuples(index=False, name=None)), rules_of(wave)
    rows = []
    for name, table in magnitudes(cells.dropna(subset=list(NUMBERS[:1])), rules):
        rows += compare(table, regions, rules, name)
        print(f"{name}: done", file=sys.stderr)
    told = pd.DataFrame(rows)
    target = places.wave(wave_name) / "cross_check.csv"
    told.to_csv(target, index=False)
    print(told.to_string(index=False))
    both = told[["tau_cells", "own_cells", "tau_loss", "own_loss"]].sum().round(1).to_dict()
    print(f"{len(told)} tables, in all {both}; kept in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
