"""What starts a run: sensors, schedules, the release calendar, and the jobs that they start."""
