"""What an operator wants to know: state of each wave, releases, metrics, notices, logs."""
