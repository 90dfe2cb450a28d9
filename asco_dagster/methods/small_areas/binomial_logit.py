"""The binomial-logit mixed model of shares, with its variance components integrated.

Belongs here: the model of cells (département × size class) and its posterior. Does not belong here: what the
posterior says of a finite population (``shares``).

In cell c of area d in région r, ``y_c`` of ``n_c`` say yes, ``logit p_c = x_c'β + v_r + u_d``, with
``u ~ N(0, σ²)``, ``v ~ N(0, τ²)``. For each (σ, τ) of a grid, (β, v, u) is normal around its mode (Laplace);
the grid points are weighted by the Laplace marginal likelihood times half-normal priors of σ and τ. So the
errors contain what is unknown of σ and τ, which a plugged-in estimate leaves out.

Libraries looked at: ``statsmodels`` 0.14 (``BinomialBayesMixedGLM``: single answers 0 or 1, no effective
counts; mean-field or maximum a posteriori, neither integrates σ and τ), ``glum`` (no random effects),
``pymer4`` (calls R), ``svy-sae`` 0.7 (Fay–Herriot and normal unit models on JAX, no binomial; its only
version for Python 3.11 is empty), ``saePy`` 0.2 (the same models). R's ``lme4`` is the referee of the tests.

Source: Jiang & Lahiri, "Empirical best prediction for small area inference with binary data", Annals of the
Institute of Statistical Mathematics 53 (2001); Rao & Molina, *Small Area Estimation* (2015), section 9.5;
Rue, Martino & Chopin, JRSS B 71 (2009) (Laplace over a grid of hyperparameters); Breslow & Clayton, JASA 88
(1993).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit  # type: ignore[import-untyped]

AREA_DEVIATIONS = np.geomspace(0.05, 1.8, 7)
REGION_DEVIATIONS = np.geomspace(0.03, 1.0, 4)
PRIOR_AREA, PRIOR_REGION = 1.0, 0.5
"""Standard deviations of the half-normal priors of σ and τ, on the logit scale."""
PRIOR_FIXED = 5.0
"""Standard deviation of the prior of β: a class where all say yes has no finite maximum."""
STEPS, LONGEST_STEP, SETTLED = 60, 3.0, 1e-8
NUMBERS = 12_000_000
"""Numbers that the largest array of a fit holds; indicators are fitted in parts of that size."""


class Cells(NamedTuple):
    """What the model knows of the cells, areas × classes.

    Attributes:
        x: fixed effects of each cell, shape (D, G, P), covariates standardised.
        region: région of each area, numbered from 0, shape (D,).
    """

    x: np.ndarray
    region: np.ndarray


def cells_of(covariates: np.ndarray, region: np.ndarray, classes: int) -> Cells:
    """Cells with a fixed effect of each class and of each covariate, shape (D, C), which is standardised.

    What is not known of an area (NaN) counts as the mean; a covariate that is the same everywhere, or known
    nowhere, is left out.
    """
    varies = [len(np.unique(column[np.isfinite(column)])) > 1 for column in covariates.T]
    some = covariates[:, varies]
    mean, spread = np.nanmean(some, axis=0), np.nanstd(some, axis=0)
    standard = np.where(np.isfinite(some), some - mean, 0.0) / spread
    areas = len(region)
    of_area = np.broadcast_to(standard[:, None, :], (areas, classes, standard.shape[1]))
    of_class = np.broadcast_to(np.eye(classes), (areas, classes, classes))
    return Cells(np.concatenate([of_class, of_area], axis=2), region)


@dataclass(frozen=True)
class Posterior:
    """The posterior of the logits of all cells, one normal for each of B = grid points.

    Attributes:
        weight: of each grid point, shape (B, K), summing to 1 for each of K indicators.
        mean: of the logits, shape (B, K, D, G).
        shared: covariance of the logits of an area's cells, shape (B, K, D, G, G).
        fixed: modes of β, shape (B, K, P).
        area: modes of the effect of each area with its région's, ``v_r + u_d``, shape (B, K, D).
        deviation: σ and τ of each grid point, shape (B, 2).
        own: weight of an area's answers against the rest in its effect, ``Σw/(Σw + 1/σ²)`` with w the
            binomial information, shape (B, K, D).
    """

    weight: np.ndarray
    mean: np.ndarray
    shared: np.ndarray
    fixed: np.ndarray
    area: np.ndarray
    deviation: np.ndarray
    own: np.ndarray


def grid_of_deviations() -> np.ndarray:
    """The grid of (σ, τ), shape (B, 2)."""
    area, region = np.meshgrid(AREA_DEVIATIONS, REGION_DEVIATIONS, indexing="ij")
    return np.column_stack([area.ravel(), region.ravel()])


def posterior(yes: np.ndarray, size: np.ndarray, cells: Cells, deviations: np.ndarray) -> Posterior:
    """The posterior of every cell's logit.

    Args:
        yes: effective number of yes, shape (K, D, G) for K indicators.
        size: effective number of answers, the same shape; 0 where a cell says nothing.
        cells: fixed effects and régions.
        deviations: the (σ, τ) to integrate over, shape (B, 2), for example ``grid_of_deviations()``.

    Returns:
        The posterior of all K indicators.
    """
    areas, classes, fixed = cells.x.shape
    regions = int(cells.region.max()) + 1
    of_region = np.broadcast_to(np.eye(regions)[cells.region][:, None, :], (areas, classes, regions))
    design = np.concatenate([cells.x, of_region], axis=2)
    precision = np.concatenate(
        [np.full((len(deviations), fixed), PRIOR_FIXED**-2), np.repeat(deviations[:, 1:] ** -2, regions, 1)],
        axis=1,
    )
    model = _Model(design, precision, deviations[:, 0] ** -2)
    mode = _mode(model, yes, size)
    evidence = mode.evidence - regions * np.log(deviations[:, 1])[:, None]
    evidence -= areas * np.log(deviations[:, 0])[:, None]
    # The grid is even in log σ and log τ: a half-normal density there is σ·exp(−σ²/2s²).
    scaled = deviations / (PRIOR_AREA, PRIOR_REGION)
    evidence += (np.log(deviations) - scaled**2 / 2).sum(axis=1)[:, None]
    weight = np.exp(evidence - evidence.max(axis=0))
    region_effect = mode.shared[..., fixed:][..., cells.region]
    return Posterior(
        weight / weight.sum(axis=0),
        mode.logit,
        mode.covariance,
        mode.shared[..., :fixed],
        mode.area + region_effect,
        deviations,
        mode.own,
    )


class _Model(NamedTuple):
    design: np.ndarray  # (D, G, Q), fixed effects and régions
    precision: np.ndarray  # (B, Q), prior precision of β and v
    area: np.ndarray  # (B,), prior precision of u


class _Mode(NamedTuple):
    shared: np.ndarray  # (B, K, Q), mode of β and v
    area: np.ndarray  # (B, K, D), mode of u
    logit: np.ndarray  # (B, K, D, G)
    covariance: np.ndarray  # (B, K, D, G, G)
    evidence: np.ndarray  # (B, K), log likelihood at the mode less what Laplace's method takes off
    own: np.ndarray  # (B, K, D)


class _Curvature(NamedTuple):
    information: np.ndarray  # (B, K, D, G), n p (1 − p)
    area: np.ndarray  # (B, K, D), that of u
    slope: np.ndarray  # (B, K, D, Q), what β and v move of u
    shared: np.ndarray  # (B, K, Q, Q), that of β and v, u eliminated


def _mode(model: _Model, yes: np.ndarray, size: np.ndarray) -> _Mode:
    """Newton's method on all indicators and grid points at once; areas are eliminated, being independent."""
    points, (count, areas, _) = len(model.area), yes.shape
    shared = np.zeros((points, count, model.design.shape[2]))
    area = np.zeros((points, count, areas))
    for _ in range(STEPS):
        logit = _logits(model, shared, area)
        curvature = _curvature(model, logit, size)
        rest = yes - size * expit(logit)
        by_area = rest.sum(axis=3) - area * model.area[:, None, None]
        by_shared = np.tensordot(rest, model.design, 2) - shared * model.precision[:, None]
        by_shared -= _against(curvature.slope, by_area)
        step = np.linalg.solve(curvature.shared, by_shared[..., None])[..., 0]
        of_area = by_area / curvature.area - (curvature.slope @ step[..., None])[..., 0]
        longest = np.maximum(np.abs(step).max(axis=2), np.abs(of_area).max(axis=2))
        short = np.minimum(1.0, LONGEST_STEP / np.maximum(longest, 1e-300))[..., None]
        shared, area = shared + short * step, area + short * of_area
        if longest.max() < SETTLED:
            break
    return _summary(model, yes, size, shared, area)


