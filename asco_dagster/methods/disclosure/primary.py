"""Primary suppression: the cells that are sensitive by themselves, and the rule that says so.

Each cell is judged alone, on its own respondents. What must be suppressed so that these cells cannot be
recomputed is the matter of ``secondary``.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure.rules import AUXILIARY, KEYS, DisclosureRules

FREQUENCY = "fewer respondents than the threshold"
GROUP = "group disclosure"
FEW_POSITIVE = "numerator or complement resting on too few respondents"
DOMINANCE = "dominance of the largest contributor"

_EXTREME = 1e-9  # a share this close to 0 or 1 is one: weights are floats


def primary(
    cells: pd.DataFrame, rules: DisclosureRules, magnitudes: Collection[str] | None = None
) -> pd.DataFrame:
    """Status of every cell by the primary rules.

    Frequency (A): fewer respondents than ``threshold``, unweighted. Group disclosure (A): share of exactly
    0 % or 100 % with fewer respondents than ``group_threshold``. Few positive (A): numerator or complement
    resting on 1 to ``minimum_positive`` − 1 respondents. Dominance (B), totals only: largest unweighted
    contribution above ``dominance`` × the weighted total or, by ``weighted_dominance``, the largest weighted
    one. Source: InseeFrLab, *manuel de protection des tableaux*.

    Args:
        cells: one row per ``KEYS`` with ``respondents`` and the columns of ``contributions``.
        rules: of the wave.
        magnitudes: indicators (amounts, staff) to which dominance applies; None: every total.

    Returns:
        The frame with ``status`` (``V``, ``A``, ``B``) and ``reason`` ("" where V), rows as they came.

    Raises:
        DisclosureError: columns are missing, keys repeat, or what the rules need is empty.
    """
    _demand(cells)
    respondents = cells["respondents"].to_numpy(float)
    share = cells["statistic"].isin(["share", "population_share"]).to_numpy()
    positive = cells["positive_respondents"].to_numpy(float)
    numerator = cells["numerator"].to_numpy(float)
    denominator = cells["denominator"].to_numpy(float)
    total = (cells["statistic"] == "total").to_numpy()
    if magnitudes is not None:
        total = total & cells["indicator"].isin(list(magnitudes)).to_numpy()
    slack = _EXTREME * np.maximum(denominator, 1.0)
    extreme = share & ((numerator <= slack) | (numerator >= denominator - slack))
    lone = (positive > 0) & (positive < rules.minimum_positive)
    lone |= share & (respondents > positive) & (respondents - positive < rules.minimum_positive)
    largest = cells["largest"].to_numpy(float)
    if rules.weighted_dominance:
        largest = np.maximum(largest, cells["largest_weighted"].to_numpy(float))
    verdicts = [
        (respondents < rules.threshold, "A", FREQUENCY),
        (total & (numerator > 0) & (largest > rules.dominance * numerator), "B", DOMINANCE),
        (extreme & (respondents < rules.group_threshold), "A", GROUP),
        (lone, "A", FEW_POSITIVE),
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
            f"{int(repeated.sum())} cells stand twice, first {first}", expected="one row a cell"
        )
    blank = cells[needed].isna().any()
    if blank.any():
        raise DisclosureError(
            f"empty values in {', '.join(blank.index[blank])}",
            expected="a number in every cell that is to be judged",
            remedy="Leave out cells without any respondent: nothing is released for them",
        )
    if (cells["respondents"] < 1).any():
        raise DisclosureError(
            f"{int((cells['respondents'] < 1).sum())} cells have no respondent",
            remedy="Leave them out: nothing is released for them",
        )
