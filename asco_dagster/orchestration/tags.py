"""Words that runs and those who follow them agree on; nothing is imported, so that both sides may."""

PARTITION_TAG = "dagster/partition"
"""Dagster's own run tag of the wave."""

FRESH = "asco/fresh"
"""Run tag that has everything made anew."""

UNCHANGED = "unchanged since run"
"""Metadata of an asset told again: the run that made it."""

REBUILT = "rebuilt because"
"""Metadata of an asset whose table something other than its step had written."""
