"""True values of a demonstration, to judge estimates by."""
