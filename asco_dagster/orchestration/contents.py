"""Digest of what a step wrote into a table, so that a table written by anything else is detected and rebuilt.

The step records a digest of the rows, their order and the columns. Steps that read or reuse the table
compare: dbt run by hand, an UPDATE in a notebook, a table that was dropped or became a view differ. The
digest is recorded last, so that the table of a killed step has none and counts as not written by its step.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from asco_dagster.errors import AscoError
from asco_dagster.storage.warehouse import columns_of, content_digest

if TYPE_CHECKING:
    import duckdb

Contents = Literal["recorded", "altered", "unrecorded"]
"""Whether a table holds what its step recorded, something else (or is gone), or has no digest."""

ALTERED = "its table was changed by something other than its step"

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
    """Drop the digests of tables that are about to be made."""
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
    """Require that each of these tables that exists holds what its step recorded.

    Raises:
        AscoError: names the first that does not.
    """
    for asset in assets:
        if columns_of(database, asset) and contents_of(database, asset) != "recorded":
            raise AscoError(
                f"table {asset} was written by something other than its step and is not used",
                remedy=f"Run the wave again, or materialize {asset} first: its step rebuilds it",
            )
