"""A small made-up content: every indicator of 2014 for France, régions, départements and a group of these."""

import pandas as pd
import pyarrow as pa

from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import CELLS, MODELLED, PROFILES, contract_of, released
from asco_dagster.releases.labels import code_labels, labels_frame
from asco_dagster.waves import load_wave

AREAS = [
    ("france", "FR"),
    ("region", "11"),
    ("region", "76"),
    *(("departement", d) for d in ("11", "31")),
]
PARIS = {"commune": ("departement", "75-92"), "epci": ("departement", "75-92-93-94")}  # shown together
NUMBERS = contract_of(CELLS).named("measure")
KEYS = contract_of(CELLS).named("key")


def cells() -> pd.DataFrame:
    """Released cells: every 7th suppressed, every 5th of low precision, every 11th unreliable."""
    wave = load_wave("2014")
    indicators = indicators_table(wave).drop_duplicates(["unit_type", "indicator"])
    rows = []
    for unit, code, kind in indicators[["unit_type", "indicator", "kind"]].itertuples(index=False):
        sizes = [size.code for size in wave.design(unit).size_classes]
        for statistic in ("share", "population_share") if kind == "binary" else ("total",):
            areas = AREAS[:1] if statistic == "population_share" else [*AREAS, PARIS[unit]]
            for geography, area in areas:
                for size in ["total"] if geography == "departement" else ["total", *sizes]:
                    rows.append((unit, code, statistic, geography, area, size))
    frame = pd.DataFrame(sorted(rows), columns=KEYS)
    n = pd.Series(range(len(frame)))
    share = frame["statistic"] != "total"
    frame["estimate"] = (0.1 + (n % 797) / 1000).where(share, 1000.5 + n)
    to_a_point = share & ((frame["statistic"] == "population_share") | (frame["unit_type"] == "epci"))
    frame["estimate"] = frame["estimate"].mask(to_a_point, frame["estimate"].round(2))
    frame["standard_error"] = (0.01 + (n % 13) / 1000).where(share, 10.5)
    frame["ci_low"], frame["ci_high"] = frame["estimate"] * 0.9, frame["estimate"] * 1.1
    frame["cv"] = 0.05
    frame["respondents"] = (20 + n % 50).astype("Int64")
    frame["weighted_units"] = 100.0 + n % 50
    frame["denominator"] = frame["weighted_units"].where(share)
    frame["status"] = ["V" if i % 7 else "c" for i in n]
    frame["quality_flag"] = [
        "unreliable" if i % 11 == 0 else "low_precision" if i % 5 == 0 else "ok" for i in n
    ]
    frame["as_of"] = pd.Series(["1.0.0" if i % 97 == 1 else None for i in n], dtype="string")
    hidden = frame["status"] != "V"
    frame.loc[1, "ci_low"] = 8e-06  # of an area where nearly nobody answers yes
    frame[NUMBERS] = frame[NUMBERS].mask(hidden)
    frame[["quality_flag", "as_of"]] = frame[["quality_flag", "as_of"]].mask(hidden)
    return frame.round(6)


def profiles() -> pd.DataFrame:
    """Profiles of the four départements, with holes."""
    known = pd.DataFrame(
        {
            "departement_code": ["11", "31", "75", "92"],
            "departement_name": ["Aude", "Haute-Garonne", "Paris", "Hauts-de-Seine"],
            "region_code": ["76", "76", "11", "11"],
            "region_name": ["Occitanie", "Occitanie", "Île-de-France", "Île-de-France"],
            "population": [360000, 1300000, 2200000, 1600000],
            "share_75_plus": [0.11, 0.07, 0.08, None],
            "people_75_plus_alone": pd.array([15000, 34000, 71000, None], dtype="Int64"),
            "share_75_plus_alone": [0.375, 0.412, 0.448, None],
            "families_with_children": pd.array([44000, 160000, 215000, None], dtype="Int64"),
            "share_single_parent_families": [0.24, 0.25, 0.29, None],
            "census_year": pd.array([2014, 2014, 2014, None], dtype="Int64"),
        }
    )
    kinds = {"text": "string", "integer": "Int64", "number": "float"}
    return known.assign(
        **{
            column.name: pd.Series(pd.NA, index=known.index, dtype="Int64").astype(kinds[column.kind])
            for column in contract_of(PROFILES).columns
            if column.name not in known
        }
    )


def models() -> pd.DataFrame:
    """Modelled estimates of every share of a département; of suppressed cells without their answers."""
    rows = cells()
    rows = rows[(rows["geography"] == "departement") & (rows["statistic"] == "share")].reset_index(drop=True)
    own = (rows["status"] == "V") & rows["as_of"].isna()
    frame = rows[contract_of(MODELLED).named("key")].assign(
        estimate=(0.3 + (rows.index % 40) / 100).to_numpy().round(2),
        rmse=0.031,
        direct_estimate=rows["estimate"],
        direct_weight=own.map({True: 0.62, False: 0.0}),
        method=own.map({True: "model", False: "synthetic"}),
        quality_flag=["low_precision" if n % 3 else "ok" for n in range(len(rows))],
    )
    frame["ci_low"], frame["ci_high"] = (
        (frame["estimate"] - 0.06).round(2),
        (frame["estimate"] + 0.06).round(2),
    )
    return frame[[column.name for column in contract_of(MODELLED).columns]]


def content(frame: pd.DataFrame | None = None, **more: pd.DataFrame) -> Content:
    """The content of a release of these cells (the made-up ones by default) and of further tables."""
    wave = load_wave("2014")
    labels = code_labels(wave, profiles())
    kinds = indicators_table(wave)[
        ["unit_type", "indicator", "kind", "label_fr", "label_en"]
    ].drop_duplicates()
    tables = {
        "asco_cells": cells() if frame is None else frame,
        "departement_profiles": profiles(),
        "model_estimates": models(),
        "indicators": kinds,
        "labels": labels_frame(labels),
        **more,
    }
    arrow = {stem: pa.Table.from_pandas(rows, preserve_index=False) for stem, rows in tables.items()}
    return Content(wave, {name: released(name, rows) for name, rows in arrow.items()}, labels)


def every_table() -> dict[str, pd.DataFrame]:
    """The tables that not every release has, small: of disclosure and revisions."""
    revision = ("asco_cells", "commune", "ccas", "share", "region", "11", "total", "estimate")
    about = [
        "table",
        "unit_type",
        "indicator",
        "statistic",
        "geography",
        "area_code",
        "size_class",
        "quantity",
    ]
    return {
        "disclosure_summary": pd.DataFrame(
            {
                "unit_type": ["commune"], "statistic": ["share"], "breakdown": ["departement × total"],
                "cells": [101], "released": [99], "suppressed": [2], "value_suppressed_percent": [1.25],
            }
        ),
        "revisions": pd.DataFrame(
            {
                "former_version": ["1.0.0"], **dict(zip(about, ([value] for value in revision), strict=True)),
                "old": [0.5], "new": [None], "change": ["suppressed"], "reason_fr": ["Corrigé ; vérifié"],
                "reason_en": ["Corrected, checked"],
            }
        ).astype({"new": float}),
    }  # fmt: skip
