"""Weights and estimates against R's survey, and against the demonstration's truth."""
