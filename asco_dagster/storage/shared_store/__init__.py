"""The shared store (``ASCO_STORE``): ownership, inbox, database and releases of each wave on S3.

A run owns its wave by a lease (``claim``), works in the home of its machine, and uploads everything that
another worker needs before it counts as done (``held``).
"""
