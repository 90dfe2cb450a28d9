"""What the pipeline costs: each module is a program, run by a target of the Makefile."""
