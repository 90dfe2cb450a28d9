"""Parts of a run killed or starved at random instants: ``python -m asco_testing.faults.fault_trials``."""
