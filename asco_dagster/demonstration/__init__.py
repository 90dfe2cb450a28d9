"""Demonstration deliveries: invented files in the publishers' formats, for a wave without its true ones."""

from asco_dagster.demonstration.deliveries import write_deliveries

__all__ = ["write_deliveries"]
