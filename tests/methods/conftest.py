"""Lets the tests of this folder share ``reference_design``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
