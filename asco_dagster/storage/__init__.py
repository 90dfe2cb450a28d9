"""Bytes at rest: folders of a home, DuckDB, encryption, PostgreSQL, the shared store."""
