"""Logs for machines: one JSON object a line, when ``ASCO_LOG_FORMAT`` is ``json``.

Lines of the commands and records of Python's logging take the same form; every text passes through the same
redaction as messages do. What does not belong here: what is said.
"""

import datetime as dt
import json
import logging
import sys
from collections.abc import Callable

from asco_dagster.operations.notices import redacted
from asco_dagster.settings import Settings

Tell = Callable[[str], None]


class JsonFormatter(logging.Formatter):
    """A log record as a JSON object: when, level, logger, message; a traceback's last line as its error."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = line_of(self._settings, record.levelname.lower(), record.getMessage(), logger=record.name)
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__  # its words may quote the data
        return json.dumps(told, ensure_ascii=False)


def line_of(settings: Settings, level: str, message: str, **more: str) -> dict[str, str]:
    """What a line holds."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    return {"at": now, "level": level, **more, "message": redacted(message, settings)}


def teller(settings: Settings, tell: Tell, **more: str) -> Tell:
    """A function that tells each line in the format of the settings.

    Args:
        settings: say the format.
        tell: takes the finished line.
        **more: fields of every line in JSON, for example the wave.
    """
    if settings.log_format != "json":
        return tell

    def told(line: str) -> None:
        level = "error" if line.startswith("asco:") or line.strip().startswith("CLOSED") else "info"
        tell(json.dumps(line_of(settings, level, line, **more), ensure_ascii=False))

    return told


def set_up_logging(settings: Settings) -> None:
    """Let Python's logging write JSON to standard error, when that is the format."""
    if settings.log_format == "json":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter(settings))
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
