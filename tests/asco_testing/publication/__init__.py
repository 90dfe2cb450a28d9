"""Judges and readers of a release, and servers that it is pushed to."""
