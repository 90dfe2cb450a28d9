"""Whether the tabs of a workbook are written in the usual manner, so that the library reads them as they are.

The tags of all tabs are looked at, at once and as bytes: each must be one of a dozen, and follow one that it
may follow. numpy does in a fraction of a millisecond what an XML parser does in two. Whatever is unusual asks
for a parse, harmless or not, so this may err in one direction only. Does not belong here: what is read or
refused then (``return_cells``).
"""

import re
from collections.abc import Iterable

import numpy as np

_LARGE = 4 * 1024 * 1024  # the search takes ten times as much; the tabs of an ordinary return are a fiftieth
_BEYOND = bytes(32)  # nothing, so that one may look behind the last sign
_A, _Z, _0, _9 = b"AZ09"
_PLACE = np.arange(3, 11)  # where the place of a cell is, behind its ``<``: ``r="C12"``
_START, _END = b"<sheetData>", b"</sheetData></worksheet>"

# The tags by their first two letters, the third where it can differ, and whether their length is known.
_TAGS = ("sh", "/s", "ro", "/r", "c ", "/c", "v>", "/v", "is", "/i", "t>", "t ", "/t")
_THIRD = "ehwor>\0>>s\0x>"
_LENGTH = (11, 12, 0, 6, 0, 4, 3, 4, 4, 5, 3, 24, 4)  # ``<t xml:space="preserve">`` has 24 signs
_SHEET, _SHEET_END, _ROW, _ROW_END, _CELL, _CELL_END, _V, _V_END, _IS, _IS_END, _T, _T_KEPT, _T_END = range(
    1, len(_TAGS) + 1
)
_ROW_ALONE, _CELL_ALONE = len(_TAGS) + 1, len(_TAGS) + 2
_MAY_FOLLOW = {
    _SHEET: (_ROW, _ROW_ALONE),
    _SHEET_END: (_SHEET,),
    _ROW: (_CELL, _CELL_ALONE, _ROW_END),
    _ROW_ALONE: (_ROW, _ROW_ALONE, _SHEET_END),
    _ROW_END: (_ROW, _ROW_ALONE, _SHEET_END),
    _CELL: (_V, _IS),
    _CELL_ALONE: (_CELL, _CELL_ALONE, _ROW_END),
    _CELL_END: (_CELL, _CELL_ALONE, _ROW_END),
    _V: (_V_END,),
    _V_END: (_CELL_END,),
    _IS: (_T, _T_KEPT),
    _IS_END: (_CELL_END,),
    _T: (_T_END,),
    _T_KEPT: (_T_END,),
    _T_END: (_IS_END,),
}
_MAY_CLOSE = np.isin(np.arange(256), list(b" />"))  # what may be behind the value of an attribute
_ENDS = np.isin(np.arange(256), list(b"/>"))  # what ends a tag
_MAY_NAME = np.array([chr(sign).isascii() and chr(sign).isalpha() for sign in range(256)])  # a name
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]*(?::[A-Za-z][A-Za-z0-9]*)?")
_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")


