"""What keeps the pipeline running on a machine: PostgreSQL, Dagster's instance, the servers of ``asco up``,
and what is known of waves, releases and the machine itself. What does not belong here: anything that touches
survey data, and the printing of it all (``cli/``).
"""
