"""Invented worlds with true effects of départements, for simulations of the small-area models."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from asco_dagster.methods.small_areas.binomial_logit import Cells, cells_of
from asco_dagster.methods.small_areas.cells import Sums
from asco_testing import CHECKOUT

FRAME = CHECKOUT / "tests" / "methods" / "fixtures" / "small_area_frame.csv"
AREA_DEVIATION, REGION_DEVIATION = 0.5, 0.2


@dataclass(frozen=True)
class World:
    """A frame and who answers in it; truths and answers of K samples.

    Attributes:
        units: units of the frame, shape (D, G).
        region: région of each area, shape (D,).
        cells: fixed effects of the model.
        weight: weight of a respondent, shape (D, G).
        sums: answers of K samples.
        truth: true shares, shape (K, D).
        effects: area effects in standard deviations, shape (K, D).
    """

    units: np.ndarray
    region: np.ndarray
    cells: Cells
    weight: np.ndarray
    sums: Sums
    truth: np.ndarray
    effects: np.ndarray

    def direct(self) -> tuple[np.ndarray, np.ndarray]:
        """Direct shares ``Σ w y/Σ w`` and their standard errors (stratified, finite), shape (K, D)."""
        total = self.sums.weight.sum(axis=2)
        share = self.sums.yes.sum(axis=2) / total
        n = self.sums.answers
        p = (self.sums.yes + share[..., None] * self.weight) / (self.sums.weight + self.weight + 1e-300)
        spread = p * (1 - p) * n / np.maximum(n - 1, 1)
        unsampled = np.clip(1 - n / np.maximum(self.units, 1), 0, 1)
        variance = (self.weight**2 * n * spread * unsampled).sum(axis=2)
        return share, np.sqrt(np.maximum(variance, 1e-9)) / total


def world_of(unit_type: str, samples: int, *, heavy_tails: bool, seed: int) -> World:
    """Samples of communes or EPCI with the frame and the respondents of the demonstration of 2014.

    A respondent weighs as many as it stands for in its département and class; of EPCI, in région and class.
    """
    rows = pd.read_csv(FRAME, dtype=str)
    rows = rows[rows["unit_type"] == unit_type].astype({"units": float, "respondents": float})
    units, n = (
        rows.pivot(index="area_code", columns="size_class", values=name).fillna(0).to_numpy()
        for name in ("units", "respondents")
    )
    region = np.unique(rows.groupby("area_code")["region_code"].first(), return_inverse=True)[1]
    of_region = np.eye(region.max() + 1)[region]
    same = of_region @ of_region.T if unit_type == "epci" else np.eye(len(region))
    weight = (same @ units) / np.maximum(same @ n, 1) * (n > 0)
    generator = np.random.default_rng(seed)
    return _world(units, n, weight, region, samples, heavy_tails, generator)


def _world(
    units: np.ndarray,
    n: np.ndarray,
    weight: np.ndarray,
    region: np.ndarray,
    samples: int,
    heavy_tails: bool,
    generator: np.random.Generator,
) -> World:
    areas, classes = units.shape
    shape = (samples, areas)
    # t with three degrees of freedom, of variance 1
    effects = generator.standard_t(3, shape) / np.sqrt(3) if heavy_tails else generator.normal(size=shape)
    covariates = generator.normal(size=(areas, 3))
    logit = AREA_DEVIATION * effects + 0.15 * covariates[:, 0]
    logit += REGION_DEVIATION * generator.normal(size=(samples, region.max() + 1))[:, region]
    level = np.tile(np.linspace(-2.5, 2.5, 6), samples // 6 + 1)[:samples]
    chance = expit(logit[..., None] + level[:, None, None] + np.linspace(-1, 1.2, classes))
    yes = generator.binomial(n.astype(int), chance).astype(float)
    rest = generator.binomial((units - n).astype(int), chance)
    answers = np.broadcast_to(n, yes.shape)
    sums = Sums(answers, weight * answers, weight**2 * answers, weight * yes)
    truth = (yes + rest).sum(axis=2) / units.sum(axis=1)
    return World(units, region, cells_of(covariates, region, classes), weight, sums, truth, effects)