def _codes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Code by the first two letters of a tag; third letter, length and followers by code."""
    of_letters = np.zeros(65_536, np.uint8)
    third, length = np.zeros(256, np.uint8), np.zeros(256, np.int64)
    for code, (tag, sign, size) in enumerate(zip(_TAGS, _THIRD, _LENGTH, strict=True), 1):
        of_letters[ord(tag[0]) << 8 | ord(tag[1])] = code
        third[code], length[code] = ord(sign), size
    follows = np.zeros((256, 256), bool)
    for code, after in _MAY_FOLLOW.items():
        follows[code, list(after)] = True
    return of_letters, third, length, follows


_OF_LETTERS, _THIRD_OF, _LENGTH_OF, _FOLLOWS = _codes()


def are_plain(tabs: Iterable[bytes]) -> bool:
    """Whether the library reads every cell of the tabs as XML says it.

    Args:
        tabs: XML of each, as ``return_packing.cells_of`` leaves it.
    """
    bodies = []
    for part in tabs:
        start = part.find(_START)
        if start < 0 or start != part.find(b"<sheetData") or not part.endswith(_END):
            return False
        if b"<!" in part[:start] or b"<?" in part[6:start]:
            return False
        bodies.append(part[start : -len(b"</worksheet>")])
    joined = b"".join(bodies)
    if not joined or len(joined) > _LARGE:
        return False
    if not joined.isascii() and not _is_text(joined):
        return False
    signs = np.frombuffer(joined + _BEYOND, np.uint8)
    if (signs[: len(joined)] < ord(" ")).any():  # white space hides attributes
        return False
    begins, ends = np.flatnonzero(signs == ord("<")), np.flatnonzero(signs == ord(">"))
    if len(begins) != len(ends) or (ends < begins).any() or (begins[1:] < ends[:-1]).any():
        return False
    tags = _known_tags(signs, begins, ends)
    return (
        tags is not None
        and _texts_are_plain(joined, signs, begins, ends, tags)
        and _attributes_are_plain(signs, begins, ends, tags)
        and _cells_are_in_place(signs, begins, tags)
    )


def _is_text(part: bytes) -> bool:
    try:
        part.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def are_plain_texts(part: bytes) -> bool:
    """Whether the library reads the shared texts as XML says them: no comment, section or reference."""
    after = part.find(b"?>", 0, 200) + 1
    return (
        b"<!" not in part
        and b"<?" not in part[after:]
        and b"<si/>" not in part
        and b"<si />" not in part
        and (b"&" not in part or _ENTITY.search(part) is None)
    )


def _known_tags(signs: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """The code of each tag; None when one is unknown or follows another that it may not follow."""
    tags = _OF_LETTERS[(signs[begins + 1].astype(np.int64) << 8) | signs[begins + 2]]
    third, length = _THIRD_OF[tags], _LENGTH_OF[tags]
    wrong = (tags == 0) | ((third > 0) & (third != signs[begins + 3]))
    wrong |= (length > 0) & (length != ends - begins + 1)
    wrong |= (tags == _ROW) & ~_MAY_CLOSE[signs[begins + 4]]
    if wrong.any():
        return None
    alone = signs[ends - 1] == ord("/")
    tags = np.where(alone & (tags == _ROW), _ROW_ALONE, np.where(alone & (tags == _CELL), _CELL_ALONE, tags))
    if tags[0] != _SHEET or tags[-1] != _SHEET_END or not _FOLLOWS[tags[:-1], tags[1:]].all():
        return None
    return tags


def _texts_are_plain(
    joined: bytes, signs: np.ndarray, begins: np.ndarray, ends: np.ndarray, tags: np.ndarray
) -> bool:
    """Text is only where a value is, and has no references but the five named ones, in texts alone."""
    holds = (tags == _V) | (tags == _T) | (tags == _T_KEPT)
    if (begins[1:] != ends[:-1] + 1)[~holds[:-1]].any():
        return False
    if b"&" not in joined:
        return True
    holders = tags[np.searchsorted(begins, np.flatnonzero(signs == ord("&"))) - 1]
    return bool(((holders == _T) | (holders == _T_KEPT)).all()) and _ENTITY.search(joined) is None


def _attributes_are_plain(signs: np.ndarray, begins: np.ndarray, ends: np.ndarray, tags: np.ndarray) -> bool:
    """Attributes are written plainly, none twice, and the type of a cell is that of what it holds."""
    equals, quotes, spaces = signs == ord("="), signs == ord('"'), signs == ord(" ")
    if (equals[:-1] & ~quotes[1:]).any() or (equals[1:] & ~_MAY_NAME[signs[:-1]]).any():
        return False
    if np.count_nonzero(quotes) != 2 * np.count_nonzero(equals):
        return False
    closing = np.flatnonzero(quotes)[1::2]
    after, slash, more = signs[closing + 1], ord("/"), ord(">")
    if not _MAY_CLOSE[after].all() or (signs[closing + 2][after == slash] != more).any():
        return False
    if not _names_are_plain(signs, begins, ends, tags, np.flatnonzero(spaces), np.flatnonzero(equals)):
        return False
    types = np.flatnonzero(spaces[:-2] & (signs[1:-1] == ord("t")) & equals[2:])
    owners = np.searchsorted(begins, types) - 1
    in_cells = (tags[owners] == _CELL) | (tags[owners] == _CELL_ALONE)
    types, owners = types[in_cells], owners[in_cells]  # elsewhere it is a word of a text
    named = np.flatnonzero(equals)
    named = named[spaces[named - 2]]  # place, style and type have names of one letter
    keys = np.searchsorted(begins, named) * 256 + signs[named - 1]
    if len(np.unique(keys)) < len(keys):
        return False
    first, closed = signs[types + 4], quotes[types + 5]
    short = closed & ((first == ord("n")) | (first == ord("s")) | (first == ord("b")) | (first == ord("d")))
    inline, formula = _written(signs, types + 4, b'inlineStr"'), _written(signs, types + 4, b'str"')
    if not (quotes[types + 3] & (short | inline | formula)).all():
        return False
    held = tags[owners[inline] + 1]
    return bool((held == _IS).all()) and np.count_nonzero(tags == _IS) == len(held)


def _names_are_plain(
    signs: np.ndarray,
    begins: np.ndarray,
    ends: np.ndarray,
    tags: np.ndarray,
    blanks: np.ndarray,
    equals: np.ndarray,
) -> bool:
    """Every blank of a tag is before a name with a value, in cells one of one letter, or before its end."""
    blanks = blanks[blanks < ends[np.searchsorted(begins, blanks) - 1]]
    last = _ENDS[signs[blanks + 1]]
    if ((signs[blanks + 1] == ord("/")) & (signs[blanks + 2] != ord(">"))).any():
        return False
    blanks = blanks[~last]
    if len(blanks) != len(equals) or (blanks > equals - 2).any() or (blanks[1:] < equals[:-1]).any():
        return False
    long = blanks < equals - 2
    owners = tags[np.searchsorted(begins, blanks[long]) - 1]
    if ((owners == _CELL) | (owners == _CELL_ALONE)).any():
        return False
    names = {signs[start + 1 : end].tobytes() for start, end in zip(blanks[long], equals[long], strict=True)}
    return all(_NAME.fullmatch(name) for name in names)


def _written(signs: np.ndarray, places: np.ndarray, word: bytes) -> np.ndarray:
    """Where the word stands at the places."""
    letters = np.frombuffer(word, np.uint8)
    return np.asarray((signs[places[:, np.newaxis] + np.arange(len(letters))] == letters).all(axis=1))


def _cells_are_in_place(signs: np.ndarray, begins: np.ndarray, tags: np.ndarray) -> bool:
    """Every cell says its place first, within column Z and row 999, and after the one before it."""
    which = np.flatnonzero((tags == _CELL) | (tags == _CELL_ALONE))
    place = signs[begins[which][:, np.newaxis] + _PLACE].T
    digit, quote = (place >= _0) & (place <= _9), place == ord('"')
    said = (place[0] == ord("r")) & (place[1] == ord("=")) & quote[2]
    letter = (place[3] >= _A) & (place[3] <= _Z)
    one, two = quote[5], digit[5] & quote[6]
    three = digit[5] & digit[6] & quote[7]
    if not (said & letter & digit[4] & (one | two | three)).all():
        return False
    figures = (place[4:7] - np.uint8(_0)).astype(np.int64)
    row = np.where(one, figures[0], np.where(two, 10 * figures[0] + figures[1], 0))
    row = np.where(three, 100 * figures[0] + 10 * figures[1] + figures[2], row)
    order = row * 32 + place[3] - _A + 2**20 * np.cumsum(tags == _SHEET)[which]
    return bool((order[1:] > order[:-1]).all())
