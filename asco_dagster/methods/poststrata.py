"""Post-strata with enough respondents: size classes merged within an area by a written rule.

Belongs here: the rule and its log. Does not belong here: the margins themselves (``margins``).
"""

import pandas as pd

from asco_dagster.errors import EstimationError

LOG_COLUMNS = ["area", "merged", "into", "respondents"]


def merge_thin_classes(
    units: pd.DataFrame, frame: pd.DataFrame, *, area: str, minimum: int
) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Merge size classes within each area until every post-stratum has enough respondents.

    The rule: the class with the fewest respondents below ``minimum`` (the smaller class first) merges with
    its neighbour in size that has fewer respondents (the smaller class on a tie); the merged class carries
    the codes of both, joined by ``+``. Repeated until no class is thin. Classes without a unit in the frame
    do not count.

    Args:
        units: respondents, with ``size_class`` and the column ``area``.
        frame: units of the population, with the same columns.
        area: column of the area, for example ``region_code``.
        minimum: fewest respondents of a post-stratum.

    Returns:
        The post-stratum's class of each respondent, that of each frame unit, and the log of merges.

    Raises:
        EstimationError: an area has fewer respondents in all than ``minimum``.

    Source: collapsing of neighbouring post-strata, Särndal, Swensson & Wretman (1992), section 7.6.
    """
    counts = units.groupby([area, "size_class"]).size()
    names: dict[tuple[str, str], str] = {}
    log: list[tuple[str, str, str, int]] = []
    for code, classes in frame.groupby(area)["size_class"]:
        cells = [([name], int(counts.get((code, name), 0))) for name in sorted(classes.unique())]
        if sum(count for _, count in cells) < minimum:
            raise EstimationError(
                f"{area} {code} has {sum(count for _, count in cells)} respondents in all",
                expected=f"at least {minimum}",
                remedy="Lower calibration.minimum_respondents in the wave file, or wait for more returns",
            )
        for members, _ in _merged(str(code), cells, minimum, log):
            names |= {(str(code), member): "+".join(members) for member in members}
    merges = pd.DataFrame(log, columns=LOG_COLUMNS)
    return _named(units, area, names), _named(frame, area, names), merges


def _merged(
    area: str, cells: list[tuple[list[str], int]], minimum: int, log: list[tuple[str, str, str, int]]
) -> list[tuple[list[str], int]]:
    while len(cells) > 1:
        thin = min(range(len(cells)), key=lambda position: cells[position][1])
        if cells[thin][1] >= minimum:
            break
        near = [position for position in (thin - 1, thin + 1) if 0 <= position < len(cells)]
        other = min(near, key=lambda position: cells[position][1])
        first, second = sorted((thin, other))
        log.append((area, "+".join(cells[thin][0]), "+".join(cells[other][0]), cells[thin][1]))
        joined = (cells[first][0] + cells[second][0], cells[first][1] + cells[second][1])
        cells = [*cells[:first], joined, *cells[second + 1 :]]
    return cells


def _named(table: pd.DataFrame, area: str, names: dict[tuple[str, str], str]) -> pd.Series:
    keys = pd.MultiIndex.from_arrays([table[area].astype(str), table["size_class"].astype(str)])
    named = pd.Series(names).reindex(keys).to_numpy()
    return pd.Series(named, index=table.index, name="size_class")
