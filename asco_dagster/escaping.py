"""Delivered text where people read it: file names, cells and answers may hold anything, to be shown as it is.

HTML is escaped by the templates, and tables of Dagster's pages show plain text; these are for the other
places.
"""

import html
import re
import unicodedata

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's control, format, surrogate and separator characters
_MARKDOWN = re.compile(r"[<>`*_~|\\&!#@]|\][(\[:]|://|\bwww\.|\bmailto:|^(?:[-+]|\d+[.)]) ", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"
_ACTIVE = re.compile(r"@|\](?=[(\[:])|://|\bwww\.|\bmailto:", re.IGNORECASE)


def on_one_line(text: str) -> str:
    r"""A text that cannot move a terminal's cursor, change colours or turn the reading direction.

    Blanks and line breaks become one blank each; other invisible characters are written as ``\x1b`` is here.
    """
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _INVISIBLE
        else character
        for character in " ".join(text.split())
    )


def in_markdown(text: str) -> str:
    """A text as Markdown that displays it unchanged: as it is if it has no markup, else as a span of code.

    Dagster's pages read the descriptions of results as Markdown, and take addresses for links even when they
    are escaped, but not within code.
    """
    shown = on_one_line(text)
    if not _MARKDOWN.search(shown):
        return shown
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def in_chat(text: str) -> str:
    """A text in which a chat server finds no link, no picture, no mention and no markup of its own.

    Slack and Mattermost ask that ``&``, ``<`` and ``>`` be written as entities; a blank of no width breaks
    what they would make active beside.
    """
    return _ACTIVE.sub(lambda found: found[0] + _ZERO_WIDTH_SPACE, html.escape(text, quote=False))
