"""Shapes of the départements, for the maps of the explorer and of the quality report."""

import functools
import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("departements.json")


@functools.cache
def departements() -> dict[str, Any]:
    """View box, attribution, and name and path of each département."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))
