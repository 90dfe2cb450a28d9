"""Simulation: do 95 % intervals cover the truth 95 times in 100, through the whole chain of methods?

A known population of 6,000 units; 500 times: draw, silence at random within size classes, response groups,
adjusted weights, collapsed variance strata, calibration, estimates, published errors.
"""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods.calibration import calibrate
from asco_dagster.methods.domains import EstimationDomains, estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.margins import MarginSpec, margin_matrix, margin_totals
from asco_dagster.methods.model_errors import Units, model_errors
from asco_dagster.methods.precision import SurveyDesign, unsampled_shares
from asco_dagster.methods.response import nonresponse_weights, response_groups
from asco_dagster.methods.sampling import allocate, draw
from asco_dagster.methods.strata import group_populations, variance_strata
from asco_dagster.methods.total_error import Thin, with_total_errors

pytestmark = pytest.mark.slow

SAMPLES = 500
SPECS = (MarginSpec("n", ("region_code", "size_class")), MarginSpec("people", ("region_code",), "population"))
INDICATORS = [f"y{k}" for k in range(8)]
THIN = Thin(50, 10.0)


def known_population() -> pd.DataFrame:
    """Six départements in two régions, three size classes, eight yes/no answers that depend on size."""
    generator = np.random.default_rng(20140101)
    n = 6000
    units = pd.DataFrame({"unit_id": [f"u{i:05d}" for i in range(n)]})
    units["departement_code"] = [f"{d:02d}" for d in generator.integers(0, 6, n)]
    units["region_code"] = np.where(units["departement_code"] < "03", "11", "24")
    units["size_class"] = generator.choice(["1", "2", "3"], n, p=[0.6, 0.3, 0.1])
    rank = units["size_class"].astype(int).to_numpy()
    units["population"] = np.round(np.exp(generator.normal(4.5 + rank, 0.4, n)))
    for name, level in zip(INDICATORS, np.linspace(-3.0, 2.2, len(INDICATORS)), strict=True):
        chance = 1 / (1 + np.exp(-(level + 0.5 * (rank - 1.5))))
        units[name] = (generator.random(n) < chance).astype(float)
    units["stratum"] = units["departement_code"] + "|" + units["size_class"]
    return units


