"""Lets the tests of this folder share the made-up tables of the methods' tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "methods" / "disclosure"))
