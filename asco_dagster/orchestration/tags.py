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

CANDIDATE = "candidate"
"""Metadata of the release: name of the version that waits for an approval."""

CANDIDATE_IS_NEW = "candidate is new"
"""Metadata of the release beside ``CANDIDATE``: whether this run made it."""

APPROVE = "approve with"
"""Metadata of the release beside ``CANDIDATE``: the command."""

DIFFERENCES = "differences"
"""Metadata of the release beside ``CANDIDATE``: address of the page that shows them."""
