"""The quality report as one self-contained HTML page: French and English, no network, no clock, no script
but the one that changes its language. Its words are in ``page.html.j2`` and ``names.yaml``.
"""

import base64
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup, escape

from asco_dagster.publication.quality_report import drawings
from asco_dagster.publication.quality_report.versions import Versions
from asco_dagster.releases.shapes import departements
from asco_dagster.waves import Wave

_FOLDER = Path(__file__).parent
WORST = 12  # questions and indicators shown: those with the highest rates
RESPONSE_LIMITS = (0.6, 0.7, 0.75, 0.8)
OPEN_LIMITS = (0.2, 0.4, 0.6, 0.8)
STATUS_COLOURS = {"V": drawings.BLUES[3], "c": "#d9d9d9"}


def render(
    wave: Wave,
    indicators: pd.DataFrame,
    published: pd.DataFrame,
    gates: Sequence[Mapping[str, Any]],
    questions: pd.DataFrame,
    versions: Versions,
    openness: Sequence[Mapping[str, Any]],
    modelled: Sequence[Mapping[str, Any]],
    *,
    results: bool,
) -> str:
    """Write the page.

    Args:
        wave: the wave.
        indicators: the table of ``indicators.quality_indicators``.
        published: the table of ``indicators.published_beside_estimates``.
        gates: results of the gates, as ``gates.GateResult.write`` keeps them, in order.
        questions: ``unit_type``, ``code``, ``label_fr``, ``label_en`` of questions and of indicators.
        versions: what each public version says of France.
        openness: rows of ``openness.open_by_level``.
        modelled: rows of ``modelled.modelled_beside_direct``.
        results: show estimates and revisions; not on a page that is served before the day of the release.

    Returns:
        The HTML.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number, "both": both}
    figures = Figures(indicators)
    return environment.get_template("page.html.j2").render(
        wave=wave,
        results=results,
        figures=figures,
        names=names(),
        style=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (a file of this package)
        script=Markup((_FOLDER / "page.js").read_text(encoding="utf-8")),  # noqa: S704 (a file of this package)
        published=[row for row in published.to_dict("records") if row["estimate"] == row["estimate"]],
        hidden=int(published["estimate"].isna().sum()),
        gates=[_gate(gate) for gate in gates],
        worst_questions=_worst(figures, "item_nonresponse", "question", questions),
        worst_indicators=_worst(figures, "imputation", "indicator", questions),
        maps=_maps(figures, wave),
        curve=drawings.curves(_collection(figures), "curve-title"),
        swatch=drawings.swatch,
        attribution=departements()["attribution"],
        statuses=_statuses(figures),
        public=versions,
        openness=openness,
        modelled=modelled,
        changes=drawings.dots(_moved(versions), "changes-title"),
        colours=STATUS_COLOURS,
    )


class Figures:
    """The indicators, asked for one by one."""

    def __init__(self, indicators: pd.DataFrame) -> None:
        keys = ["concept", "indicator", "unit_type", "breakdown", "category"]
        self._values = {tuple(row[:5]): float(row[5]) for row in indicators[[*keys, "value"]].values.tolist()}

    def get(
        self,
        concept: str,
        indicator: str,
        unit_type: str = "all",
        breakdown: str = "total",
        category: str = "",
    ) -> float | None:
        """One value, or None where there is none."""
        return self._values.get((concept, indicator, unit_type, breakdown, category))

    def by(self, concept: str, indicator: str, unit_type: str, breakdown: str) -> dict[str, float]:
        """Values of a breakdown by category, in order of category."""
        wanted = (concept, indicator, unit_type, breakdown)
        return {key[4]: value for key, value in sorted(self._values.items()) if key[:4] == wanted}


@functools.cache
def names() -> dict[str, Any]:
    """Words for codes, in both languages."""
    return dict(yaml.safe_load((_FOLDER / "names.yaml").read_text(encoding="utf-8")))


def both(french: object, english: object | None = None) -> Markup:
    """A text in both languages, of which the page shows one."""
    one, other = escape(french), escape(french if english is None else english)
    if one == other:
        return Markup(one)  # noqa: S704 (escaped)
    return Markup(f'<span lang="fr">{one}</span><span lang="en">{other}</span>')  # noqa: S704 (escaped)


def percent(value: float | None, decimals: int = 1) -> Markup:
    """A share as per cent in both languages; a dash without a value."""
    if value is None or value != value:
        return Markup("–")
    text = f"{100 * value:.{decimals}f}"
    if decimals == 0 and 0 < 100 * value < 0.5:
        return both("< 1 %", "< 1%")
    return both(f"{text.replace('.', ',')} %", f"{text}%")


def number(value: float | None, decimals: int = 0) -> Markup:
    """A number in both languages; a dash without a value."""
    if value is None or value != value:
        return Markup("–")
    text = f"{value:,.{decimals}f}"
    return both(text.replace(",", " ").replace(".", ","), text)


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A gate as the report shows it: what was required and whether it held, never what was observed."""
    verdicts = [
        {
            "expectation": verdict["expectation"].removeprefix("expect_").replace("_", " "),
            "column": verdict["column"],
            "severity": verdict["severity"],
            "passed": verdict["passed"],
            "reason": verdict["reason"],
        }
        for verdict in gate["verdicts"]
    ]
    failed = sum(not verdict["passed"] for verdict in verdicts)
    state = "closed" if gate["closed"] else "warned" if failed else "passed"
    return {"asset": gate["asset"], "state": state, "failed": failed, "verdicts": verdicts}


