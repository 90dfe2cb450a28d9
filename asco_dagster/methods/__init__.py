"""Statistical methods as pure functions: arrays or frames in, frames out.

Nothing here imports dagster or duckdb, reads a file or a clock. Each function says its formula, its source
and its errors; ``tests/methods/reference`` compares the results with those of R's ``survey``.
"""
