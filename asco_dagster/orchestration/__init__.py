"""Dagster's side of the pipeline, one file a concept: partitions, the step that writes and gates a table, the
dbt layer, jobs. What the steps do stands in the layers' own folders.
"""
