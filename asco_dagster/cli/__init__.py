"""The ``asco`` command: one file a subcommand, thin, each calling what the folders around it do."""
