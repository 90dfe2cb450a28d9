"""The PostgreSQL that stores Dagster's state: the embedded server of the home, or an external one."""
