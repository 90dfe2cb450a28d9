"""Runs on several machines, by Dagster's own engines: Celery with Redis, or Kubernetes; one run, one process.

What is spread is the run, which is one wave; its steps stay in one process. What does not belong here: who
owns a wave and where its files are (``shared_store``).
"""
