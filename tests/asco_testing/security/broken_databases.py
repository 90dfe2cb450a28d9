"""The table of damaged databases of a wave: how each is damaged, and what its sentence must say.

A case changes the bytes of a whole database. What does not belong here: trying them (``test_broken_inputs``);
deeper damages are in ``tests/storage/test_damaged_databases``.
"""

from collections.abc import Callable

from asco_testing.security.broken_input import Broken

_PLACE = "file asco.duckdb: the wave's database is "
_REMEDY = "Move it away: the next run rebuilds every table from the deliveries; or restore a backup"


def _case(name: str, spoil: Callable[[bytes], bytes], *told: str) -> Broken:
    return Broken(f"database: {name}", spoil, (_PLACE, *told, _REMEDY))


DATABASES = [
    _case("empty", lambda _: b"", "empty (0 bytes)", "expected a DuckDB database"),
    _case("a text", lambda _: b"deliveries are late\n" * 999, "not a database: it has no header"),
    _case("of SQLite", lambda _: b"SQLite format 3\0" * 500, "not a database: it has no header"),
    _case("null bytes", lambda whole: bytes(len(whole)), "it has no header"),
    _case("half", lambda whole: whole[: len(whole) // 2], "damaged: "),
    _case("a torn header", lambda whole: whole[:20] + b"\xff" * 60 + whole[80:], "damaged: "),
]
