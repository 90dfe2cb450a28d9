"""How a delivery reaches this machine: from the inbox, from an address, and never half.

What does not belong here: what is inside the files (``asco_dagster.sources.readers``).
"""
