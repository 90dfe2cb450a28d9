"""When a return was filled in, as far as that can be believed.

A return says its moment itself (the workbook's last save, the export's date of submission), and the archive
says one for each file. Both can be wrong: an anonymised survey of LimeSurvey dates every response
1980-01-01, a zip without dates every file, a clock can be years off, an import gives all returns one moment.
Such a moment counts as none, and the table of returns says why (``moment_flag``):

* ``in_collection``: from the first to the last day of collection (a day of tolerance for time zones);
* ``late``: up to half a year after the last day; it is believed, since corrections come in that time;
* ``before_collection``, ``after_collection``: earlier or later than that; not believed;
* ``constant``: at least three returns of a delivery have a moment and all have the same; not believed;
* ``undated``: there is none.

Pure. Does not belong here: which return counts (``return_settling``).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

MomentFlag = Literal["in_collection", "late", "before_collection", "after_collection", "constant", "undated"]
BELIEVED: frozenset[MomentFlag] = frozenset(("in_collection", "late"))
LATE = dt.timedelta(days=183)
CONSTANT_FROM = 3
"""Returns of one delivery from which the same moment in all of them is no coincidence."""
_ZONES = dt.timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """First and last day of collection."""

    start: dt.date
    end: dt.date


@dataclass(frozen=True, slots=True)
class Claim:
    """What one return says of its moment.

    Attributes:
        delivery: name of the delivery that it came in.
        own: ISO moment that it says itself, None when it says none.
        archive: ISO moment that its archive says.
    """

    delivery: str
    own: str | None
    archive: str | None


def judged(claims: Sequence[Claim], window: Window) -> list[tuple[MomentFlag, str | None]]:
    """Judge the moment of each return.

    Args:
        claims: one a return.
        window: of the collection.

    Returns:
        For each, what is to be said of its claim (its archive's when it makes none itself), and the moment
        that is believed: its own, else its archive's, else None.
    """
    own_constant = _constant((claim.delivery, claim.own) for claim in claims)
    archive_constant = _constant((claim.delivery, claim.archive) for claim in claims)
    found: list[tuple[MomentFlag, str | None]] = []
    for claim in claims:
        own = _flag(claim.own, claim.delivery in own_constant, window)
        archive = _flag(claim.archive, claim.delivery in archive_constant, window)
        believed = claim.own if own in BELIEVED else claim.archive if archive in BELIEVED else None
        found.append((archive if own == "undated" else own, believed))
    return found


def _flag(moment: str | None, is_constant: bool, window: Window) -> MomentFlag:
    if moment is None:
        return "undated"
    day = dt.datetime.fromisoformat(moment).date()
    if day < window.start - _ZONES:
        return "before_collection"
    if day > window.end + LATE:
        return "after_collection"
    if is_constant:
        return "constant"
    return "in_collection" if day <= window.end + _ZONES else "late"


def _constant(moments: Iterable[tuple[str, str | None]]) -> set[str]:
    """The deliveries whose moments are all the same."""
    of_delivery: dict[str, list[str]] = {}
    for delivery, moment in moments:
        if moment is not None:
            of_delivery.setdefault(delivery, []).append(moment)
    return {
        delivery
        for delivery, found in of_delivery.items()
        if len(found) >= CONSTANT_FROM and len(set(found)) == 1
    }
