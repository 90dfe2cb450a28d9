"""The confidential record of each released version: its respondents, weights and a hash of their answers.

A later version is compared with it, so that a correction of one or two units does not show in the difference
(``methods.disclosure.versions``). It is kept in the wave's database, by the hash of the version's content.
"""

from typing import TYPE_CHECKING

import pandas as pd

from asco_dagster.methods.disclosure.versions import UNITS, record_of_units
from asco_dagster.storage.warehouse import read_table

if TYPE_CHECKING:
    import duckdb

_TABLE = """
create table if not exists main.released_units (
    content varchar, unit_type varchar, region_code varchar, departement_code varchar, size_class varchar,
    population double, weight double, answers ubigint
)
"""


def respondents_of(database: "duckdb.DuckDBPyConnection") -> pd.DataFrame:
    """The respondents: ``unit_id``, ``unit_type``, areas, ``size_class``, ``population``, ``weight``."""
    sample = ["unit_id", "unit_type", "region_code", "departement_code", "size_class", "population"]
    return read_table(database, "est_asco__weights", ["unit_id", "weight"]).merge(
        read_table(database, "est_asco__sample", sample), on="unit_id", validate="one_to_one"
    )


def present_units(database: "duckdb.DuckDBPyConnection") -> pd.DataFrame:
    """The record of the wave as it is now (see ``record_of_units``)."""
    indicators = read_table(database, "est_asco__indicators", ["unit_id", "indicator", "value"])
    return record_of_units(respondents_of(database), indicators)


def keep_record(database: "duckdb.DuckDBPyConnection", content: str) -> None:
    """Keep the record of a version that is about to become public, unless it is there.

    Args:
        database: of the wave.
        content: hash of the content of the version, as its manifest has it.
    """
    database.execute(_TABLE)
    if database.execute("select 1 from main.released_units where content = ? limit 1", [content]).fetchone():
        return
    units = present_units(database).assign(content=content)[["content", *UNITS]]  # noqa: F841 - read by DuckDB
    database.execute("insert into main.released_units select * from units")


def record_of(database: "duckdb.DuckDBPyConnection", content: str) -> pd.DataFrame | None:
    """The record of a version by the hash of its content; None where none was kept."""
    database.execute(_TABLE)
    found = database.execute("select * from main.released_units where content = ?", [content]).df()
    return found[UNITS] if len(found) else None
