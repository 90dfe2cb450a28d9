"""The ``asco`` command: parses arguments, prints results; one file a subcommand."""
