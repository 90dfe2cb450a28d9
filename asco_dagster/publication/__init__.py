"""Publication: released tables, their formats, the quality report, and where releases go.

It reads what confidentiality let through, and counts of the other layers. What does not belong here: versions
of a wave, from draft to withdrawal (``releases``).
"""
