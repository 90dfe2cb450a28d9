"""Estimation: sample, nonresponse, calibration, indicators, estimates with their precision, profiles.

Everything here knows a unit by its pseudonym only.
"""
