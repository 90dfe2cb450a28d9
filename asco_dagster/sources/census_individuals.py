"""INSEE's individual census file, tabulated by DuckDB: twenty million rows in, a few thousand counts out.

DuckDB reads the columns that are needed and groups them, so that neither the file nor
its rows are ever in memory; only the table of codes is then checked and named.

What is known of the file (« Individus localisés au canton-ou-ville », INDCVI, of the recensement):

- IPONDI is the weight, with up to 15 decimals, which all counts must keep: insee.fr/fr/information/2383284.
- Names and types, all text but IPONDI: the published copy huggingface.co/datasets/ericmauviere/insee_rpdetail
  has DEPT, AGED, SEXE, MOCO, IPONDI. The edition of 2022 is published as ``RP2022_indcvi.parquet``.
- Codes of SEXE (1 men, 2 women) and MOCO: INSEE's dictionary of the sister file on migrations (MIGCOM, 2014).
  A copy of INDCVI shows as many values of MOCO (8) and of AGED (121) as the dictionary leads to expect.

Not verified, for want of INSEE's dictionary of INDCVI: the day on which AGED is counted (the file
also has AGEREV), and how DEPT writes the départements overseas. So an unforeseen code refuses the file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.sources.readers.provenance import text_column

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("DEPT", "AGED", "SEXE", "MOCO", "IPONDI")
MEMORY = "1GiB"  # the groups take some megabytes; the rest is what Parquet's row groups need
DEPARTEMENT = r"0[1-9]|[1-8]\d|9[0-5]|2[AB]|97[1-6]"
SEXES = {"1": "M", "2": "F"}
LIVING = {
    "11": "child_of_couple",
    "12": "child_of_single_parent",
    "21": "couple_without_children",  # an adult of it
    "22": "couple_with_children",  # an adult of it
    "23": "single_parent",
    "31": "outside_family",  # in a household of several
    "32": "alone",
    "40": "outside_household",  # in a community, mobile or homeless: neither alone nor with others
}
"""Codes of MOCO, the way of living together."""

_OLDEST = 120
_LAST_BAND = 95
_WIDTH = 5


def tabulate_individuals(path: Path, *, vintage: int) -> pd.DataFrame:
    """Tabulate the file by département, sex, five-year age band and way of living.

    Args:
        path: the Parquet file; one of a zone holds the départements of that zone.
        vintage: year of the census.

    Returns:
        One row per combination that occurs, sorted: ``year``, ``departement_code``, ``sex`` (``M``, ``F``),
        ``age_band`` (``00_04`` … ``95_plus``), ``living`` (a value of ``LIVING``), ``records`` (rows of the
        file), ``population`` (inhabitants: sum of weights, exact to the 15 decimals of a weight before it
        becomes a double), ``source_file``.

    Raises:
        SourceError: no Parquet file, a column missing, no row, a code that is not foreseen, or a weight that
            is missing, not above zero, or of 1000 and more.
    """
    import duckdb

    # Nothing is written to disk: what is confidential here would be outside the home.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": "",
        "preserve_insertion_order": False,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        try:
            _check_columns(connection, path)
            counted = _counted(connection, path)
        except (duckdb.InvalidInputException, duckdb.IOException) as fault:
            raise SourceError(
                f"it cannot be read as Parquet ({str(fault).splitlines()[0]})",
                file=path,
                expected="INSEE's file of individuals as Parquet",
                remedy="Download the file again, or deliver the publisher's Parquet edition",
            ) from fault
    return _named(counted, path, vintage)


def no_individuals() -> pd.DataFrame:
    """The table of a wave that names no file of individuals: its columns, no row."""
    names = ["departement_code", "sex", "age_band", "living"]
    frame = pd.DataFrame({name: text_column([]) for name in names})
    frame.insert(0, "year", pd.Series([], dtype="int64"))
    frame["records"] = pd.Series([], dtype="int64")
    frame["population"] = pd.Series([], dtype="float64")
    frame["source_file"] = text_column([])
    return frame


def _check_columns(connection: "duckdb.DuckDBPyConnection", path: Path) -> None:
    found = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
    names = {str(row[0]).upper() for row in found}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise SourceError(
            f"it has no column {', '.join(missing)}",
            file=path,
            expected=f"the columns {', '.join(COLUMNS)}",
            remedy="Deliver the individuals localised by canton-ou-ville (INDCVI), not another detail file",
        )


def _counted(connection: "duckdb.DuckDBPyConnection", path: Path) -> pd.DataFrame:
    """Rows and weights of each combination of codes, as they are in the file."""
    # Decimals, for sums of doubles depend on the order in which two threads meet the rows. A program that
    # wrote the file again may have written weights as text, with a decimal comma.
    return connection.execute(
        """
        select
            cast(DEPT as varchar) as departement_code,
            cast(AGED as varchar) as age,
            cast(SEXE as varchar) as sex,
            cast(MOCO as varchar) as living,
            count(*) as records,
            sum(weight) as population,
            count(*) filter (where coalesce(weight, 0) <= 0) as unweighted
        from (
            select
                *,
                case
                    when typeof(IPONDI) = 'VARCHAR'
                        then try_cast(replace(cast(IPONDI as varchar), ',', '.') as decimal(18, 15))
                    else try_cast(IPONDI as decimal(18, 15))
                end as weight
            from read_parquet(?)
        )
        group by all
        order by all
        """,
        [str(path)],
    ).df()


def _named(counted: pd.DataFrame, path: Path, vintage: int) -> pd.DataFrame:
    """The table of codes, checked and in this project's words."""
    if counted.empty:
        raise SourceError("it has no row", file=path, remedy="Download the file again")
    counted = _plain_codes(counted)
    written = text_column(counted["age"].tolist())
    ages = pd.to_numeric(written.where(written.str.fullmatch(r"\d{1,3}").fillna(False)))
    faults = {
        "DEPT": ~text_column(counted["departement_code"].tolist()).str.fullmatch(DEPARTEMENT).fillna(False),
        "AGED": ~ages.between(0, _OLDEST).fillna(False),
        "SEXE": ~counted["sex"].isin(list(SEXES)),
        "MOCO": ~counted["living"].isin(list(LIVING)),
        "IPONDI": counted["unweighted"] > 0,
    }
    for column, wrong in faults.items():
        if wrong.any():
            raise _refused(counted[wrong], column, path)
    first = (ages // _WIDTH * _WIDTH).clip(upper=_LAST_BAND).astype(int)
    bands = [f"{age:02d}_plus" if age == _LAST_BAND else f"{age:02d}_{age + _WIDTH - 1:02d}" for age in first]
    keyed = counted.assign(
        year=vintage,
        sex=counted["sex"].map(SEXES),
        age_band=bands,
        living=counted["living"].map(LIVING),
    )
    keys = ["year", "departement_code", "sex", "age_band", "living"]
    table = keyed.groupby(keys, as_index=False, sort=True)[["records", "population"]].sum()
    for name in keys[1:]:
        table[name] = text_column(table[name].tolist())
    table["population"] = table["population"].astype(float)
    return table.assign(source_file=text_column([path.name] * len(table)))


def _plain_codes(counted: pd.DataFrame) -> pd.DataFrame:
    """Codes as INSEE writes them, where a program wrote numbers: ``77.0`` beside a gap, ``1`` for ``01``."""
    codes = counted[["departement_code", "age", "sex", "living"]]
    plain = codes.apply(lambda column: text_column(column.tolist()).str.strip().str.removesuffix(".0"))
    return counted.assign(**plain.assign(departement_code=plain["departement_code"].str.zfill(2)))


_FORESEEN = {
    "DEPT": ("departement_code", "a code of a département such as 01, 2A or 971"),
    "AGED": ("age", f"an age from 0 to {_OLDEST}"),
    "SEXE": ("sex", " or ".join(SEXES)),
    "MOCO": ("living", ", ".join(LIVING)),
}


def _refused(rows: pd.DataFrame, column: str, path: Path) -> SourceError:
    if column == "IPONDI":
        return SourceError(
            f"{int(rows['unweighted'].sum()):,} rows have no usable weight",
            file=path,
            column=column,
            expected="a number above 0 and below 1000",
            remedy="Ask INSEE, or check that no decimal sign was lost",
        )
    key, expected = _FORESEEN[column]
    seen = ", ".join(f"“{code}”" for code in sorted(map(str, rows[key].unique()))[:5])
    return SourceError(
        f"{int(rows['records'].sum()):,} rows have the code {seen}",
        file=path,
        column=column,
        expected=expected,
        remedy="Compare with the dictionary of the file's edition; a new code needs a change of this module",
    )
