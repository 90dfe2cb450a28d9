"""The wave's rules and public geography as the methods take them, how numbers are rounded, and the tools."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pandas as pd

from asco_dagster.errors import ConfigurationError
from asco_dagster.methods.disclosure.areas import AreaGroup, Areas
from asco_dagster.methods.disclosure.links import Definition, Link, links
from asco_dagster.methods.disclosure.rules import DisclosureRules
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.releases.contract import CELLS, contract_of
from asco_dagster.storage.warehouse import read_table
from asco_dagster.waves import Wave
from asco_dagster.waves.form import UnitType
from asco_dagster.waves.wave import POPULATION_SHARE_DECIMALS

UNIT_TYPES: tuple[UnitType, ...] = ("commune", "epci")
TOOLS = ("highspy", "numpy", "pandas")


def decimals_by_statistic(wave: Wave) -> dict[str, int]:
    """Decimals of the columns declared ``by statistic``: by statistic, of shares by unit type too."""
    return {
        **{f"{unit_type} share": decimals for unit_type, decimals in wave.release.decimals_share.items()},
        "population_share": POPULATION_SHARE_DECIMALS,
        "total": wave.release.decimals_total,
    }


def rounding_steps(wave: Wave) -> dict[str, float]:
    """Rounding step of each kind of released number, as the attack takes them."""
    whole = {
        column.name: 0
        for column in contract_of(CELLS).columns
        if column.kind == "number" and column.decimals == 0
    }
    return {kind: 10.0**-decimals for kind, decimals in {**decimals_by_statistic(wave), **whole}.items()}


def share_steps(wave: Wave) -> dict[str, float]:
    """Rounding step of the released shares of each type of unit."""
    return {unit_type: 10.0**-decimals for unit_type, decimals in wave.release.decimals_share.items()}


def areas_of(database: Any, wave: Wave) -> dict[str, Areas]:
    """The public geography of each unit type's tables.

    Raises:
        ConfigurationError: the wave file groups an area that the territory does not have.
    """
    rows = read_table(database, "est_profile__departements", ["departement_code", "region_code"])
    regions = dict(zip(rows["departement_code"].astype(str), rows["region_code"].astype(str), strict=True))
    known = {"region": set(regions.values()), "departement": set(regions)}
    for group in wave.disclosure.recoding:
        unknown = sorted(set(group.areas) - known[group.geography])
        if unknown:
            raise ConfigurationError(
                f"disclosure.recoding: group {group.code} names {group.geography} {unknown[0]}, which wave "
                f"{wave.wave} does not have",
                expected=", ".join(sorted(known[group.geography])),
                remedy=f"Correct the areas of {group.code} in the wave file",
            )
    return areas_from(regions, wave.disclosure.model_dump()["recoding"])


def areas_from(regions: Mapping[str, str], recoding: list[Mapping[str, Any]]) -> dict[str, Areas]:
    """The same from the groups as a wave file, or the manifest of a release, declares them."""
    return {
        unit_type: Areas(
            regions,
            tuple(
                AreaGroup(group["code"], group["geography"], tuple(group["areas"]))
                for group in recoding
                if unit_type in group["unit_types"]
            ),
        )
        for unit_type in UNIT_TYPES
    }


def rules_of(wave: Wave) -> DisclosureRules:
    """The disclosure rules of a wave."""
    return rules_from(wave.disclosure.model_dump())


def rules_from(declared: Mapping[str, Any]) -> DisclosureRules:
    """The rules as a wave file, or the manifest of a release, declares them."""
    return DisclosureRules(
        threshold=declared["minimum_respondents"],
        dominance=declared["dominance_share"],
        group_threshold=declared["group_threshold"],
        protection=declared["protection_level"],
    )


def links_of(wave: Wave) -> dict[str, list[Link]]:
    """What holds between the indicators of each type of unit, by catalogue and questionnaires."""
    return {unit_type: links(_definitions(wave, unit_type)) for unit_type in UNIT_TYPES}


def indicator_kinds(wave: Wave) -> pd.DataFrame:
    """Kind of each indicator: ``unit_type``, ``indicator``, ``kind``."""
    rows = [
        (unit_type, one.code, one.kind)
        for unit_type, indicators in load_questionnaire(wave.questionnaire).indicators.items()
        for one in indicators
    ]
    return pd.DataFrame(rows, columns=["unit_type", "indicator", "kind"])


def _definitions(wave: Wave, unit_type: UnitType) -> list[Definition]:
    questionnaire = load_questionnaire(wave.questionnaire)
    questions = {
        question.code: question
        for module in questionnaire.codebooks[unit_type].modules
        for question in module.questions
    }
    return [
        Definition(
            code=one.code,
            kind=one.kind,
            rule=one.rule,
            questions=tuple(one.questions),
            all_yes=tuple(one.all_yes),
            all_no=tuple(one.all_no),
            between=one.between or (0, 0),
            choice=one.choice,
            filtered_by=questions[one.questions[0]].asked_if if one.when_filtered == "missing" else None,
            choices=len(questions[one.questions[0]].choices) if one.rule == "equals" else 0,
        )
        for one in questionnaire.indicators[unit_type]
    ]


def tools() -> dict[str, str]:
    """Versions of what computes masks and attacks."""
    return {"python": platform.python_version(), **{tool: version(tool) for tool in TOOLS}}
