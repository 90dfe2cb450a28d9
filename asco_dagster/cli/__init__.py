"""The ``asco`` command: parses arguments, prints results; one file per subcommand."""
