"""Which calibration margins the ones before them imply, and what the others then imply of their totals.

Belongs here: the triangular factor of the calibration variables, which has their geometry in p rows, and what
is read from it. Does not belong here: calibration itself (``calibration``) and the making of the variables
(``margins``).
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]

from asco_dagster.errors import EstimationError

COLLINEARITY = 1e-9
"""A margin whose part outside the preceding ones is smaller than this share of it is collinear."""

ROWS = 16_384
"""Respondents whose variables are written out at once: more of them than a wave at true size has."""


def scaled_triangle(weights: np.ndarray, x: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """The triangular factor of the variables, each of length 1 in the metric of the weights.

    Made from some rows at a time: the factor of a factor above more rows is that of all of them.

    Args:
        weights: positive weights, shape (n,).
        x: calibration variables, shape (n, p).

    Returns:
        The factor, shape (min(n, p), p), and the lengths of the p variables before.

    Source: Demmel, Grigori, Hoemmen & Langou, "Communication-optimal parallel and sequential QR and LU
    factorizations", SIAM J. Sci. Comput. 34 (2012), section 3 (sequential TSQR).
    """
    root = np.sqrt(weights)
    lengths = np.sqrt(weights @ x.power(2))
    scale = np.where(lengths > 0, lengths, 1.0)
    triangle = np.zeros((0, x.shape[1]))
    for first in range(0, x.shape[0], ROWS):
        rows = slice(first, first + ROWS)
        scaled = root[rows, None] * x[rows].toarray() / scale
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, scaled]), mode="r"))
    return triangle, lengths


def independent_margins(weights: np.ndarray, x: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Indices of margins that the ones before them do not imply, in their order.

    Each column is made orthogonal (in the metric of the weights) to those kept before it; what is left tells.
    The earlier margin is kept, so the caller's order says which of two collinear ones matters more.

    Args:
        weights: positive weights, shape (n,).
        x: calibration variables, shape (n, p).

    Returns:
        Column indices, increasing.
    """
    triangle, lengths = scaled_triangle(weights, sparse.csr_array(x))
    basis = np.zeros((triangle.shape[0], 0))
    kept = []
    for j in range(x.shape[1]):
        rest = triangle[:, j]
        for _ in range(2):  # the second pass removes what rounding left in
            rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if lengths[j] > 0 and length > COLLINEARITY:
            kept.append(j)
            basis = np.column_stack([basis, rest / length])
    return np.array(kept, dtype=np.intp)


def require_consistent(
    weights: np.ndarray, x: sparse.csr_array, totals: np.ndarray, kept: np.ndarray, names: Sequence[str]
) -> None:
    """Refuse margins left out whose totals contradict what the kept ones imply.

    Args:
        weights: positive weights, shape (n,).
        x: calibration variables, shape (n, p).
        totals: known totals, shape (p,).
        kept: indices of the independent margins.
        names: names of the p margins.

    Raises:
        EstimationError: lists the margins concerned.
    """
    left_out = np.setdiff1d(np.arange(x.shape[1]), kept)
    if not len(left_out):
        return
    triangle, lengths = scaled_triangle(weights, x)
    coefficients = np.linalg.lstsq(triangle[:, kept], triangle[:, left_out] * lengths[left_out], rcond=None)[
        0
    ]
    coefficients = coefficients / lengths[kept, None]
    implied = totals[kept] @ coefficients
    size = np.abs(totals[kept]) @ np.abs(coefficients) + np.abs(totals[left_out])
    wrong = left_out[np.abs(implied - totals[left_out]) > 1e-8 * (1 + size)]
    if len(wrong):
        values = dict(zip(left_out.tolist(), implied.tolist(), strict=True))
        listed = ", ".join(f"{names[j]} ({totals[j]:g}, implied {values[j]:g})" for j in wrong[:10])
        raise EstimationError(
            f"{len(wrong)} margins contradict the others: {listed}",
            expected="totals that agree, and a respondent behind each margin that is not 0",
            remedy="Correct the totals, or merge categories without respondents",
        )
