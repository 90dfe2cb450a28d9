"""Metadata that machines read: CSVW, DCAT-AP, SDMX, DDI, RO-Crate, and a data dictionary for people.

One file a standard, each a pure function of the released content: no clock, no path, the same bytes again.
What does not belong here: the tables themselves (``publication.tables``).
"""
