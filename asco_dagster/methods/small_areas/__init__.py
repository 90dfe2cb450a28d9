"""Estimates of départements that borrow from the others: the statistics of ``docs/methods/small_areas.md``.

Pure functions: no database, no rule of confidentiality.
"""
