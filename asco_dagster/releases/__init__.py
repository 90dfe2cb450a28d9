"""Versions of a wave that are or were public, and what the pipeline remembers of each."""
