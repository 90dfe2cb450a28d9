"""Staging: types, repaired codes, one grain a model, edit rules, the territory of the wave (dbt).

Identity stops here: beyond this layer a unit is its pseudonym.
"""