def _worst(figures: Figures, concept: str, breakdown: str, labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Questions or indicators with the highest rates, communes and EPCI together."""
    known = {
        (row.unit_type, row.code): (row.label_fr, row.label_en) for row in labels.itertuples(index=False)
    }
    rows: list[dict[str, Any]] = []
    for unit_type in ("commune", "epci"):
        for code, rate in figures.by(concept, "rate", unit_type, breakdown).items():
            french, english = known.get((unit_type, code), (code, code))
            weighted = figures.get(concept, "rate_weighted", unit_type, breakdown, code)
            rows.append(
                {
                    "unit_type": unit_type,
                    "code": code,
                    "fr": french,
                    "en": english,
                    "rate": rate,
                    "weighted": weighted,
                }
            )
    return sorted(rows, key=lambda row: (-round(row["rate"], 2), row["unit_type"], row["code"]))[:WORST]


def _maps(figures: Figures, wave: Wave) -> list[dict[str, Any]]:
    """The maps of communes; départements that are published together show the value of their group."""
    groups = {
        group.code: group.areas
        for group in wave.disclosure.recoding
        if group.geography == "departement" and "commune" in group.unit_types
    }
    wanted = [
        ("response", "unit_response", "rate", RESPONSE_LIMITS),
        ("open", "disclosure", "share_open", OPEN_LIMITS),
        ("reliable", "sampling_error", "share_reliable", OPEN_LIMITS),
    ]
    made = []
    for name, concept, indicator, limits in wanted:
        shares = figures.by(concept, indicator, "commune", "departement")
        values = {code: value for area, value in shares.items() for code in groups.get(area, [area])}
        places = departements()["departements"]
        counts = [sum(drawings.class_of(v, limits) == n for v in values.values()) for n in range(5)]
        made.append(
            {
                "name": name,
                "svg": drawings.departement_map(values, limits, f"map-{name}"),
                "limits": limits,
                "counts": counts,
                "missing": len(places) - len(values),
                "rows": [(code, place["name"], values.get(code)) for code, place in sorted(places.items())],
            }
        )
    return made


def map_pictures(indicators: pd.DataFrame, wave: Wave) -> dict[str, str]:
    """The maps alone, as base64 SVG by their English names, for the page of the asset."""
    return {
        # as a plain text: what is put into Markup is escaped
        str(names()["maps"][made["name"]]["en"]): base64.b64encode(
            str(made["svg"])
            .replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="420" ', 1)
            .encode()
        ).decode()
        for made in _maps(Figures(indicators), wave)
    }


def _collection(figures: Figures) -> dict[str, list[tuple[str, float]]]:
    return {
        unit_type: list(figures.by("unit_response", "rate_to_date", unit_type, "day").items())
        for unit_type in ("commune", "epci")
    }


def _moved(versions: Versions) -> list[tuple[str, list[float | None]]]:
    """The shares that differ most between the version before this one and this one, for the drawing."""
    moved: list[tuple[float, str, list[float | None]]] = []
    for row in versions.rows:
        values: Any = row["values"]
        known = [value for value in values if value is not None]
        if len(known) > 1:
            moved.append((-abs(known[-1] - known[-2]), str(row["label_fr"]), values))
    return [(label, values) for _, label, values in sorted(moved, key=lambda one: one[:2])[:WORST]]


def _statuses(figures: Figures) -> Markup:
    """Cells by status, one bar a type of unit and level."""
    rows = []
    for unit_type in ("commune", "epci"):
        for level in ("france", "region", "departement"):
            counts = [
                figures.get("disclosure", f"cells_{status}", unit_type, "geography", level) or 0.0
                for status in STATUS_COLOURS
            ]
            words = names()
            rows.append((f"{words['units'][unit_type]['fr']}, {words['geographies'][level]['fr']}", counts))
    return drawings.stacked(rows, list(STATUS_COLOURS.values()), "statuses-title")
