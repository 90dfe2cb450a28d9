"""Disclosure control of the released tables: primary rules, secondary suppression, versions, attack.

Pure functions on frames, in the order of their use: ``contributions`` (what each cell is made of),
``primary`` (A and B), ``since`` (what earlier versions published), ``protect`` (D, over all linked tables at
once), ``released`` (what may be published) and ``attack`` (what an intruder can infer from it).
"""
