"""Gates: the Great Expectations suites at work.

``suite`` reads a suite file, which ``suite_faults`` checks; ``validation`` runs one on a table with
``engine``; ``results`` keeps what it found, ``history`` remembers it over runs and waves. The suites
themselves are in ``expectations/<layer>/<asset>.json``; their bounds in the wave files. What does not belong
here: anything of Dagster, which sees gates as asset checks (``orchestration.checks``).
"""
