"""Publication: released tables, their formats, the quality report, and where releases go.

It reads what confidentiality let through, and counts of the other layers. Versions of a wave and the formats
of a release are in ``releases``.
"""
