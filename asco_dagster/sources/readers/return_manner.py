"""Whether the tabs of a workbook are written in the ordinary manner, so that none of them need be parsed.

Every tag and every attribute of all tabs is looked at, at once and as bytes: numpy does in a tenth of a
millisecond what an XML parser does in two. Whatever is out of the ordinary asks for a parse, harmless or not,
so this may err in one direction only. Does not belong here: what is refused then (``return_sheets``).
"""

from collections.abc import Iterable

import numpy as np

_PLACE = np.arange(3, 11)  # where the place of a cell stands, behind its ``<``: ``r="C12"``
_LARGE = 4 * 1024 * 1024  # the search takes ten times as much; the tabs of an ordinary return are a fiftieth
_BEYOND = bytes(16)  # nothing, so that one may look behind the last sign
_A, _Z, _0, _9 = b"AZ09"


def are_plain(tabs: Iterable[bytes]) -> bool:
    """Whether no tab holds a formula, an error, a cell far away, a hidden stretch, or an unmatched tag.

    Args:
        tabs: XML of each, as ``return_packing.cells_of`` leaves it.
    """
    joined = b"".join([part[part.find(b"<", part.find(b"?>", 0, 200) + 1) :] for part in tabs])
    if len(joined) > _LARGE:
        return False
    if b"\n" in joined or b"\t" in joined or b"\r" in joined:  # white space in which an attribute could hide
        return False
    signs = np.frombuffer(joined + _BEYOND, np.uint8)
    begins = signs == ord("<")
    return _tags_are_plain(signs, begins) and _attributes_are_plain(signs) and _cells_are_near(signs, begins)


def _tags_are_plain(signs: np.ndarray, begins: np.ndarray) -> bool:
    """As many tags closed as opened, no formula, no comment, no section, no cell under a prefix."""
    ends, slash = signs == ord(">"), signs == ord("/")
    opened, closed = np.count_nonzero(begins), np.count_nonzero(begins[:-1] & slash[1:])
    alone = np.count_nonzero(slash[:-1] & ends[1:])
    # The library forgives a lost tag, and with it loses an answer.
    if opened != np.count_nonzero(ends) or opened != 2 * closed + alone:
        return False
    if (begins[:-1] & ((signs[1:] == ord("!")) | (signs[1:] == ord("?")))).any():
        return False
    named = begins | (signs == ord(":"))  # a name begins here, or goes on after its prefix
    formulas = np.flatnonzero(named[:-1] & (signs[1:] == ord("f")))
    cells = np.flatnonzero((signs[:-1] == ord(":")) & (signs[1:] == ord("c")))
    return not any(signs[at + 2] in b" />" for at in (*formulas, *cells))


def _attributes_are_plain(signs: np.ndarray) -> bool:
    """Every attribute is written plainly, and every type is one of those that hold a value."""
    equals, quotes, spaces = signs == ord("="), signs == ord('"'), signs == ord(" ")
    if (equals[:-1] & ~quotes[1:]).any() or (equals[1:] & spaces[:-1]).any():
        return False
    if np.count_nonzero(quotes) != 2 * np.count_nonzero(equals):
        return False
    types = np.flatnonzero(spaces[:-2] & (signs[1:-1] == ord("t")) & equals[2:])
    first, second = signs[types + 4], signs[types + 5]
    is_s, goes_on = first == ord("s"), second != ord('"')
    short = ((first == ord("n")) | is_s | (first == ord("b")) | (first == ord("d"))) & ~goes_on
    inline = (first == ord("i")) & (second == ord("n")) & quotes[types + 13]
    formula = is_s & (second == ord("t")) & quotes[types + 7]
    return bool((short | inline | formula).all())  # ``inlineStr`` and ``str`` are the long ones


def _cells_are_near(signs: np.ndarray, begins: np.ndarray) -> bool:
    """Every cell says its place first, and that is within column Z and row 999."""
    named = np.flatnonzero(begins[:-1] & (signs[1:] == ord("c")))
    after = signs[named + 2]
    cells = named[after == ord(" ")]
    if np.count_nonzero(after == ord("o")) + len(cells) != len(named):  # other than ``<col`` and ``<cols``
        return False
    place = signs[cells[:, np.newaxis] + _PLACE].T
    digit, quote = (place >= _0) & (place <= _9), place == ord('"')
    told = (place[0] == ord("r")) & (place[1] == ord("=")) & quote[2]
    letter = (place[3] >= _A) & (place[3] <= _Z)
    row = digit[4] & (quote[5] | (digit[5] & (quote[6] | (digit[6] & quote[7]))))
    return bool((told & letter & row).all())
