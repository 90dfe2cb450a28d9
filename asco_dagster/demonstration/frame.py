"""The communes and EPCI of a demonstration, invented or from the publishers' real files, and its frame."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from asco_dagster.demonstration.epci_split import epci_of_2014
from asco_dagster.errors import ConfigurationError
from asco_dagster.territory.codes import OUTSIDE_THE_SURVEY, departement_of
from asco_dagster.territory.natures import nature_of
from asco_dagster.territory.vintages import reconcile
from asco_dagster.waves import Wave

TERRITORY = Path(__file__).parent / "territory"
MAYOTTE = "976"
MERGED = 24  # communes of the list of 2014 that the population files no longer have


@dataclass(frozen=True)
class Territory:
    """What the official files say, before any layout.

    Attributes:
        members: one row per commune in an EPCI: ``epci_siren``, ``epci_name``, ``epci_nature``,
            ``commune_code``, ``commune_name``, ``departement_code``, ``listed_population`` (municipal, as the
            DGCL's list prints it).
        populations: one row per commune: ``commune_code``, ``commune_name``, ``departement_code``,
            ``region_code``, ``population`` (municipal).
    """

    members: pd.DataFrame
    populations: pd.DataFrame


def departements() -> pd.DataFrame:
    """Code and name (``departement_code`` …) of each département and of its région since 2016."""
    return pd.read_csv(TERRITORY / "departements.csv", dtype=str, keep_default_na=False)


def departement_populations(territory: Territory) -> pd.DataFrame:
    """The départements with their inhabitants; those of Mayotte (census of 2017) are in no file of communes.

    Returns:
        The columns of :func:`departements` and ``population``, in the order of the publishers (Corsica
        between 19 and 21).
    """
    later = pd.read_parquet(TERRITORY / "communes_2025.parquet", columns=["departement_code", "population"])
    population = territory.populations.groupby("departement_code")["population"].sum()
    population[MAYOTTE] = later.loc[later["departement_code"] == MAYOTTE, "population"].sum()
    table = departements()
    return table.assign(population=table["departement_code"].map(population).astype("int64"))


def invented_territory(wave: Wave, seed: int) -> Territory:
    """The territory of a wave without its true files.

    Waves before 2020 take the geography of 2019 with the EPCI cut as in ``epci_split``, without Mayotte, as
    the true files of 2014; later ones that of 2025, where Mayotte is in the DGCL's list only.

    Args:
        wave: the wave.
        seed: seed of the small differences between the two sources of population.

    Returns:
        Its territory.
    """
    old = wave.reference_year < 2020
    communes = pd.read_parquet(TERRITORY / f"communes_{2019 if old else 2025}.parquet")
    communes["epci_siren"] = communes["epci_siren"].astype(object)
    if old:
        communes = communes[communes["departement_code"] != MAYOTTE].reset_index(drop=True)
        communes = epci_of_2014(communes)
    generator = np.random.default_rng([seed, int(wave.wave), 1])
    drift = generator.normal(1.0, 0.01, len(communes))
    listed = np.rint(communes["population"] * drift).astype("int64")
    members = communes.assign(listed_population=listed)[communes["epci_siren"].notna()].reset_index(drop=True)
    absent = communes["departement_code"] == MAYOTTE
    if old:
        small = members.loc[members["listed_population"].between(50, 800), "commune_code"]
        merged = generator.choice(small.to_numpy(dtype=str), MERGED, replace=False)
        absent = communes["commune_code"].isin(merged)
    return Territory(members, communes[~absent].reset_index(drop=True))


def listed_whole(territory: Territory) -> Territory:
    """A territory whose populations hold every commune of its list.

    The invented one of 2014 leaves some out, as the true population files do; unlike the true ones, these
    communes were not merged and still exist in 2025.
    """
    members = territory.members.assign(population=territory.members["listed_population"])
    absent = members[~members["commune_code"].isin(territory.populations["commune_code"])]
    names = ["commune_code", "commune_name", "departement_code", "region_code", "population"]
    whole = pd.concat([territory.populations[names], absent[names]])
    return Territory(territory.members, whole.sort_values("commune_code", ignore_index=True))


def real_territory(wave: Wave, inbox: Path) -> Territory:
    """The territory that the publishers' real files give, read by the pipeline's readers.

    Args:
        wave: the wave.
        inbox: folder that holds its real files.

    Returns:
        Its territory.
    """
    from asco_dagster.sources.readers.dgcl import read_epci_members
    from asco_dagster.sources.readers.insee_populations import read_legal_populations

    sources = wave.sources
    delivery = sources.epci_members[0]
    listed = read_epci_members(inbox / delivery.address, vintage=delivery.vintage)
    natures = {text: nature_of(text) for text in listed["epci_nature"].unique()}
    kinds = listed["epci_nature"].map({text: nature.kind for text, nature in natures.items() if nature})
    listed = listed[kinds == "own_tax"].reset_index(drop=True)
    code = listed["commune_code"].str.zfill(5).astype(object)
    members = pd.DataFrame(
        {
            **{name: listed[name].astype(object) for name in ("epci_siren", "epci_name", "epci_nature")},
            "commune_code": code,
            "commune_name": listed["commune_name"].astype(object),
            "departement_code": code.map(departement_of),
            "listed_population": listed["commune_population_municipal"].astype("int64"),
        }
    )
    members = members[~members["departement_code"].isin(OUTSIDE_THE_SURVEY)].reset_index(drop=True)
    legal = pd.concat(
        [
            read_legal_populations(inbox / file.address, vintage=file.vintage)
            for file in sources.legal_populations
        ],
        ignore_index=True,
    )
    legal = legal[["commune_code", "commune_name", "population"]].astype(
        {"commune_code": object, "commune_name": object, "population": "int64"}
    )
    legal["departement_code"] = legal["commune_code"].map(departement_of)
    legal = legal[~legal["departement_code"].isin(OUTSIDE_THE_SURVEY)].reset_index(drop=True)
    return Territory(members, _with_region(legal))


def commune_frame(territory: Territory, wave: Wave, passage: pd.DataFrame | None = None) -> pd.DataFrame:
    """The communes of the list and of the population files, put together as staging does.

    Args:
        territory: the territory.
        wave: its wave, whose design gives size classes and strata.
        passage: ``former_code``, ``commune_code`` of the table of passage that the wave delivers, if any.

    Returns:
        One row per commune by code: ``unit_code``, ``name``, ``departement_code``, ``region_code``,
        ``epci_siren`` (null outside any), ``population`` (legal, else as listed), ``size_class``,
        ``stratum``.
    """
    none = pd.DataFrame({"former_code": [], "commune_code": []}, dtype="object")
    listed = territory.members[["commune_code", "commune_name", "epci_siren", "listed_population"]]
    found = reconcile(
        listed.rename(columns={"listed_population": "population"}),
        territory.populations[["commune_code", "commune_name", "population"]],
        none if passage is None else passage,
        list_year=wave.sources.epci_members[0].vintage,
    ).communes
    frame = pd.DataFrame(
        {
            "unit_code": found["commune_code"].astype(object),
            "name": found["commune_name"].astype(object),
            "departement_code": found["commune_code"].map(departement_of),
            "epci_siren": found["epci_siren"].astype(object).where(found["epci_siren"].notna(), None),
            "population": found["population"].astype("int64"),
        }
    )
    return _stratified(_with_region(frame), "commune", wave)


def epci_frame(communes: pd.DataFrame, territory: Territory, wave: Wave) -> pd.DataFrame:
    """The EPCI, each in the département that holds most of its members' inhabitants.

    Args:
        communes: as :func:`commune_frame` gives them.
        territory: the territory, for the names.
        wave: its wave.

    Returns:
        One row per EPCI by SIREN, in the columns of :func:`commune_frame` without ``epci_siren``.
    """
    inside = communes[communes["epci_siren"].notna()]
    shares = inside.groupby(["epci_siren", "departement_code"])["population"].sum().reset_index()
    main = shares.sort_values(["epci_siren", "population", "departement_code"], ascending=[True, False, True])
    main = main.drop_duplicates("epci_siren")
    names = territory.members.drop_duplicates("epci_siren").set_index("epci_siren")["epci_name"]
    total = inside.groupby("epci_siren")["population"].sum()
    frame = pd.DataFrame(
        {
            "unit_code": main["epci_siren"].to_numpy(),
            "name": main["epci_siren"].map(names).to_numpy(),
            "departement_code": main["departement_code"].to_numpy(),
            "population": main["epci_siren"].map(total).to_numpy(),
        }
    )
    return _stratified(_with_region(frame), "epci", wave)


def _with_region(frame: pd.DataFrame) -> pd.DataFrame:
    regions = departements().set_index("departement_code")["region_code"]
    frame = frame.assign(region_code=frame["departement_code"].map(regions))
    lost = frame.loc[frame["region_code"].isna(), "departement_code"]
    if len(lost):
        raise ConfigurationError(
            f"département “{lost.iloc[0]}” has no région",
            expected="one of the 101 départements",
            remedy="Correct the code, or add it to asco_dagster/demonstration/territory/departements.csv",
        )
    return frame


def _stratified(frame: pd.DataFrame, unit_type: str, wave: Wave) -> pd.DataFrame:
    """Add size class and stratum, in the order of the unit codes."""
    design = wave.design(unit_type)
    bounds = [size_class.from_population for size_class in design.size_classes]
    codes = np.array([size_class.code for size_class in design.size_classes], dtype=object)
    frame = frame.assign(
        size_class=codes[np.searchsorted(bounds, frame["population"].to_numpy(), side="right") - 1]
    ).sort_values("unit_code", ignore_index=True)
    stratum = pd.Series(unit_type, index=frame.index, dtype="object")
    for variable in design.strata:
        if variable not in frame:
            raise ConfigurationError(
                f"the demonstration does not stratify {unit_type} by {variable}",
                expected="departement_code, region_code or size_class",
                remedy=f"Correct sampling.{unit_type}.strata of the wave file",
            )
        stratum = stratum + ":" + frame[variable]
    return frame.assign(stratum=stratum)
