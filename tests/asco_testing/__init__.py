"""What several tests or benchmarks share: worlds, local servers, broken inputs, judges of a release.

Installed beside the package for development (``tests/pyproject.toml``), so that tests, the processes
that they start and benchmarks import it alike. Its folders mirror those of the package, as the tests do.
"""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# The publishers' real files, where they are.
REAL = CHECKOUT.parent / "shared" / "data" / "real"
SHIPPED_WAVES = CHECKOUT / "asco_dagster" / "waves"
