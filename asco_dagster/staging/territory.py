"""The territory of the wave: the DGCL's list and INSEE's populations joined in the list's geography.

Tables of the communes, of their populations, and of every case that had to be decided. The method is in
``territory/vintages``; départements and size classes are added by dbt.
"""

from collections.abc import Mapping

import pandas as pd

from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_assets
from asco_dagster.storage.warehouse import read_table
from asco_dagster.territory.codes import MUNICIPAL_ARRONDISSEMENTS, OUTSIDE_THE_SURVEY, departement_of
from asco_dagster.territory.natures import nature_of
from asco_dagster.territory.vintages import KINDS, Reconciled, reconcile


@wave_assets(
    [
        "stg_territory__populations: One row per commune in the geography of the DGCL's list, with its "
        "population and what each of the two files says.",
        "stg_territory__cases: One row per commune on which the two files disagree, or that one lacks, and "
        "what was decided.",
        "stg_territory__former_communes: One row per commune of the former wave's geography.",
    ],
    deps=[
        "raw_dgcl__epci_members",
        "raw_insee__legal_populations",
        "raw_insee__commune_passage",
        "raw_insee__former_communes",
    ],
)
def territory(step: WaveStep) -> Mapping[str, Table]:
    """Communes and their populations; the communes of the former wave."""
    listed = members_of_epci(read_table(step.database, "raw_dgcl__epci_members"))
    counted = read_table(step.database, "raw_insee__legal_populations")
    passage = read_table(step.database, "raw_insee__commune_passage", ["former_code", "commune_code"])
    year = step.wave.sources.epci_members[0].vintage
    found = reconcile(listed, counted, passage, list_year=year)
    natures = listed.set_index("commune_code")["epci_nature"]
    communes = found.communes.assign(epci_nature=found.communes["commune_code"].map(natures))
    former = read_table(step.database, "raw_insee__former_communes", ["commune_code"])
    return {
        "stg_territory__populations": Table(_typed(communes), counts(found)),
        "stg_territory__cases": Table(found.cases, _counts_of_cases(found.cases)),
        "stg_territory__former_communes": Table(former_communes(former), {}),
    }


def members_of_epci(members: pd.DataFrame) -> pd.DataFrame:
    """The communes that belong to an EPCI with own-source tax revenue.

    Args:
        members: every membership, as ``raw_dgcl__epci_members`` has it.

    Returns:
        One row per commune: ``commune_code`` (5 characters: the list of 2014 lost leading zeros),
        ``commune_name``, ``epci_siren``, ``epci_nature`` (code of the vocabulary), ``population``.
    """
    natures = {text: nature_of(text) for text in members["epci_nature"].dropna().unique()}
    forms = members["epci_nature"].map(natures)
    taxing = forms.map(lambda nature: nature is not None and nature.kind == "own_tax").astype(bool)
    members, forms = members[taxing], forms[taxing]
    return pd.DataFrame(
        {
            "commune_code": members["commune_code"].str.zfill(5).astype(object),
            "commune_name": members["commune_name"].astype(object),
            "epci_siren": members["epci_siren"].astype(object),
            "epci_nature": forms.map(lambda nature: nature.code).astype(object),
            "population": members["commune_population_municipal"].astype("Int64"),
        }
    ).reset_index(drop=True)


def former_communes(former: pd.DataFrame) -> pd.DataFrame:
    """The communes of the former geography, by code; municipal arrondissements are their commune."""
    codes = former["commune_code"].astype(object)
    whole = {MUNICIPAL_ARRONDISSEMENTS.get(code, code) for code in codes}
    kept = sorted(code for code in whole if departement_of(code) not in OUTSIDE_THE_SURVEY)
    return pd.DataFrame({"commune_code": pd.Series(kept, dtype="string")})


def counts(found: Reconciled) -> dict[str, int]:
    """Communes, EPCI and inhabitants of the frame, for the asset's page."""
    communes = found.communes
    return {
        "communes": len(communes),
        "communes in an EPCI": int(communes["epci_siren"].notna().sum()),
        "EPCI": int(communes["epci_siren"].nunique()),
        "inhabitants": int(communes["population"].sum()),
    }


def _counts_of_cases(cases: pd.DataFrame) -> dict[str, int]:
    """Number of cases of each kind, by its name in words."""
    found = cases["kind"].value_counts()
    return {words: int(found[kind]) for kind, words in KINDS.items() if kind in found}


def _typed(communes: pd.DataFrame) -> pd.DataFrame:
    texts = ["commune_code", "commune_name", "epci_siren", "epci_nature"]
    return communes.astype(dict.fromkeys(texts, "string"))
