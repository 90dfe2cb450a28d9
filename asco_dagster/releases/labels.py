"""Labels of every code in the released tables, in French and English.

From the wave's codebook, its size classes and the names of its territory; what no source names (levels,
statuses, flags) is here. Labels of columns are in ``tables.yaml``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asco_dagster.questionnaires.tables import indicators_table
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import pandas as pd

Labels = Mapping[str, Mapping[str, tuple[str, str]]]

FIXED = {
    "unit_type": {
        "commune": ("Communes", "Communes"),
        "epci": ("Intercommunalités (EPCI)", "Intermunicipal bodies (EPCI)"),
    },
    "statistic": {
        "share": ("Part des collectivités", "Share of bodies"),
        "population_share": ("Part de la population", "Share of the population"),
        "total": ("Total", "Total"),
    },
    "geography": {
        "france": ("France", "France"),
        "region": ("Région", "Région"),
        "departement": ("Département", "Département"),
    },
    "status": {
        "V": ("Diffusée", "Released"),
        "c": ("Secret statistique", "Suppressed (statistical confidentiality)"),
    },
    "quality_flag": {
        "ok": ("Précise", "Precise"),
        "low_precision": ("Précision faible", "Low precision"),
        "unreliable": ("Peu fiable", "Unreliable"),
    },
}


def code_labels(wave: Wave, profiles: "pd.DataFrame") -> Labels:
    """Labels by dimension and code: (French, English).

    Args:
        wave: the wave.
        profiles: ``departement_code``, ``departement_name``, ``region_code``, ``region_name``.

    Returns:
        One mapping a dimension. Codes of régions and départements overlap (``11`` is both Île-de-France
        and Aude), so an area's is ``geography:code``; an indicator's is ``unit_type:indicator``, since its
        label names who answers.
    """
    indicators = indicators_table(wave).drop_duplicates(["unit_type", "indicator"])
    areas = {"france:FR": ("France", "France")}
    for row in profiles.sort_values("departement_code").to_dict("records"):
        areas[f"region:{row['region_code']}"] = (str(row["region_name"]),) * 2
        areas[f"departement:{row['departement_code']}"] = (str(row["departement_name"]),) * 2
    for group in wave.disclosure.recoding:
        areas[f"{group.geography}:{group.code}"] = (group.label.fr, group.label.en)
    return {
        **FIXED,
        "indicator": {
            f"{row['unit_type']}:{row['indicator']}": (str(row["label_fr"]), str(row["label_en"]))
            for row in indicators.to_dict("records")
        },
        "area_code": areas,
        "size_class": size_labels(wave),
    }


def size_labels(wave: Wave) -> dict[str, tuple[str, str]]:
    """Labels of the size classes, from their bounds in the wave file."""
    labels = {"total": ("Ensemble", "All sizes")}
    for unit_type in ("commune", "epci"):
        classes = sorted(wave.design(unit_type).size_classes, key=lambda size: size.from_population)
        above = [*(size.from_population for size in classes[1:]), None]
        for size, end in zip(classes, above, strict=True):
            labels[size.code] = _size(size.from_population, end)
    return labels


def _size(start: int, end: int | None) -> tuple[str, str]:
    if end is None:
        return f"{_french(start)} habitants et plus", f"{start:,} inhabitants and more"
    if start == 0:
        return f"Moins de {_french(end)} habitants", f"Fewer than {end:,} inhabitants"
    return f"{_french(start)} à {_french(end - 1)} habitants", f"{start:,} to {end - 1:,} inhabitants"


def _french(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def labels_frame(labels: Labels) -> "pd.DataFrame":
    """The labels as rows: ``dimension``, ``code``, ``label_fr``, ``label_en``."""
    import pandas as pd

    rows = [
        (dimension, code, fr, en) for dimension, codes in labels.items() for code, (fr, en) in codes.items()
    ]
    return pd.DataFrame(rows, columns=["dimension", "code", "label_fr", "label_en"])


def labels_from(rows: "pd.DataFrame") -> Labels:
    """The labels that rows as of ``labels_frame`` hold, such as those of a released table of labels."""
    labels: dict[str, dict[str, tuple[str, str]]] = {}
    for row in rows.itertuples(index=False):
        labels.setdefault(str(row.dimension), {})[str(row.code)] = (str(row.label_fr), str(row.label_en))
    return labels


def french_labels(frame: "pd.DataFrame", labels: Labels) -> "dict[str, pd.Series]":
    """French labels of the coded columns of a released table, row by row.

    Args:
        frame: the table.
        labels: labels by dimension and code.
    """
    return {
        column: codes.map({code: french for code, (french, _) in labels[column].items()})
        for column in frame.columns
        if column in labels
        for codes in [_codes(frame, column)]
        if codes is not None
    }


def _codes(frame: "pd.DataFrame", column: str) -> "pd.Series | None":
    """Codes as the labels know them; None where the table lacks the column that completes them."""
    completed_by = {"area_code": "geography", "indicator": "unit_type"}.get(column)
    if completed_by is None:
        return frame[column]
    return frame[completed_by] + ":" + frame[column] if completed_by in frame.columns else None
