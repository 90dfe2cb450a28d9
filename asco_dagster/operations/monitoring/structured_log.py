"""Logs as one JSON object per line, if ``ASCO_LOG_FORMAT`` is ``json``; redacted as notices are."""

import datetime as dt
import json
import logging
import sys
from collections.abc import Callable

from asco_dagster.operations.monitoring.notices import redacted
from asco_dagster.settings import Settings

Say = Callable[[str], None]


class JsonFormatter(logging.Formatter):
    """A log record as a JSON object: time, level, logger, message, class of an exception."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = line_of(self._settings, record.levelname.lower(), record.getMessage(), logger=record.name)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__  # its message may quote data
        return json.dumps(line, ensure_ascii=False)


def line_of(settings: Settings, level: str, message: str, **more: str) -> dict[str, str]:
    """Fields of a line."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    return {"at": now, "level": level, **more, "message": redacted(message, settings)}


def formatter(settings: Settings, say: Say, **more: str) -> Say:
    """A function that prints each line in the format of the settings.

    ``more`` are further fields of every line in JSON, for example the wave.
    """
    if settings.log_format != "json":
        return say

    def formatted(line: str) -> None:
        level = "error" if line.startswith("asco:") or line.strip().startswith("CLOSED") else "info"
        say(json.dumps(line_of(settings, level, line, **more), ensure_ascii=False))

    return formatted


def set_up_logging(settings: Settings) -> None:
    """Make Python's logging write JSON to standard error, if that is the format."""
    if settings.log_format == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter(settings))
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
