"""Variance strata: the groups within which respondents are treated as a simple random sample.

Belongs here: their population and the collapsing of groups with one respondent. Does not belong here: the
groups that weights are adjusted in (``response``), and the variance itself (``precision``).

The design behind it: selection and response are two phases; as is common, they are simplified to one, in
which the respondents of a response group are a simple random sample without replacement of the group's units
(response at random within the group). The finite population correction is respondents over population.
"""

from typing import NamedTuple

import pandas as pd

from asco_dagster.errors import EstimationError

LOG_COLUMNS = ["step", "group", "merged_into", "population"]


class VarianceStrata(NamedTuple):
    """Variance stratum of each respondent.

    Attributes:
        strata: ``variance_stratum`` and ``stratum_population``, aligned with the respondents.
        log: one row per merge: ``step``, ``group``, ``merged_into``, ``population`` of the merged stratum.
    """

    strata: pd.DataFrame
    log: pd.DataFrame


def group_populations(sample: pd.DataFrame, groups: pd.Series) -> pd.Series:
    """Units in scope in each response group.

    The frame counts of the group's strata, times the share in scope among its resolved units (weighted by
    the design weights). Without out-of-scope units this is the frame count.

    Args:
        sample: sampled units with ``stratum``, ``stratum_population``, ``design_weight``, ``responded`` and
            optionally ``out_of_scope``.
        groups: response group of each unit, aligned with ``sample``.

    Returns:
        Population by group code.
    """
    strata = pd.DataFrame({"group": groups, "stratum": sample["stratum"], "N": sample["stratum_population"]})
    population = strata.drop_duplicates("stratum").groupby("group")["N"].sum().astype(float)
    if "out_of_scope" not in sample:
        return population.rename("population")
    outside = sample["out_of_scope"].astype(bool)
    weight = sample["design_weight"].astype(float)
    resolved = weight.where(sample["responded"].astype(bool) | outside, 0.0).groupby(groups).sum()
    share = 1 - weight.where(outside, 0.0).groupby(groups).sum() / resolved
    return (population * share).rename("population")


def variance_strata(response_group: pd.Series, populations: pd.Series) -> VarianceStrata:
    """Collapse groups that have one respondent, for one respondent shows no spread.

    The rule. In the order of the group codes, a group with one respondent and more than one unit in its
    population merges with the next group that has respondents (the last one: with the one before). The
    order of the codes keeps size classes of one département side by side. A group whose every unit answered
    has no sampling variance: it stays, and no other merges with it. The merged stratum bears the code of its
    first group.

    Args:
        response_group: group code of each respondent in scope.
        populations: units in scope by group code.

    Returns:
        The variance strata and the log of merges.

    Raises:
        EstimationError: a group has no population, or there is one respondent in all.

    Source: Wolter, *Introduction to Variance Estimation* (2007), section 2.5 (collapsed strata).
    """
    count = response_group.astype(str).value_counts().sort_index()
    known = populations.reindex(count.index).astype(float)
    if known.isna().any():
        raise EstimationError(f"response group {known.index[known.isna()][0]} has no population")
    # Rounding of out-of-scope shares must not leave a population below its own respondents.
    size = {str(code): float(units) for code, units in known.clip(lower=count.astype(float)).items()}
    counts = {str(code): int(number) for code, number in count.items()}
    complete = [[code] for code in counts if size[code] - counts[code] <= 1e-9 * counts[code]]
    merged: list[list[str]] = []
    log: list[tuple[object, ...]] = []
    open_group = False
    for code in counts:
        if [code] in complete:
            continue
        if open_group:
            log.append((len(log) + 1, merged[-1][-1], code, size[merged[-1][-1]] + size[code]))
            merged[-1].append(code)
        else:
            merged.append([code])
        # Only a group that is alone can have one respondent: two groups have two.
        open_group = len(merged[-1]) == 1 and counts[code] == 1
    if open_group:
        merged = _join_last(merged, size, log)
    merged += complete
    stratum = {code: codes[0] for codes in merged for code in codes}
    total = {codes[0]: sum(size[code] for code in codes) for codes in merged}
    strata = pd.DataFrame({"variance_stratum": response_group.astype(str).map(stratum)})
    strata["stratum_population"] = strata["variance_stratum"].map(total)
    return VarianceStrata(strata, pd.DataFrame(log, columns=pd.Index(LOG_COLUMNS)))


def _join_last(
    merged: list[list[str]], size: dict[str, float], log: list[tuple[object, ...]]
) -> list[list[str]]:
    """Merge the last group, left alone with one respondent, into the one before it."""
    if len(merged) == 1:
        raise EstimationError(
            "there is one respondent in all, which shows no sampling error", expected="at least two"
        )
    *before, neighbour, last = merged
    log.append((len(log) + 1, last[0], neighbour[0], sum(size[code] for code in (*neighbour, *last))))
    return [*before, [*neighbour, *last]]
