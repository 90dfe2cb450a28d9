"""A small cluster on this machine."""
