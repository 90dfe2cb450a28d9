"""Which styles of a workbook show a number as a date, from its ``styles.xml`` alone.

A number format is a date when it is made of the letters of a date. The letters of a literal (``0" hab"``),
of a name (``Standard``, ``Normal``) or of a unit behind digits (``0.0 h``) are none; a workbook library that
only looks for ``d``, ``m``, ``y``, ``h`` or ``s`` takes them for one. Source: ECMA-376 part 1, 18.8.30
(numFmt, with the built-in formats) and 18.8.10 (cellXfs). Does not belong here: cells.
"""

import functools
import re
from collections.abc import Iterable
from xml.etree import ElementTree  # the inspection has refused DTDs

from asco_dagster.sources.readers.refusals import RefusedReturnError

_BUILT_IN = frozenset((*range(14, 23), 45, 46, 47))
"""Built-in formats that are dates or times in every language."""

# What is shown as it is written, or only places and colours: "text", \x, _x (a space), *x (a filling), [Red].
_LITERAL = re.compile(r'"[^"]*"?|[\\_*].?|\[(?!(?:h+|m+|s+)\])[^\]]*\]?', re.IGNORECASE)
_HALF_OF_DAY = re.compile(r"AM/PM|A/P", re.IGNORECASE)
_SECOND_FRACTION = re.compile(r"(s\]?)[.,]0+", re.IGNORECASE)
_DIGIT = re.compile(r"[0#?]")
_WORD = re.compile(r"[^\W\d_]+")
# Year, month, day, hour, minute, second; weekday and era of East Asia; and the letters of a French (jour,
# année) or German (Tag, Jahr) format that a program wrote untranslated.
_DATE_WORD = re.compile(r"[dmyhs]+|j*m*a{2,4}|j+m*|t{1,4}|m*j+|a{3,4}|g*e+|b{2,4}", re.IGNORECASE)


def is_date_format(code: str) -> bool:
    """Whether a number format shows a number as a date, a time or a duration.

    Args:
        code: as the workbook writes it; what is before the first ``;`` shows positive numbers, and dates are
            positive.
    """
    shown = _HALF_OF_DAY.sub("h", _LITERAL.sub(" ", code).partition(";")[0])
    words = _WORD.findall(shown)
    if not words or _DIGIT.search(_SECOND_FRACTION.sub(r"\1", shown)):
        return False
    return all(_DATE_WORD.fullmatch(word) for word in words)


@functools.lru_cache(maxsize=64)
def date_styles(styles: bytes) -> tuple[bool, ...]:
    """For each cell style, in the order in which cells count them, whether it shows a number as a date.

    Args:
        styles: XML of ``xl/styles.xml``.

    Raises:
        RefusedReturnError: it is no XML.
    """
    try:
        sheet = ElementTree.fromstring(styles)  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        raise RefusedReturnError("corrupt") from None
    space = sheet.tag.rpartition("}")[0] + "}" if "}" in sheet.tag else ""
    written = {
        one.get("numFmtId", ""): is_date_format(one.get("formatCode", ""))
        for one in sheet.findall(f"{space}numFmts/{space}numFmt")
    }
    used = (style.get("numFmtId", "0").strip() for style in sheet.findall(f"{space}cellXfs/{space}xf"))
    return tuple(written.get(number, number.isdecimal() and int(number) in _BUILT_IN) for number in used)


@functools.lru_cache(maxsize=64)
def bare_styles(dates: tuple[bool, ...]) -> bytes:
    """A ``styles.xml`` that says of each cell style whether it is a date, and nothing else."""
    return "".join(_bare(dates)).encode()


def _bare(dates: Iterable[bool]) -> Iterable[str]:
    yield '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs>'
    yield from (f'<xf numFmtId="{14 if date else 0}"/>' for date in dates)
    yield "</cellXfs></styleSheet>"
