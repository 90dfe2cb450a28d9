"""Publication: tables, manifest, release. The only layer that writes outside the wave's database.

It reads what confidentiality let through, and counts of the other layers.
"""
