"""Bytes at rest: places of a home, DuckDB, encryption, PostgreSQL, the shared store."""
