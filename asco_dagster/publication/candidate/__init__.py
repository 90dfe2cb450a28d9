"""The candidate's page: what a version that waits for an approval would change, and why; and its approval."""
