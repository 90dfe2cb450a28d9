"""Fingerprint of an asset's table: a hash of everything that the table is made of.

It covers the code, the wave, the pseudonym key, the fingerprints of the tables that are read, and the state
outside the database (delivered files, quarantine, earlier releases). It is recorded in the wave's database in
the same transaction as the table, and is what Dagster shows as data version.

A step may change the very state that it reads: the first run of a wave fills its quarantine and makes its
first release. So the state is recorded as it was before the step and after it: a state found again as it was
after the step counts as the state before. Where a step may die between two states, both count as after.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asco_dagster.installation import libraries
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import duckdb

_OR = "\n"  # between the states that count as after the step; no JSON on one line holds it
# No key: of a transaction that failed to commit (a full disk) DuckDB 1.5 keeps what it did to the index, and
# refuses or hides the rows of the retry. ``record_fingerprints`` keeps one row per asset.
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


def base_fingerprint(wave: Wave, places: Places, settings: Settings) -> str:
    """What every table of a wave depends on: libraries, wave file, questionnaire, pseudonym key (hashed)."""
    key = hmac.new(places.pseudonym_key(settings), b"fingerprint", hashlib.sha256).hexdigest()
    asked = load_questionnaire(wave.questionnaire).model_dump_json()
    return _hash([libraries(), wave.model_dump_json(), asked, key])


def fingerprint_of(
    database: "duckdb.DuckDBPyConnection",
    name: str,
    reads: Iterable[str],
    made_by: Sequence[str],
    state: Any = None,
) -> Fingerprint | None:
    """Fingerprint that the table of an asset has if it is made now.

    Args:
        database: the wave's.
        name: of the asset.
        reads: assets that it reads.
        made_by: result of ``base_fingerprint`` and hash of the asset's code (``asset_code``).
        state: of what is outside the database, anything that JSON can hold.

    Returns:
        None where a table that it reads has no fingerprint.
    """
    known = _known(database, [name, *reads])
    parents = {parent: known[parent][0] for parent in sorted(set(reads)) if parent in known}
    if len(parents) < len(set(reads)):
        return None
    now = _as_json(state)
    before = known[name][1] if name in known and now in known[name][2].split(_OR) else now
    return Fingerprint(_hash([name, *made_by, json.dumps(parents, sort_keys=True), before])[:32], before)


def recorded_fingerprint(database: "duckdb.DuckDBPyConnection", name: str) -> str | None:
    """Fingerprint recorded for an asset's table; None where there is none."""
    found = _known(database, [name]).get(name)
    return found[0] if found else None


def record_fingerprints(
    database: "duckdb.DuckDBPyConnection", made: Mapping[str, Fingerprint | None], state: Any = None
) -> None:
    """Record the fingerprints of tables just made, and the state after the step; None forgets one."""
    forget_fingerprints(database, list(made))
    after = _as_json(state)
    for name, what in made.items():
        if what is not None:
            database.execute(
                "insert into main.fingerprints values (?, ?, ?, ?)",
                [name, what.fingerprint, what.before, after],
            )


def record_state_after(database: "duckdb.DuckDBPyConnection", names: Sequence[str], state: Any) -> None:
    """Record that a later step of the same run changed the state that these assets read."""
    _ready(database)
    database.execute(
        "update main.fingerprints set after = ? where list_contains(?, asset)", [_as_json(state), list(names)]
    )


def allow_state(database: "duckdb.DuckDBPyConnection", names: Sequence[str], state: Any) -> None:
    """Record that a later step is about to change the state that these assets read, and may die meanwhile."""
    _ready(database)
    database.execute(
        "update main.fingerprints set after = after || ? where list_contains(?, asset)",
        [_OR + _as_json(state), list(names)],
    )


def made_in_state(database: "duckdb.DuckDBPyConnection", name: str, state: Any) -> bool:
    """Whether a state counts for the table of an asset; true where no fingerprint is recorded."""
    known = _known(database, [name]).get(name)
    return known is None or _as_json(state) in (known[1], *known[2].split(_OR))


def forget_fingerprints(database: "duckdb.DuckDBPyConnection", names: Sequence[str]) -> None:
    """Drop the fingerprints of tables that are about to be made."""
    _ready(database)
    database.execute("delete from main.fingerprints where list_contains(?, asset)", [list(names)])


def _ready(database: "duckdb.DuckDBPyConnection") -> None:
    """Create the table; that of an earlier version, which had a key, is replaced."""
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


def _as_json(state: Any) -> str:
    return json.dumps(state, sort_keys=True, default=str)


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
