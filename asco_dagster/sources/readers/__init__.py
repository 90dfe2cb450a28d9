"""One module a publisher's file: a local path in, a data frame out, or a ``SourceError`` and nothing.

Every frame ends in ``source_file``, ``source_sheet`` and ``source_row``, so that each value can be found
again in what was delivered. No reader knows of Dagster or DuckDB.
"""
