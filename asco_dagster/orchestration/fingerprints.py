"""What an asset's table was made of, so that nothing is made twice.

A fingerprint hashes the code, the wave, the pseudonym key, the fingerprints of the assets that are read, and
the state of what lies outside the database (delivered files, quarantine, former releases). It stands in the
wave's database beside the table, written in the same transaction, and is what Dagster shows as data version.
What does not belong here: what stands from an earlier run (``reuse``).

A step may change the very state that it reads: the first run of a wave fills its quarantine and makes its
first release. So the state is kept as it was before the step and as it was left: found again as it was left,
it counts as it was before. Where a step may die between telling and doing, both states count as left.
"""

import functools
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.orchestration.dbt_manifest import project_hash
from asco_dagster.settings import CHECKOUT, Settings
from asco_dagster.storage.places import EXPECTATIONS, Places
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

_PACKAGE = Path(__file__).resolve().parents[1]
_WAVE_FILES = _PACKAGE / "waves"
_OR = "\n"  # between states that a table may have been left in; no JSON on one line holds it
_SAYS_SOMETHING = {".py", ".yaml", ".csv", ".json", ".parquet", ".sql", ".j2", ".css", ".js"}
# No key: of a transaction that failed to commit (a full disk) DuckDB 1.5 keeps what it did to the index, and
# refuses or hides the rows of the retry. That an asset stands here once, ``record`` sees to.
_TABLE = """
create table if not exists main.fingerprints (
    asset varchar not null, fingerprint varchar not null, before varchar not null, after varchar not null
)
"""
_KEYED = """
select count(*) from duckdb_constraints()
where schema_name = 'main' and table_name = 'fingerprints' and constraint_type = 'PRIMARY KEY'
"""


@dataclass(frozen=True)
class Fingerprint:
    """What a table is made of.

    Attributes:
        fingerprint: 32 hexadecimal digits.
        before: state outside the database that counts for it, as JSON.
    """

    fingerprint: str
    before: str


@functools.cache
def code_hash() -> str:
    """Hash of everything in the checkout that a table may depend on, but the wave files."""
    digest = hashlib.sha256(project_hash().encode())
    for folder in (_PACKAGE, EXPECTATIONS):
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SAYS_SOMETHING and not (path.parent == _WAVE_FILES and path.suffix == ".yaml"):
                digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    lock = CHECKOUT / "requirements.lock"
    digest.update(lock.read_bytes() if lock.is_file() else b"")
    return digest.hexdigest()


def base_fingerprint(wave: Wave, places: Places, settings: Settings) -> str:
    """What every table of a wave rests on: code, wave file, pseudonym key (hashed under itself)."""
    key = hmac.new(places.pseudonym_key(settings), b"fingerprint", hashlib.sha256).hexdigest()
    return _hash([code_hash(), wave.model_dump_json(), key])


def fingerprint_of(
    database: "duckdb.DuckDBPyConnection", name: str, reads: Iterable[str], base: str, state: Any = None
) -> Fingerprint | None:
    """Fingerprint that the table of an asset has if it is made now.

    Args:
        database: the wave's.
        name: of the asset (or of a dbt test, which is judged anew when what it reads was made anew).
        reads: assets that it reads.
        base: result of ``base_fingerprint``.
        state: of what lies outside the database, anything that JSON can hold.

    Returns:
        None where something that it reads has no fingerprint: then nobody can tell.
    """
    known = _known(database, [name, *reads])
    parents = {parent: known[parent][0] for parent in sorted(set(reads)) if parent in known}
    if len(parents) < len(set(reads)):
        return None
    now = _told(state)
    before = known[name][1] if name in known and now in known[name][2].split(_OR) else now
    return Fingerprint(_hash([name, base, json.dumps(parents, sort_keys=True), before])[:32], before)


def recorded_fingerprint(database: "duckdb.DuckDBPyConnection", name: str) -> str | None:
    """Fingerprint of an asset's table as it stands; None where none is known."""
    found = _known(database, [name]).get(name)
    return found[0] if found else None


def record_fingerprints(
    database: "duckdb.DuckDBPyConnection", made: Mapping[str, Fingerprint | None], state: Any = None
) -> None:
    """Keep the fingerprints of tables just made, with the state as they left it; None forgets one."""
    forget_fingerprints(database, list(made))
    after = _told(state)
    for name, what in made.items():
        if what is not None:
            database.execute(
                "insert into main.fingerprints values (?, ?, ?, ?)",
                [name, what.fingerprint, what.before, after],
            )


def record_state_after(database: "duckdb.DuckDBPyConnection", names: Sequence[str], state: Any) -> None:
    """Tell that a later step of the same run changed the state that these assets read."""
    _ready(database)
    database.execute(
        "update main.fingerprints set after = ? where list_contains(?, asset)", [_told(state), list(names)]
    )


def allow_state(database: "duckdb.DuckDBPyConnection", names: Sequence[str], state: Any) -> None:
    """Tell that a later step is about to change the state that these assets read, and may die meanwhile."""
    _ready(database)
    database.execute(
        "update main.fingerprints set after = after || ? where list_contains(?, asset)",
        [_OR + _told(state), list(names)],
    )


def forget_fingerprints(database: "duckdb.DuckDBPyConnection", names: Sequence[str]) -> None:
    """Drop fingerprints: of tables that are about to be made."""
    _ready(database)
    database.execute("delete from main.fingerprints where list_contains(?, asset)", [list(names)])


def _ready(database: "duckdb.DuckDBPyConnection") -> None:
    """Have the table; one of an earlier version, which had a key, gives way: nothing of its code stands."""
    if database.execute(_KEYED).fetchall() != [(0,)]:
        database.execute("drop table main.fingerprints")
    database.execute(_TABLE)


def _known(database: "duckdb.DuckDBPyConnection", names: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    _ready(database)
    rows = database.execute(
        "select asset, fingerprint, before, after from main.fingerprints where list_contains(?, asset)",
        [list(names)],
    ).fetchall()
    return {asset: (fingerprint, before, after) for asset, fingerprint, before, after in rows}


def _told(state: Any) -> str:
    return json.dumps(state, sort_keys=True, default=str)


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
