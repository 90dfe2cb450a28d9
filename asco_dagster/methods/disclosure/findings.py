"""What the interval of a suppressed number reveals: the number, too much of it, or the answer of a unit."""

import numpy as np

from asco_dagster.methods.disclosure.inference import Inference, Relations
from asco_dagster.methods.disclosure.view import EXTREME, SHARES, System

NEAR = 1e-6  # relative: intervals narrower than this are points
_REACHED = 0.995  # of the farthest that a cell can move, as far as a mask lets it


def finding_of(system: System, one: int, low: float, high: float, tolerance: float) -> dict:
    """What an interval of a numerator reveals."""
    share = system.statistic in SHARES
    whole_low, whole_high = system.whole_low[one], system.whole_high[one]
    if share:
        least = low / whole_high if whole_high > 0 and np.isfinite(whole_high) else 0.0
        most = min(high / whole_low, 1.0) if whole_low > 0 else 1.0
    else:
        least, most = low, high
    scale = 1.0 if share else max(most, 1e-9)
    exact = bool(
        np.isfinite(most) and (high - low <= tolerance or most - least <= max(system.step, NEAR * scale))
    )
    close = system.informed and bool(_too_close(system, one, low, high))
    return {
        "low": least,
        "high": most,
        "width": most - least,
        "exact": exact,
        "too_close": close,
        "answers": _answers(system, one, least, most) if share else 0,
        "by": "anyone" if close or exact else "",
    }


def _answers(system: System, one: int, least: float, most: float) -> int:
    """Units whose answer is certain: all of a cell that is 0 or 100 % and can be nothing else.

    Of so many respondents as the rule for whole groups requires, 0 and 100 % may be published.
    """
    if not system.informed:  # who does not know how many answered is certain of 0 and 100 % only
        near = max(system.step, NEAR)
        return int(most <= near or least >= 1.0 - near)
    respondents = system.respondents[one]
    value, whole = system.values[one], system.whole_high[one]
    near = EXTREME * max(whole, 1.0)
    # Below one unit of average weight there may still be the yes of a lighter one: then nothing is certain.
    if near < value < whole - near or respondents >= system.rules.group_threshold:
        return 0
    unit = 0.5 / max(respondents, 1.0)
    return int(respondents) if most < unit or least > 1.0 - unit else 0


def _too_close(system: System, one: int, low: float, high: float) -> bool:
    """Whether a cell with an interval cannot move as far as the rules require, or a correction shows."""
    least, most = required_range(system, one)
    return bool(low > least or high < most)


def required_range(system: System, one: int, part: float = 1.0, own: float = 0.0) -> tuple[float, float]:
    """The values that must remain possible: infinite the wrong way round where nothing is required.

    Args:
        system: of the cell.
        one: its column.
        part: of the cell's units that is not the insider's.
        own: the insider's value in it.

    Returns:
        The least must be at most the first, the largest at least the second.
    """
    value, least, most = system.values[one], np.inf, -np.inf
    if part == 1.0 and system.correction[one]:  # the value without the correction must remain possible
        wanted, near = system.correction[one], 1e-4 * abs(system.correction[one]) + system.step
        least, most = value + min(wanted, 0.0) + near, value + max(wanted, 0.0) - near
    if system.status[one] not in ("A", "B"):
        return least, most
    whole, rules = system.whole_high[one], system.rules
    if system.statistic == "share":
        up = down = float(rules.share_level(np.array([system.respondents[one]]))[0]) * whole * part
        room = (whole * part - (value - own), value - own)
    elif system.statistic == "population_share":
        up = max(system.largest[one] - value, 0.0)
        down = max(system.largest[one] - (whole - value), 0.0)
        room = (whole * part - (value - own), value - own)
    else:
        down = rules.protection * (value - own)
        up = rules.protection * (value - own) if value > 0 else NEAR
        if system.status[one] == "B":
            up = max(up, system.largest[one] / rules.dominance - value)
        room = (np.inf, value - own)
    near = 1e-4 * max(value, whole if system.statistic in SHARES else value, 1e-9) + system.step
    return min(least, value - min(down, room[1]) + near), max(most, value + min(up, room[0]) - near)


def dismiss_implied(system: System, relations: Relations, found: Inference, rows: dict[int, dict]) -> None:
    """Take back what is no finding of this version.

    That is what open cells of 0 or 100 % alone imply: on so many respondents they may be published, and no
    mask hides more than they leave open; and what an earlier version published and nothing changed since.
    """
    caught = [one for one, row in rows.items() if row["too_close"] or row["answers"] or row["exact"]]
    if not caught:
        return
    low, high = implied_bounds(system)
    alone = Inference(relations, low, high)
    alone.enclose(caught)
    for one in caught:
        row = rows[one]
        published = system.known[one] and not system.correction[one]
        if published or alone.high[one] - alone.low[one] <= alone.tolerance:
            row.update(exact=False, too_close=False, answers=0, by="")
        elif row["too_close"] and not row["exact"] and not row["answers"]:
            close = _closer_than_implied(
                system, one, (found.low[one], found.high[one]), (alone.low[one], alone.high[one])
            )
            row.update(too_close=close, by="anyone" if close else "")


def _closer_than_implied(
    system: System, one: int, seen: tuple[float, float], implied: tuple[float, float]
) -> bool:
    """Whether an interval is narrower than what the rules require and what is implied anyway."""
    value, (least, most) = system.values[one], required_range(system, one)
    least = max(least, value - _REACHED * (value - implied[0]))
    most = min(most, value + _REACHED * (implied[1] - value))
    return bool(seen[0] > least or seen[1] < most)


def implied_bounds(system: System) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the columns when only open cells of 0 or 100 % with enough respondents are published."""
    share = system.statistic in SHARES
    whole = system.whole_high
    near = EXTREME * np.maximum(whole, 1.0)
    extreme = (system.values <= near) | (share & (system.values >= whole - near))
    may = ~system.hidden & extreme & (system.respondents >= system.rules.group_threshold)
    empty = system.respondents == 0
    low = np.where(may, system.values, 0.0)
    high = np.where(may, system.values, whole if share else np.where(empty, 0.0, np.inf))
    return low, np.where(empty, 0.0, high)
