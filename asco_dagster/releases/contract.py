"""The contract of the released tables: each table is declared once, in ``tables.yaml``, as a typed object.

Every format, the data dictionary, ``asco verify``, dbt's contract and the revision table take it from here.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from asco_dagster.errors import ReleaseError
from asco_dagster.waves.form import Text
from asco_dagster.waves.yaml_file import read_yaml

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FILE = Path(__file__).with_name("tables.yaml")
CELLS, PROFILES, LABELS = "asco_cells", "departement_profiles", "labels"
MODELLED = "model_estimates"
Role = Literal["key", "measure", "flag", "attribute"]
Type = Literal["varchar", "bigint", "integer", "double"]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Concept(_Declared):
    """The SDMX concept that a column is published as, with its short name."""

    id: str
    fr: str
    en: str


class Column(_Declared):
    """One column of a released table.

    Attributes:
        name: its name, in every format but the French file.
        name_fr: its name in the French file.
        label: what it holds.
        role: ``key`` identifies rows; ``measure`` is a published number, empty where suppressed; ``flag``
            says what such a number is worth; ``attribute`` describes the row.
        type: DuckDB's type.
        unit: of a number; ``by …`` where another column of the row decides.
        decimals: of a number: how many, ``share`` for those of the wave's shares, ``by statistic`` for those
            of the row's statistic (``releases.disclosure``); None is as the source has it.
        required: never empty; a key column is required anyhow.
        indicator: the indicator whose released share a column of the profiles repeats, or says something of.
        sdmx: its concept; None where SDMX does not carry it.
    """

    name: str
    name_fr: str
    label: Text
    role: Role
    type: Type = "varchar"
    unit: str | None = None
    decimals: int | Literal["share", "by statistic"] | None = None
    required: bool = False
    indicator: str | None = None
    sdmx: Concept | None = None

    @property
    def is_required(self) -> bool:
        """Whether it may never be empty."""
        return self.required or self.role == "key"

    @property
    def kind(self) -> Literal["text", "integer", "number"]:
        """What its values are, whatever the width of the type."""
        if self.type == "varchar":
            return "text"
        return "number" if self.type == "double" else "integer"


def _named(columns: Mapping[str, Mapping[str, object]]) -> tuple[Mapping[str, object], ...]:
    """Columns as the file has them, by name, as a sequence."""
    return tuple({"name": name, **column} for name, column in columns.items())


class Table(_Declared):
    """One released table.

    Attributes:
        name: its name in the contract.
        file: path of its files inside the release, without their ending.
        label: its title.
        columns: its columns, in their order.
        asset: the asset whose rows are released; None where publication computes them.
        grain: what one row is, for the dbt model of the asset; None where there is no model.
    """

    name: str
    file: str
    label: Text
    columns: Annotated[tuple[Column, ...], BeforeValidator(_named), Field(min_length=1)]
    asset: str | None = None
    grain: str | None = None

    @property
    def stem(self) -> str:
        """Name of its files without folder and ending."""
        return Path(self.file).name

    @property
    def parquet(self) -> str:
        """Path of its Parquet file inside a release, in which other steps and other waves read it."""
        return f"{self.file}.parquet"

    def named(self, role: Role) -> list[str]:
        """Names of the columns of a role, in order."""
        return [column.name for column in self.columns if column.role == role]

    def column(self, name: str) -> Column:
        """A column by its name.

        Raises:
            ReleaseError: it is not declared.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise undeclared(self.name, [name])


@dataclass(frozen=True)
class ReleasedTable:
    """A table as it is released.

    Attributes:
        contract: its declaration.
        rows: the rows in their final order; the measures of suppressed cells are null.
    """

    contract: Table
    rows: "pa.Table"

    def frame(self) -> "pd.DataFrame":
        """The rows as a data frame; integers with nulls stay integers, else 12 is written 12.0."""
        return self.rows.to_pandas(integer_object_nulls=True)


@dataclass(frozen=True)
class ReleasedFile:
    """A file of a release: its path inside the release folder and its number of rows, if it has rows."""

    path: str
    rows: int | None = None


@functools.lru_cache
def tables() -> Mapping[str, Table]:
    """Every released table by its name, in the order of the file."""
    return {
        name: Table.model_validate({"name": name, "file": f"tables/{name}", **table})
        for name, table in read_yaml(FILE).items()
    }


def contract_of(name: str) -> Table:
    """A released table by its name.

    Raises:
        ReleaseError: it is not declared.
    """
    found = tables().get(name)
    if found is None:
        raise undeclared(name, [])
    return found


def released(name: str, rows: "pa.Table") -> ReleasedTable:
    """A table to be released, held against its declaration.

    Args:
        name: its name in the contract.
        rows: the rows in their final order.

    Raises:
        ReleaseError: the table is not declared, or its columns or their types are not the declared ones.
    """
    declared = contract_of(name)
    names = [column.name for column in declared.columns]
    more, fewer = set(rows.column_names) - set(names), set(names) - set(rows.column_names)
    if more:
        raise undeclared(name, sorted(more))
    if fewer:
        raise ReleaseError(
            f"the released table {name} has no column {', '.join(sorted(fewer))}",
            file=FILE,
            expected="every declared column",
            remedy="Compute the column, or take it out of the declaration",
        )
    rows = rows.select(names)
    for column in declared.columns:
        if not is_of_type(rows.schema.field(column.name).type, column):
            raise ReleaseError(
                f"column {column.name} of the released table {name} is {rows.schema.field(column.name).type}",
                file=FILE,
                expected=f"{column.type}, as it is declared",
                remedy="Correct the column's type, or its declaration",
            )
    return ReleasedTable(declared, rows)


def is_of_type(kind: "pa.DataType", column: Column) -> bool:
    """Whether an Arrow type is that of a column; a column of nulls only has no type."""
    from pyarrow import types

    fits = {
        "text": types.is_string(kind) or types.is_large_string(kind),
        "integer": types.is_integer(kind),
        "number": types.is_floating(kind),
    }
    return types.is_null(kind) or fits[column.kind]


def undeclared(name: str, columns: list[str]) -> ReleaseError:
    """The error of a table or of columns that ``tables.yaml`` does not declare."""
    what = f"column {', '.join(columns)} of the released table {name}" if columns else f"the table {name}"
    return ReleaseError(
        f"{what} is not declared",
        file=FILE,
        expected="every released table and column, with its label in both languages",
        remedy="Declare it",
    )
