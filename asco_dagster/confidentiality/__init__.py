"""Confidentiality: primary and secondary suppression, and the attack on the result.

Nothing is published but what this layer lets through.
"""
