"""Primary suppression: the cells that are sensitive by themselves, and the rule that says so.

Each cell is judged alone, on its own respondents. What must be suppressed so that these cells cannot be
recomputed is the matter of ``masks``.
"""

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS, DisclosureRules

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
    follows from the share; not where all answer alike, which is group disclosure.

    Args:
        cells: one row per ``KEYS`` with the columns of ``contributions``.
        rules: of the wave.

    Returns:
        The frame with ``status`` (``V``, ``A``, ``B``) and ``reason`` ("" where V), rows as they came.

    Raises:
        DisclosureError: columns are missing, keys repeat, or what the rules need is empty.
    """
    _demand(cells)
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


def _demand(cells: pd.DataFrame) -> None:
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
            f"{int(repeated.sum())} cells appear twice, first {first}", expected="one row a cell"
        )
    blank = cells[needed].isna().any()
    if blank.any():
        names = ", ".join(blank.index[blank])
        raise DisclosureError(
            f"the cells have no value in {names}",
            expected="a value in every cell that has a respondent",
            remedy="Leave cells without any respondent out",
        )
