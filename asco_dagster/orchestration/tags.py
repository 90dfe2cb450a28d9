"""Tags and metadata names that steps write and commands read; imports nothing, so that both may import it."""

PARTITION_TAG = "dagster/partition"
"""Dagster's own run tag of the wave."""

FRESH = "asco/fresh"
"""Run tag: rebuild every table."""

UNCHANGED = "unchanged since run"
"""Metadata of a reused asset: the run that made it."""

CLOSED = "closed gates"
"""Metadata of a step's failure: the gates that caused it."""

REBUILT = "rebuilt because"
"""Metadata of an asset whose table was written by something other than its step."""
