"""Dagster's side of the pipeline, one file per concept: partitions, the step that writes and gates a table,
the dbt layer, gates as asset checks, fingerprints, the guards of a run and of a release. What the steps
compute is in the folders of the layers, what starts runs is in ``triggers``.
"""
