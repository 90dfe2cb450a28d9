"""The first layer: from delivered bytes to ``raw_`` tables, nothing repaired, everything traceable.

``readers`` reads publishers' files, ``returns`` what the surveyed units sent back; ``assets`` runs both.
"""
