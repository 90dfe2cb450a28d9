"""The sources, one declaration each, and their assets: each fetches its files for the wave and reads them.

Nothing is repaired here, and every row says which file, sheet and row it comes from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from asco_dagster.connectors.fetch import fetch, hash_and_size
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
from asco_dagster.sources.returns.assets import collected_returns
from asco_dagster.storage.inbox import require_deliveries
from asco_dagster.storage.invented import invented_mark
from asco_dagster.waves.wave import Delivery

Reader = Callable[[Path, Delivery], pd.DataFrame]


@dataclass(frozen=True)
class Source:
    """Files that a wave file lists, read into one table.

    To add a source: declare it here, its reader in ``readers/``, its key in ``waves.wave.Sources``, its table
    in ``dbt_project/models/staging/_sources.yml``, its suite in ``expectations/sources``, and the file that
    the demonstration delivers in ``demonstration.deliveries``.

    Attributes:
        asset: name of the asset and of its table.
        key: key of the wave file, under ``sources``, that lists the files.
        description: what the table holds.
        read: reads one file.
        empty: the table of a wave that lists no file; None where every wave lists one.
        yearly: whether the publisher has a new edition each year, for which the schedule looks.
    """

    asset: str
    key: str
    description: str
    read: Reader
    empty: Callable[[], pd.DataFrame] | None = None
    yearly: bool = False


SOURCES = (
    Source(
        "raw_dgcl__epci_members",
        "epci_members",
        "DGCL: communes and the EPCI that they belong to, at 1 January of the list's year.",
        lambda path, file: read_epci_members(path, vintage=file.vintage),
        yearly=True,
    ),
    Source(
        "raw_insee__legal_populations",
        "legal_populations",
        "INSEE: municipal population of every commune, from one or several files.",
        lambda path, file: read_legal_populations(path, vintage=file.vintage),
        yearly=True,
    ),
    Source(
        "raw_insee__former_communes",
        "former_communes",
        "INSEE: the communes of the former wave's geography, from its legal populations; empty without any.",
        lambda path, file: read_legal_populations(path, vintage=file.vintage),
        empty=no_populations,
    ),
    Source(
        "raw_insee__commune_passage",
        "commune_passage",
        "INSEE: every former code of a commune and its commune of today; empty where the wave names none.",
        lambda path, file: read_commune_passage(path, vintage=file.vintage),
        empty=no_passage,
    ),
    Source(
        "raw_insee__population_age_sex",
        "population_age_sex",
        "INSEE: estimated population by département, sex and five-year age band, at 1 January.",
        lambda path, file: read_population_by_age_and_sex(path, year=file.vintage),
        yearly=True,
    ),
    Source(
        "raw_insee__census_individuals",
        "census_individuals",
        "INSEE: inhabitants by département, sex, age and whether alone; empty without a file of individuals.",
        lambda path, file: tabulate_individuals(path, vintage=file.vintage),
        empty=no_individuals,
        yearly=True,
    ),
    Source(
        "raw_drees__aid_beneficiaries",
        "aid_beneficiaries",
        "DREES, Aide sociale survey: beneficiaries by département, every table of the workbook.",
        lambda path, _: read_aid_tables(path, measure="beneficiaries"),
        yearly=True,
    ),
    Source(
        "raw_drees__aid_spending",
        "aid_spending",
        "DREES, Aide sociale survey: spending by département, thousands of euros, every table.",
        lambda path, _: read_aid_tables(path, measure="spending_keur"),
        yearly=True,
    ),
    Source(
        "raw_drees__aid_staff",
        "aid_staff",
        "DREES, Aide sociale survey: staff of the départements, heads and full-time equivalents.",
        lambda path, _: read_aid_tables(path, measure="staff"),
        yearly=True,
    ),
    Source(
        "raw_asco__sample",
        "sample",
        "The delivered sample: the units that were asked; empty where est_asco__draw draws it.",
        lambda path, _: read_sample(path),
        empty=empty_sample,
    ),
)


def _source_asset(source: Source) -> dg.AssetsDefinition:
    """The asset of a source; its state is address, checksum and size of each file."""

    def deliveries(step: WaveStep) -> list[Delivery]:
        return list(getattr(step.wave.sources, source.key))

    def compute(step: WaveStep) -> Table:
        files = _files(step, deliveries(step))
        return _read(files, source) if files or source.empty is None else Table(source.empty(), {"files": []})

    compute.__name__, compute.__doc__ = source.asset, source.description
    return wave_asset(state=lambda step: [described for _, described, _ in _files(step, deliveries(step))])(
        compute
    )


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


def _files(step: WaveStep, deliveries: Sequence[Delivery]) -> list[tuple[Path, dict[str, Any], Delivery]]:
    """Each file within reach, fetched once a step, and what the manifest says of it."""
    if not step.fetched:
        inbox = step.places.inbox(step.wave.wave)
        require_deliveries(step.wave, inbox, [delivery.address for delivery in deliveries])
    for delivery in deliveries:
        if delivery.address not in step.fetched:
            path = fetch(
                delivery.address,
                into=step.places.downloads(step.wave.wave),
                base=step.places.inbox(step.wave.wave),
                sha256=delivery.sha256,
            )
            described = {"address": delivery.address, **hash_and_size(path)}
            inbox = step.places.inbox(step.wave.wave)
            step.fetched[delivery.address] = path, described | invented_mark(described, inbox)
    return [(*step.fetched[delivery.address], delivery) for delivery in deliveries]


def _read(files: Sequence[tuple[Path, dict[str, Any], Delivery]], source: Source) -> Table:
    """Read each file of a source; one refused file refuses the whole, so nothing is half loaded.

    DuckDB would make a Python object of each text of a data frame, of an Arrow table it does not.
    """
    import pyarrow as pa

    tables, not_read = [], {}
    for path, _, delivery in files:
        frame = source.read(path, delivery)
        if names := frame.attrs.pop(NOT_READ, ()):
            not_read[path.name] = list(names)
        tables.append(pa.Table.from_pandas(frame, preserve_index=False))
    metadata: dict[str, Any] = {"files": [described for _, described, _ in files]}
    if not_read:
        metadata["columns not read"] = not_read
    return Table(pa.concat_tables(tables), metadata)


source_assets = [
    *(_source_asset(source) for source in SOURCES),
    raw_asco__questions,
    raw_asco__edits,
    raw_asco__indicators,
    collected_returns,
]
