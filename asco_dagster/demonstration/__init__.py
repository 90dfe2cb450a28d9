"""Demonstration deliveries: invented files in the publishers' own formats, for a wave without its true ones.

Belongs here: the territory, the invented answers, and the writers of each publisher's layout. Does not belong
here: reading any of it back for the pipeline (``sources``).
"""

from asco_dagster.demonstration.deliveries import write_deliveries

__all__ = ["write_deliveries"]
