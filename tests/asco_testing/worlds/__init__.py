"""Worlds that tests run in, in four sizes.

* ``tiny``: a few rows or cells in memory, written by hand or drawn; nothing runs.
* ``small``: a wave that runs from deliveries to a release on fewer units, in tens of seconds.
* ``true_size``: as many units as the survey has, invented.
* ``real``: the publishers' own files (``../shared/data/real``).
"""