def one_sample(
    units: pd.DataFrame, frame: Units, allocation: pd.DataFrame, totals: pd.Series, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates of one sample with non-response: with linearised errors, and with the published ones."""
    sample = draw(units, allocation, seed).merge(units.drop(columns="stratum"), on="unit_id")
    rate = sample["size_class"].map({"1": 0.65, "2": 0.75, "3": 0.85}).to_numpy()
    sample["responded"] = np.random.default_rng(seed + 1_000_000).random(len(sample)) < rate
    sample["design_weight"] = 1 / sample["inclusion_probability"]
    groups = response_groups(sample, minimum_respondents=8, maximum_adjustment=3.0).groups
    sample["response_group"] = groups
    sample["initial"] = nonresponse_weights(sample, groups)
    answering = sample[sample["responded"]].reset_index(drop=True)
    strata = variance_strata(answering["response_group"], group_populations(sample, groups)).strata
    x, names = margin_matrix(answering, SPECS)
    initial = answering["initial"].to_numpy()
    weights = calibrate(
        initial, x, totals[names].to_numpy(), method="logit", bounds=(0.2, 4.0), names=names
    ).weights
    design = SurveyDesign(
        weights, initial, x, strata["variance_stratum"].to_numpy(), strata["stratum_population"].to_numpy()
    )
    kinds = dict.fromkeys(INDICATORS, "share")
    # Unit u00012 stands in row 12 of the frame.
    place = answering["unit_id"].str.slice(1).astype(int).to_numpy()
    here = Units(
        frame.size_class[place],
        frame.population[place],
        EstimationDomains(frame.domains.table, frame.domains.membership[place]),
    )
    table = estimate(design, answering[INDICATORS], kinds, here.domains, population=here.population)
    added = model_errors(weights, unsampled_shares(design), answering[INDICATORS], kinds, here, frame)
    return table, with_total_errors(table, added, THIN)


def true_values(units: pd.DataFrame) -> pd.DataFrame:
    """The population's own shares: a census is a sample with weights of 1."""
    one = np.ones(len(units))
    census = SurveyDesign(one, one, np.zeros((len(units), 0)), np.zeros(len(units)), len(units) * one)
    return estimate(
        census,
        units[INDICATORS],
        dict.fromkeys(INDICATORS, "share"),
        estimation_domains(units),
        population=units["population"].to_numpy(),
    )


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    """Coverage of each cell over all samples."""
    units = known_population()
    strata = units.groupby("stratum").size().rename("population").reset_index()
    strata["take_all"] = False
    allocation = allocate(strata, 1500, minimum_per_stratum=40)
    truth = true_values(units)
    frame = Units(
        units["size_class"].to_numpy(), units["population"].to_numpy(), estimation_domains(units, units)
    )
    names = margin_matrix(units, SPECS)[1]
    totals = pd.Series(margin_totals(units, SPECS, names), index=names)
    covered, published, respondents, bias = (np.zeros(len(truth)) for _ in range(4))
    for seed in range(SAMPLES):
        table, final = one_sample(units, frame, allocation, totals, seed)
        covered += (table["ci_low"] <= truth["estimate"]) & (truth["estimate"] <= table["ci_high"])
        published += (final["ci_low"] <= truth["estimate"]) & (truth["estimate"] <= final["ci_high"])
        respondents += table["respondents"] / SAMPLES
        bias += (table["estimate"] - truth["estimate"]) / SAMPLES
    cells = truth[["indicator", "statistic", "geography", "area_code", "size_class", "estimate"]].copy()
    return cells.assign(
        coverage=covered / SAMPLES, published=published / SAMPLES, respondents=respondents, bias=bias
    )


@pytest.mark.parametrize("interval", ["coverage", "published"])
def test_intervals_cover_the_truth(cells: pd.DataFrame, interval: str) -> None:
    judged = cells[cells["estimate"].between(0.05, 0.95) & (cells["respondents"] >= 50)]
    judged = judged.assign(coverage=judged[interval])
    shares = judged[judged["statistic"] == "share"]
    people = judged[judged["statistic"] == "population_share"]
    print(
        f"\n{SAMPLES} samples, {len(shares)} cells of shares, {interval}: {shares['coverage'].mean():.4f}, "
        f"cells from {shares['coverage'].min():.3f} to {shares['coverage'].max():.3f}; "
        f"{len(people)} cells of population shares: {people['coverage'].mean():.4f}"
    )
    assert len(shares) >= 100
    by_domain = shares.groupby(["geography", "area_code", "size_class"])["coverage"].mean()
    by_indicator = shares.groupby("indicator")["coverage"].mean()
    for pooled in (by_domain, by_indicator, pd.Series([shares["coverage"].mean()])):
        assert pooled.between(0.93, 0.97).all(), pooled[~pooled.between(0.93, 0.97)]
    # One cell is 500 throws: four standard deviations of a true 95 %.
    assert shares["coverage"].between(0.911, 0.989).all(), shares[~shares["coverage"].between(0.911, 0.989)]


def test_intervals_of_small_cells_do_not_fall_short(cells: pd.DataFrame) -> None:
    small = cells[(cells["respondents"] < 50) | ~cells["estimate"].between(0.05, 0.95)]
    print(
        f"\n{len(small)} small or extreme cells: {small['coverage'].mean():.4f} linearised, "
        f"{small['published'].mean():.4f} published"
    )
    assert small["published"].mean() >= 0.95
    assert small["published"].min() >= 0.9


def test_estimates_are_not_biased(cells: pd.DataFrame) -> None:
    judged = cells[(cells["statistic"] == "share") & (cells["respondents"] >= 50)]
    assert judged["bias"].abs().max() < 0.01
