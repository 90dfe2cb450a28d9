"""Starts, serves and maintains the pipeline: no file here reads a value of the survey."""
