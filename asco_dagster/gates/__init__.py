"""Gates: the Great Expectations suites at work.

``suite`` reads a suite file, which ``suite_faults`` checks; ``validation`` runs one on a table with
``engine``; ``results`` keeps what it found, ``checks`` reports it to Dagster, ``history`` remembers it over
runs and waves; ``demand`` is how publication asks that every gate upstream be there, fresh and open. The
suites themselves are in ``expectations/<layer>/<asset>.json``; their bounds in the wave files.
"""
