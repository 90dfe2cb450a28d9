"""Logs for machines: every line is one JSON object, and no secret is in it."""

import json
import logging
import sys
from dataclasses import replace

from asco_dagster.operations.monitoring.structured_log import JsonFormatter, formatter
from asco_dagster.settings import Settings


def test_every_line_is_an_object_with_its_wave_and_level(settings: Settings) -> None:
    told: list[str] = []
    own = replace(settings, log_format="json", pseudonym_key="k" * 40)
    tell = formatter(own, told.append, wave="2014")
    tell("  1/47  raw_a__b   12 rows")
    tell("        CLOSED  gx__raw_a__b: too\nfew")
    tell(f"asco: the key {'k' * 40} is wrong")
    lines = [json.loads(line) for line in told]
    assert [line["level"] for line in lines] == ["info", "error", "error"]
    assert {line["wave"] for line in lines} == {"2014"}
    assert lines[1]["message"] == "CLOSED gx__raw_a__b: too few"
    assert lines[2]["message"] == "asco: the key *** is wrong"


def test_text_stays_as_it_is(settings: Settings) -> None:
    told: list[str] = []
    formatter(settings, told.append, wave="2014")("  1/47  raw_a__b")
    assert told == ["  1/47  raw_a__b"]


def test_a_record_keeps_its_logger_and_quotes_no_error(settings: Settings) -> None:
    try:
        raise ValueError("Mme Dupont")
    except ValueError:
        record = logging.LogRecord("dagster", logging.ERROR, "f", 1, "step %s", ("x",), sys.exc_info())
    line = json.loads(JsonFormatter(settings).format(record))
    assert (line["logger"], line["message"], line["error"]) == ("dagster", "step x", "ValueError")
    assert "Dupont" not in json.dumps(line)
