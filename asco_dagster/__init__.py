"""ASCO: from what municipalities answered to numbers that a statistics office can publish.

The folders below follow the way of the data: ``sources`` → ``staging`` → ``estimation`` →
``confidentiality`` → ``publication``. ``methods`` holds the statistics as pure functions, ``gates`` the
Great Expectations suites at work, ``waves`` and ``questionnaires`` what differs from one survey to the next.
"""

import os

# Arrow's own allocator reserves a GiB at once and gives back late; it is chosen when pyarrow is imported.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
