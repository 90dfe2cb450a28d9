"""Gates: a Great Expectations suite for each table, which decides whether the wave goes on.

``suite`` reads a suite file, ``suite_faults`` checks it, ``validation`` runs it in DuckDB through
``duckdb_engine``; ``results``, ``data_docs`` and ``history`` keep what was found. The suites are in
``expectations/<layer>/<asset>.json``, their bounds in the wave files. No Dagster here.
"""
