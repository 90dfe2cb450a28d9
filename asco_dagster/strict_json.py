"""JSON read strictly, for files that people edit or that a fault may have damaged.

Python's reader takes the last of two equal keys, ``NaN``, numbers too large to hold and half a character;
each would make a file say less than it shows.
"""

import json
import math
from pathlib import Path
from typing import Any


class JsonFault(ValueError):  # noqa: N818 # a fault of a file, which the caller makes a sentence of
    """Why a text is not JSON that can be trusted.

    Args:
        what: in plain words.
        row: line of the text, from 1, where that is known.
    """

    def __init__(self, what: str, row: int | None = None) -> None:
        super().__init__(what)
        self.what, self.row = what, row


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        OSError: the file cannot be read.
        JsonFault: it is empty, no UTF-8, no JSON, or JSON that readers disagree on.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonFault(f"not valid UTF-8 at byte {error.start}") from error
    return parse_json(text)


def parse_json(text: str) -> Any:
    """The content of a JSON text; raises ``JsonFault`` as :func:`read_json`."""
    if not text.strip():
        raise JsonFault("the file is empty")
    if "\0" in text:
        raise JsonFault("not valid JSON: it holds null bytes, as a file that was lost at a power cut")
    try:
        content = json.loads(
            text, object_pairs_hook=_each_key_once, parse_constant=_no_number, parse_float=_finite
        )
        json.dumps(content, ensure_ascii=False).encode()  # half a character passes the reader
    except JsonFault:
        raise
    except json.JSONDecodeError as error:
        raise JsonFault(f"not valid JSON: {error.msg}", error.lineno) from error
    except UnicodeEncodeError as error:
        raise JsonFault("not valid JSON: it holds half of a character") from error
    except RecursionError as error:
        raise JsonFault("not valid JSON: it is nested too deeply") from error
    except ValueError as error:  # Python's limit on the digits of a whole number
        raise JsonFault("not valid JSON: a number is too long") from error
    return content


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise JsonFault(f"the key “{twice}” occurs twice")
    return found


def _no_number(name: str) -> Any:
    raise JsonFault(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JsonFault(f"{text} is too large a number")
    return value
