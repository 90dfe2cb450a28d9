"""What keeps the pipeline running: Dagster's instance, the servers of ``asco up``, workers on other machines,
upkeep, and what is known of waves, releases and the machine itself. What does not belong here: anything that
touches survey data, PostgreSQL itself (``storage.postgres``), and the printing of it all (``cli``).
"""
