"""Records of what cannot be undone (purge, rotated key, restoration): one JSON file each, never changed."""

import datetime as dt
import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asco_dagster.durable import write_whole
from asco_dagster.storage.places import Places


def keep_record(places: Places, deed: str, details: Mapping[str, Any]) -> Path:
    """Write a record; returns its file.

    The details contain no value of the survey and no key.
    """
    now = dt.datetime.now(dt.UTC)
    path = places.records / f"{now.strftime('%Y%m%dT%H%M%S.%fZ')}-{deed}.json"
    text = json.dumps(
        {
            "deed": deed,
            "at": now.isoformat(timespec="seconds"),
            "code": importlib.metadata.version("asco_dagster"),
            **details,
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
