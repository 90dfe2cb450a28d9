"""What a step wrote into a table, so that a table written by anything else is found out and made again.

Beside each table its step records a digest of the rows, their order and the columns. Whoever reads or reuses
the table compares: dbt by hand, an UPDATE in a notebook, a table that was dropped or became a view differ.
What does not belong here: what a table is made of (``fingerprints``).

A step that is killed before it records leaves a table without a digest, which counts as one that it did not
write: the digest is recorded last.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from asco_dagster.errors import AscoError
from asco_dagster.storage.warehouse import columns_of, content_digest

if TYPE_CHECKING:
    import duckdb

Contents = Literal["recorded", "altered", "unrecorded"]
"""What a table holds: what its step recorded, something else (or it is gone), or nobody knows."""

ALTERED = "its table had been changed by something other than its step"

# No key, as for the fingerprints: a commit that fails on a full disk spoils its index.
_TABLE = "create table if not exists main.contents (asset varchar not null, digest varchar not null)"


def record_contents(database: "duckdb.DuckDBPyConnection", assets: Iterable[str]) -> None:
    """Record what the tables of these assets hold now; to be called by the step that wrote them."""
    names = list(assets)
    forget_contents(database, names)
    for asset in names:
        digest = content_digest(database, asset)
        if digest is not None:
            database.execute("insert into main.contents values (?, ?)", [asset, digest])


def forget_contents(database: "duckdb.DuckDBPyConnection", assets: Iterable[str]) -> None:
    """Drop what was recorded of tables that are about to be made."""
    database.execute(_TABLE)
    database.execute("delete from main.contents where list_contains(?, asset)", [list(assets)])


def contents_of(database: "duckdb.DuckDBPyConnection", asset: str) -> Contents:
    """Compare the table of an asset with what its step recorded."""
    database.execute(_TABLE)
    found = database.execute("select digest from main.contents where asset = ?", [asset]).fetchall()
    if not found:
        return "unrecorded"
    return "recorded" if found == [(content_digest(database, asset),)] else "altered"


def require_recorded(database: "duckdb.DuckDBPyConnection", assets: Iterable[str]) -> None:
    """Demand that each of these tables, where it is there, holds what its step recorded.

    Raises:
        AscoError: names the first that does not.
    """
    for asset in assets:
        if columns_of(database, asset) and contents_of(database, asset) != "recorded":
            raise AscoError(
                f"table {asset} was written by something other than its step, and nothing is made of it",
                remedy=f"Run the wave again, or materialize {asset} first: its step makes it again",
            )
