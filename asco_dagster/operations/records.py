"""What was done to a home on purpose and cannot be undone: purges, rotated keys, restorations.

One JSON file each under ``records/``, never changed afterwards. What does not belong here: doing it.
"""

import datetime as dt
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asco_dagster.durable import write_whole
from asco_dagster.storage.places import Places


def keep_record(places: Places, deed: str, told: Mapping[str, Any]) -> Path:
    """Write a record, mode 0600, whole or not at all.

    Args:
        places: the home.
        deed: what was done, for example ``purge-2014``.
        told: what there is to tell; never a value of the survey, never a key.

    Returns:
        The file.
    """
    now = dt.datetime.now(dt.UTC)
    path = places.records / f"{now.strftime('%Y%m%dT%H%M%S.%fZ')}-{deed}.json"
    text = json.dumps(
        {
            "deed": deed,
            "at": now.isoformat(timespec="seconds"),
            "code": importlib.metadata.version("asco_dagster"),
            **told,
        },
        ensure_ascii=False,
        indent=2,
    )
    write_whole(path, f"{text}\n")
    return path


def records(places: Places) -> list[dict[str, Any]]:
    """Every record of a home, oldest first."""
    return [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(places.records.glob("[0-9]*.json"))
    ]
