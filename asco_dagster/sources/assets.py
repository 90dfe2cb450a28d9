"""The source assets: each pulls its files for the wave and hands them to the reader of their format.

Nothing is repaired here and every row says from which file, sheet and row it comes. The readers, one a
publisher's format, are in ``readers/``; fetching is in ``connectors/``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from asco_dagster.connectors.fetch import fetch, told_of
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.questionnaires.tables import edits_table, indicators_table, questions_table
from asco_dagster.sources.census_individuals import no_individuals, tabulate_individuals
from asco_dagster.sources.readers.dgcl import read_epci_members
from asco_dagster.sources.readers.drees_aid import read_aid_tables
from asco_dagster.sources.readers.insee_age_sex import read_population_by_age_and_sex
from asco_dagster.sources.readers.insee_passage import no_passage, read_commune_passage
from asco_dagster.sources.readers.insee_populations import no_populations, read_legal_populations
from asco_dagster.sources.readers.provenance import NOT_READ
from asco_dagster.sources.readers.sample_list import empty_sample, read_sample
from asco_dagster.sources.returns import collected_returns
from asco_dagster.waves.wave import Delivery


def _delivered(source: str) -> Callable[[WaveStep], list[dict[str, Any]]]:
    """State of a source: address, checksum and size of each of its files."""
    return lambda step: [told for _, told, _ in _files(step, getattr(step.wave.sources, source))]


@wave_asset(state=_delivered("epci_members"))
def raw_dgcl__epci_members(step: WaveStep) -> Table:
    """DGCL: communes and the EPCI that they belong to, at 1 January of the list's year."""
    return _read(step, "epci_members", lambda path, d: read_epci_members(path, vintage=d.vintage))


@wave_asset(state=_delivered("legal_populations"))
def raw_insee__legal_populations(step: WaveStep) -> Table:
    """INSEE: municipal population of every commune, from one or several files."""
    return _read(step, "legal_populations", lambda path, d: read_legal_populations(path, vintage=d.vintage))


@wave_asset(state=_delivered("former_communes"))
def raw_insee__former_communes(step: WaveStep) -> Table:
    """INSEE: the communes of the former wave's geography, from its legal populations; empty without any."""
    if not step.wave.sources.former_communes:
        return Table(no_populations(), {"files": []})
    return _read(
        step,
        "former_communes",
        lambda path, d: read_legal_populations(path, vintage=d.vintage),
    )


@wave_asset(state=_delivered("commune_passage"))
def raw_insee__commune_passage(step: WaveStep) -> Table:
    """INSEE: every former code of a commune and its commune of today; empty where the wave names none."""
    if not step.wave.sources.commune_passage:
        return Table(no_passage(), {"files": []})
    return _read(
        step,
        "commune_passage",
        lambda path, d: read_commune_passage(path, vintage=d.vintage),
    )


@wave_asset(state=_delivered("population_age_sex"))
def raw_insee__population_age_sex(step: WaveStep) -> Table:
    """INSEE: estimated population by département, sex and five-year age band, at 1 January."""
    return _read(
        step, "population_age_sex", lambda path, d: read_population_by_age_and_sex(path, year=d.vintage)
    )


@wave_asset(state=_delivered("census_individuals"))
def raw_insee__census_individuals(step: WaveStep) -> Table:
    """INSEE: inhabitants by département, sex, age and whether alone, from its file of individuals, if any."""
    if not step.wave.sources.census_individuals:
        return Table(no_individuals(), {"files": []})
    return _read(
        step,
        "census_individuals",
        lambda path, d: tabulate_individuals(path, vintage=d.vintage),
    )


@wave_asset(state=_delivered("aid_beneficiaries"))
def raw_drees__aid_beneficiaries(step: WaveStep) -> Table:
    """DREES, Aide sociale survey: beneficiaries by département, every table of the workbook."""
    return _read(step, "aid_beneficiaries", lambda path, _: read_aid_tables(path, measure="beneficiaries"))


@wave_asset(state=_delivered("aid_spending"))
def raw_drees__aid_spending(step: WaveStep) -> Table:
    """DREES, Aide sociale survey: spending by département, thousands of euros, every table."""
    return _read(step, "aid_spending", lambda path, _: read_aid_tables(path, measure="spending_keur"))


@wave_asset(state=_delivered("aid_staff"))
def raw_drees__aid_staff(step: WaveStep) -> Table:
    """DREES, Aide sociale survey: staff of the départements, heads and full-time equivalents."""
    return _read(step, "aid_staff", lambda path, _: read_aid_tables(path, measure="staff"))


@wave_asset()
def raw_asco__questions(step: WaveStep) -> pd.DataFrame:
    """The questions of the wave's questionnaires, from the codebooks."""
    return questions_table(step.wave)


@wave_asset()
def raw_asco__edits(step: WaveStep) -> pd.DataFrame:
    """The edit rules and the questions that they read, from the codebooks."""
    return edits_table(step.wave)


@wave_asset()
def raw_asco__indicators(step: WaveStep) -> pd.DataFrame:
    """The indicators and the questions that they are made of, from the catalogue."""
    return indicators_table(step.wave)


@wave_asset(state=_delivered("sample"))
def raw_asco__sample(step: WaveStep) -> Table:
    """The delivered sample: the units that were asked; empty where est_asco__draw draws it."""
    if not step.wave.sources.sample:
        return Table(empty_sample(), {"files": []})
    return _read(step, "sample", lambda path, _: read_sample(path))


def _files(step: WaveStep, deliveries: Sequence[Delivery]) -> list[tuple[Path, dict[str, Any], Delivery]]:
    """Each file within reach, fetched once a step, and what the manifest says of it."""
    for delivery in deliveries:
        if delivery.address not in step.fetched:
            path = fetch(
                delivery.address,
                into=step.places.downloads(step.wave.wave),
                base=step.places.inbox(step.wave.wave),
                sha256=delivery.sha256,
            )
            step.fetched[delivery.address] = path, {"address": delivery.address, **told_of(path)}
    return [(*step.fetched[delivery.address], delivery) for delivery in deliveries]


def _read(step: WaveStep, source: str, reader: Callable[[Path, Delivery], pd.DataFrame]) -> Table:
    """Read each file of a source; one refused file refuses the whole, so nothing is half loaded.

    DuckDB would make a Python object of each text of a data frame, of an Arrow table it does not.
    """
    import pyarrow as pa

    found = _files(step, getattr(step.wave.sources, source))
    tables, not_read = [], {}
    for path, _, delivery in found:
        frame = reader(path, delivery)
        if names := frame.attrs.pop(NOT_READ, ()):
            not_read[path.name] = list(names)
        tables.append(pa.Table.from_pandas(frame, preserve_index=False))
    metadata: dict[str, Any] = {"files": [told for _, told, _ in found]}
    if not_read:
        metadata["columns not read"] = not_read
    return Table(pa.concat_tables(tables), metadata)


source_assets = [
    raw_dgcl__epci_members,
    raw_insee__legal_populations,
    raw_insee__former_communes,
    raw_insee__commune_passage,
    raw_insee__population_age_sex,
    raw_insee__census_individuals,
    raw_drees__aid_beneficiaries,
    raw_drees__aid_spending,
    raw_drees__aid_staff,
    raw_asco__questions,
    raw_asco__edits,
    raw_asco__indicators,
    raw_asco__sample,
    collected_returns,
]
