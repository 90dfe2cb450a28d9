"""Calibration margins: from their specification to a matrix over respondents and totals over the frame.

Belongs here: reading a specification such as "population by région" against frames of units. Does not belong
here: which margins a wave uses (its YAML), and the calibration on them (``calibration``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import EstimationError

SEPARATOR = "|"


@dataclass(frozen=True)
class MarginSpec:
    """One family of margins.

    Attributes:
        name: name of the family, for example ``communes_by_region_and_size``.
        by: columns whose combinations are the categories; none gives one margin over all units.
        value: numeric column to total, for example ``population``; none counts units.
    """

    name: str
    by: tuple[str, ...] = ()
    value: str | None = None


def margin_matrix(units: pd.DataFrame, specs: Sequence[MarginSpec]) -> tuple[sparse.csr_array, list[str]]:
    """The calibration variables of units.

    Args:
        units: one row per respondent, with the columns that the specifications name.
        specs: families of margins, the most important first (of collinear margins the first are kept).

    Returns:
        ``x`` of shape (n, p), sparse, and the p names ``family:category|category``, by family, then by
            category.

    Raises:
        EstimationError: a column lacks or has missing values; two families share a name.
    """
    _check_names(specs)
    blocks, names = [], []
    for spec in specs:
        codes, levels = _categories(units, spec)
        order = np.argsort(np.array(levels, dtype=object), kind="stable")
        place = np.empty(len(levels), dtype=np.intp)
        place[order] = np.arange(len(levels))
        value, rows = _values(units, spec), np.arange(len(units))
        blocks.append(sparse.coo_array((value, (rows, place[codes])), shape=(len(units), len(levels))))
        names += [_label(spec, levels[number]) for number in order]
    if not blocks:
        return sparse.csr_array((len(units), 0)), []
    return sparse.hstack(blocks, format="csr"), names


def margin_totals(frame: pd.DataFrame, specs: Sequence[MarginSpec], names: Sequence[str]) -> np.ndarray:
    """The known totals of the margins, from the frame.

    Args:
        frame: one row per unit of the population, with the columns that the specifications name.
        specs: the specifications that gave ``names``.
        names: margins wanted, as :func:`margin_matrix` names them.

    Returns:
        Totals, shape (p,), in the order of ``names``.

    Raises:
        EstimationError: the frame holds a category that no respondent is in, or lacks one that respondents
            are in; both are listed.
    """
    _check_names(specs)
    totals: dict[str, float] = {}
    for spec in specs:
        codes, levels = _categories(frame, spec)
        sums = np.bincount(codes, weights=_values(frame, spec), minlength=len(levels))
        totals |= {_label(spec, level): float(total) for level, total in zip(levels, sums, strict=True)}
    silent = [name for name, total in totals.items() if name not in set(names) and total != 0]
    unknown = [name for name in names if name not in totals]
    if silent or unknown:
        faults = [f"{len(silent)} without any respondent ({', '.join(silent[:10])})"] if silent else []
        faults += [f"{len(unknown)} absent from the frame ({', '.join(unknown[:10])})"] if unknown else []
        raise EstimationError(
            f"margins of the frame and of the respondents differ: {' and '.join(faults)}",
            remedy="Merge the categories concerned in the frame and in the respondents alike",
        )
    return np.array([totals[name] for name in names])


def _check_names(specs: Sequence[MarginSpec]) -> None:
    """Refuse two families of one name."""
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise EstimationError(f"margin family {twice[0]} is specified twice", expected="one name a family")


def _label(spec: MarginSpec, category: str) -> str:
    """Name of one margin."""
    return f"{spec.name}:{category}" if spec.by else spec.name


def _categories(units: pd.DataFrame, spec: MarginSpec) -> tuple[np.ndarray, list[str]]:
    """The number of each unit's category, and the categories as text; looked up once a category."""
    _check_columns(units, spec, [*spec.by])
    if not spec.by:
        return np.zeros(len(units), dtype=np.intp), [""]
    grouped = units.groupby(list(spec.by), observed=True, sort=False)
    keys = grouped.size().index
    codes = grouped.ngroup().to_numpy()
    levels = keys.to_flat_index() if len(spec.by) > 1 else [(key,) for key in keys]
    return codes, [SEPARATOR.join(map(str, level)) for level in levels]


def _values(units: pd.DataFrame, spec: MarginSpec) -> np.ndarray:
    """What each unit adds to its margin."""
    if spec.value is None:
        return np.ones(len(units))
    _check_columns(units, spec, [spec.value])
    return units[spec.value].to_numpy(dtype=float)


def _check_columns(units: pd.DataFrame, spec: MarginSpec, columns: Sequence[str]) -> None:
    """Refuse columns that lack or have holes."""
    for column in columns:
        if column not in units:
            raise EstimationError(
                f"margin family {spec.name} names a column that is not there", column=column
            )
        if units[column].isna().any():
            raise EstimationError(
                f"margin family {spec.name} meets {int(units[column].isna().sum())} missing values",
                column=column,
                remedy="Complete the column or give those units a category of their own",
            )
