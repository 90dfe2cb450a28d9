"""Processes that run until they are stopped: web server, daemon, quality pages, workers, Kubernetes pods."""
