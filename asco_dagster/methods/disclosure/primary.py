"""Primary suppression: the cells that are sensitive by themselves, and the rule that says so.

Each cell is judged alone, on its respondents. What must be suppressed so that these cells cannot be
recomputed is the matter of ``masks``.
"""

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS, TOTAL, DisclosureRules

FREQUENCY = "fewer respondents than the threshold"
GROUP = "group disclosure"
DOMINANCE = "dominance of the largest contributor"
POPULATION = "the largest population decides its answer"

_EXTREME = 1e-9  # a share this close to 0 or 1 is one: weights are floats


def primary(cells: pd.DataFrame, rules: DisclosureRules) -> pd.DataFrame:
    """Status of every cell by the primary rules.

    Frequency (A): fewer respondents than ``threshold``, unweighted. Group disclosure (A): a share of exactly
    0 % or 100 %, or an amount of exactly 0, with fewer respondents than ``group_threshold``. Dominance (B),
    totals: the largest contribution, unweighted or weighted, above ``dominance`` × the weighted total.
    Source: InseeFrLab, *manuel de protection des tableaux*. Population (B), shares of population: the largest
    population of the cell exceeds that of the units that say yes, or of those that say no, so that its answer
    follows from the share; not where all answer alike, which is group disclosure. Of a total only the units
    of classes count in which not all answer alike (``undecided``).

    Args:
        cells: one row per ``KEYS`` with the columns of ``contributions``.
        rules: of the wave.

    Returns:
        The frame with ``status`` (``V``, ``A``, ``B``) and ``reason`` ("" where V), rows as they came;
        ``largest`` and ``largest_weighted`` of shares of population as ``undecided`` leaves them.

    Raises:
        DisclosureError: columns are missing, keys repeat, or what the rules need is empty.
    """
    _require_complete(cells)
    cells = undecided(cells, saturated(cells, rules))
    respondents = cells["respondents"].to_numpy(float)
    numerator, denominator = (cells[name].to_numpy(float) for name in ("numerator", "denominator"))
    total = (cells["statistic"] == "total").to_numpy()
    people = (cells["statistic"] == "population_share").to_numpy()
    slack = _EXTREME * np.maximum(denominator, 1.0)
    nothing, everything = numerator <= slack, ~total & (numerator >= denominator - slack)
    largest = np.maximum(cells["largest"].to_numpy(float), cells["largest_weighted"].to_numpy(float))
    decided = largest >= np.minimum(numerator, denominator - numerator)
    verdicts = [
        (respondents < rules.threshold, "A", FREQUENCY),
        ((nothing | everything) & (respondents < rules.group_threshold), "A", GROUP),
        (total & (numerator > 0) & (largest > rules.dominance * numerator), "B", DOMINANCE),
        (people & ~nothing & ~everything & decided, "B", POPULATION),
    ]
    holds = [verdict[0] for verdict in verdicts]
    status = np.select(holds, [verdict[1] for verdict in verdicts], "V")
    reason = np.select(holds, [verdict[2] for verdict in verdicts], "")
    return cells.assign(status=status.astype(object), reason=reason.astype(object))


def saturated(cells: pd.DataFrame, rules: DisclosureRules) -> np.ndarray:
    """Shares of 0 or 100 % on so many respondents that they may be published; shape (cells,)."""
    numerator, denominator = (cells[name].to_numpy(float) for name in ("numerator", "denominator"))
    slack = _EXTREME * np.maximum(denominator, 1.0)
    extreme = (numerator <= slack) | (numerator >= denominator - slack)
    many = cells["respondents"].to_numpy(float) >= rules.group_threshold
    return np.asarray(extreme & many & (cells["statistic"] != "total").to_numpy())


def undecided(cells: pd.DataFrame, given: np.ndarray) -> pd.DataFrame:
    """The cells, with the largest population of each total that no published class gives away.

    Where all of a size class say yes, and enough of them answered for that to be published, the total reveals
    nothing more of its largest town.

    Args:
        cells: one row per ``KEYS`` with ``largest`` and ``largest_weighted``.
        given: classes of one answer that are published, shape (cells,).
    """
    keys, numbers = [key for key in KEYS if key != "size_class"], ["largest", "largest_weighted"]
    people, total = cells["statistic"] == "population_share", cells["size_class"] == TOTAL
    classes = cells.loc[people & ~total, [*keys, *numbers]].assign(given=given[people & ~total])
    groups = classes.groupby(keys, observed=True)["given"].transform("any")
    left = classes[groups & ~classes["given"]].groupby(keys, observed=True)[numbers].max()
    affected = classes.loc[groups, keys].drop_duplicates().assign(affected=True)
    made = cells.copy()
    rows = np.flatnonzero(people & total)
    own = cells.iloc[rows][keys].merge(affected, on=keys, how="left")
    own = own.merge(left.reset_index(), on=keys, how="left")
    change = own["affected"].notna().to_numpy()
    for name in numbers:
        values = made[name].to_numpy(float).copy()
        values[rows[change]] = own.loc[change, name].fillna(0.0)
        made[name] = values
    return made


def _require_complete(cells: pd.DataFrame) -> None:
    """Refuse a frame on which the rules would silently find nothing."""
    needed = [*KEYS, "respondents", "weighted_units", *AUXILIARY[:-1]]
    missing = [column for column in needed if column not in cells.columns]
    if missing:
        raise DisclosureError(
            f"the cells lack {', '.join(missing)}",
            expected="the estimates joined with the result of contributions()",
            remedy="Join the contributions before judging the cells",
        )
    repeated = cells.duplicated(list(KEYS))
    if repeated.any():
        first = " × ".join(map(str, cells.loc[repeated, list(KEYS)].iloc[0]))
        raise DisclosureError(
            f"{int(repeated.sum())} cells appear twice, first {first}", expected="one row per cell"
        )
    blank = cells[needed].isna().any()
    if blank.any():
        names = ", ".join(blank.index[blank])
        raise DisclosureError(
            f"the cells have no value in {names}",
            expected="a value in every cell that has a respondent",
            remedy="Leave cells without any respondent out",
        )
