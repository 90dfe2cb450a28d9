"""Tables broken one expectation at a time."""
