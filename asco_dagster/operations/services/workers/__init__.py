"""Runs on several machines by Celery with Redis or by Kubernetes; a run is one process with all its steps."""