def _logits(model: _Model, shared: np.ndarray, area: np.ndarray) -> np.ndarray:
    return np.tensordot(shared, model.design, ((2,), (2,))) + area[..., None]


def _against(slope: np.ndarray, by_area: np.ndarray) -> np.ndarray:
    """``Σ_d slope_d·by_area_d``, shape (B, K, Q)."""
    return (by_area[..., None, :] @ slope)[..., 0, :]


def _curvature(model: _Model, logit: np.ndarray, size: np.ndarray) -> _Curvature:
    chance = expit(logit)
    information = size * chance * (1 - chance)
    of_area = information.sum(axis=3) + model.area[:, None, None]
    areas, classes, columns = model.design.shape
    crossed = np.einsum("bkdg,dgq->bkdq", information, model.design, optimize=True)
    slope = crossed / of_area[..., None]
    outer = (model.design[..., :, None] * model.design[..., None, :]).reshape(areas * classes, -1)
    squares = information.reshape(-1, areas * classes) @ outer
    of_shared = squares.reshape(*logit.shape[:2], columns, columns) - np.swapaxes(crossed, 2, 3) @ slope
    diagonal = np.arange(columns)
    of_shared[..., diagonal, diagonal] += model.precision[:, None]
    return _Curvature(information, of_area, slope, of_shared)


def _summary(model: _Model, yes: np.ndarray, size: np.ndarray, shared: np.ndarray, area: np.ndarray) -> _Mode:
    logit = _logits(model, shared, area)
    curvature = _curvature(model, logit, size)
    # A logit is its mode + (x − slope)'δ + ε, with δ of β and v and ε of u given these.
    moved = model.design - curvature.slope[..., None, :]
    spread = np.linalg.inv(curvature.shared)[:, :, None]
    covariance = moved @ spread @ np.swapaxes(moved, 3, 4) + 1 / curvature.area[..., None, None]
    likelihood = (yes * logit - size * np.logaddexp(0, logit)).sum(axis=(2, 3))
    likelihood -= ((shared**2 * model.precision[:, None]).sum(2) + (area**2).sum(2) * model.area[:, None]) / 2
    determinant = np.linalg.slogdet(curvature.shared)[1] + np.log(curvature.area).sum(axis=2)
    own = curvature.information.sum(axis=3) / curvature.area
    return _Mode(shared, area, logit, covariance, likelihood - determinant / 2, own)
