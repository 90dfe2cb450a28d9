"""The PostgreSQL of a home, which holds Dagster's state: the embedded server, or one that is given."""
