"""The first layer: from delivered bytes to ``raw_`` tables, nothing repaired, everything traceable.

Here belong the readers of publishers' files (``readers``) and the assets that run them. What does not:
repairing codes, dropping rows, joining sources; that is ``staging``.
"""
