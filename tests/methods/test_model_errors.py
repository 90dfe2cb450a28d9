"""Errors beyond the linearised one: the formula unit by unit, and what simulations of each source give."""

import numpy as np
import pandas as pd
import pytest

from asco_dagster.methods import model_errors as model_errors_module
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.model_errors import Units, model_errors, size_bands
from asco_dagster.methods.precision import SurveyDesign
from asco_dagster.methods.total_error import Thin, with_total_errors

KINDS = {"yes": "share", "euros": "amount"}
KEYS = ["indicator", "statistic", "geography", "area_code", "size_class"]


def frame_of(n: int = 300, seed: int = 4) -> pd.DataFrame:
    """Two départements of one région, two size classes."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"departement_code": np.where(generator.random(n) < 0.5, "01", "02")})
    frame["region_code"] = "84"
    frame["size_class"] = np.where(generator.random(n) < 0.7, "small", "large")
    frame["population"] = (
        np.round(np.where(frame["size_class"] == "small", 400, 4000) * generator.random(n)) + 9
    )
    frame["yes"] = (generator.random(n) < np.where(frame["size_class"] == "small", 0.2, 0.8)).astype(float)
    frame["euros"] = frame["population"] * generator.lognormal(0, 0.6, n)
    return frame


def described(units: pd.DataFrame, frame: pd.DataFrame) -> Units:
    return Units(
        units["size_class"].to_numpy(), units["population"].to_numpy(), estimation_domains(units, frame)
    )


def components(
    sample: pd.DataFrame,
    frame: pd.DataFrame,
    weights: np.ndarray,
    unsampled: float | np.ndarray = 0.7,
    **more,
) -> pd.DataFrame:
    return model_errors(
        weights,
        np.broadcast_to(np.asarray(unsampled, dtype=float), weights.shape),
        sample[list(KINDS)],
        KINDS,
        described(sample, frame),
        described(frame, frame),
        **more,
    ).set_index(KEYS)


def unit_by_unit(
    sample: pd.DataFrame, frame: pd.DataFrame, weights: np.ndarray, indicator: str, statistic: str
) -> float:
    """The formula for the whole country, one unit after the other."""
    by_size = indicator == "euros"
    rate = sample[indicator] / (sample["population"] if by_size else 1)
    mean, variance = {}, {}
    for name, own in sample.groupby("size_class"):
        w, r = weights[own.index], rate[own.index]
        mean[name] = np.average(r, weights=w)
        variance[name] = np.average((r - mean[name]) ** 2, weights=w)
    of_people = statistic == "population_share"
    x = sample["population"] if of_people else pd.Series(1.0, sample.index)
    frame_x = frame["population"] if of_people else pd.Series(1.0, frame.index)
    base = 1.0 if statistic == "total" else float((weights * x).sum())
    target = 1.0 if statistic == "total" else float(frame_x.sum())
    spread, off = 0.0, 0.0
    for i, unit in sample.iterrows():
        scale = unit["population"] if by_size else 1.0
        c, t = weights[i] * x[i] / base, x[i] / target
        spread += (c**2 - 2 * c * t) * variance[unit["size_class"]] * scale**2
        off += c * mean[unit["size_class"]] * scale
    for i, unit in frame.iterrows():
        scale = unit["population"] if by_size else 1.0
        t = frame_x[i] / target
        spread += t**2 * variance[unit["size_class"]] * scale**2
        off -= t * mean[unit["size_class"]] * scale
    return spread + off**2


@pytest.mark.parametrize(
    ("indicator", "statistic"),
    [("yes", "share"), ("yes", "population_share"), ("euros", "total"), ("euros", "mean")],
)
def test_the_formula_unit_by_unit(indicator: str, statistic: str) -> None:
    frame = frame_of()
    sample = frame.sample(60, random_state=1).reset_index(drop=True)
    weights = np.random.default_rng(2).uniform(2, 8, len(sample))
    found = components(sample, frame, weights)["model_variance"]
    expected = unit_by_unit(sample, frame, weights, indicator, statistic)
    assert found[(indicator, statistic, "france", "FR", "total")] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_the_model_knows_the_error_of_a_cell_that_shows_none() -> None:
    """Over many samples, the mean square error of a small cell is what the model says on average."""
    frame = frame_of(400)
    generator = np.random.default_rng(3)
    key = ("yes", "share", "departement", "01", "small")
    inside = frame[(frame["departement_code"] == "01") & (frame["size_class"] == "small")].index
    errors, told, silent = [], [], 0
    for _ in range(600):
        chance = np.where(frame["size_class"] == "small", 0.2, 0.8)
        world = frame.assign(yes=(generator.random(len(frame)) < chance).astype(float))
        sample = world.sample(80, random_state=generator).reset_index(drop=True)
        own = sample[(sample["departement_code"] == "01") & (sample["size_class"] == "small")]
        if len(own) == 0:
            continue
        silent += own["yes"].sum() == 0
        errors.append((own["yes"].mean() - world.loc[inside, "yes"].mean()) ** 2)
        if len(told) < 60:
            told.append(components(sample, world, np.full(80, 5.0))["model_variance"][key])
    assert silent > 0
    assert np.mean(told) == pytest.approx(np.mean(errors), rel=0.15)


def test_a_census_leaves_nothing_to_chance() -> None:
    frame = frame_of()
    found = components(frame, frame, np.ones(len(frame)), 0.0)
    assert found["model_variance"].abs().max() < 1e-9 * frame["euros"].sum()
    assert np.isinf(found.xs("share", level="statistic")["model_size"]).all()
    assert (found["item_variance"] == 0).all()


def test_a_silent_large_unit_makes_totals_uncertain() -> None:
    frame = frame_of()
    frame.loc[0, ["size_class", "population", "departement_code"]] = ["large", 200_000.0, "01"]
    heard, silent = frame, frame.drop(index=0).reset_index(drop=True)
    key = ("euros", "total", "departement", "01", "total")
    of_heard = components(heard, frame, np.ones(len(heard)), 0.0)["model_variance"][key]
    of_silent = components(silent, frame, np.ones(len(silent)), 0.0)["model_variance"][key]
    assert np.sqrt(of_silent) > 100_000 * silent["euros"].sum() / silent["population"].sum()
    assert of_heard < 1e-9 * of_silent


@pytest.mark.slow
def test_open_answers_of_units_taken_whole_have_an_error() -> None:
    """All units answered the questionnaire, one in five left the question open at random."""
    frame = frame_of(120)
    generator = np.random.default_rng(8)
    shares, told = [], []
    for _ in range(800):
        sample = frame.assign(yes=frame["yes"].where(generator.random(len(frame)) >= 0.2))
        if len(told) < 40:
            found = components(sample, frame, np.ones(len(frame)), 0.0)
            told.append(found["item_variance"][("yes", "share", "france", "FR", "total")])
        shares.append(sample["yes"].mean())
    assert np.mean(told) == pytest.approx(np.var(shares), rel=0.12)


def test_imputed_values_add_their_own_error() -> None:
    frame = frame_of(50)
    variance = np.zeros((50, 2))
    variance[3, 1], variance[7, 1] = 100.0, 25.0
    weights = np.full(50, 2.0)
    found = components(frame, frame, weights, imputation_variance=variance)["imputation_variance"]
    assert found[("euros", "total", "france", "FR", "total")] == pytest.approx(4 * 125)
    assert found[("euros", "mean", "france", "FR", "total")] == pytest.approx(4 * 125 / 100**2)
    assert found[("yes", "share", "france", "FR", "total")] == 0


def test_an_indicator_about_some_units_only_is_not_taken_for_an_open_answer() -> None:
    frame = frame_of(200)
    sample = frame.assign(yes=frame["yes"].where(frame["departement_code"] == "01"))
    key = ("yes", "share", "france", "FR", "total")
    assert components(sample, frame, np.ones(200), 0.0)["item_variance"][key] > 0
    partial = components(sample, frame, np.ones(200), 0.0, conditional={"yes"})
    assert partial["item_variance"][key] == 0
    assert partial["model_variance"][key] == pytest.approx(0, abs=1e-12)


@pytest.fixture
def published() -> pd.DataFrame:
    """Estimates of a sample of 90 in 300 with what is added, thin below 50 respondents or 10 contributors."""
    frame = frame_of()
    sample = frame.sample(90, random_state=5).reset_index(drop=True)
    sample.loc[sample["departement_code"] == "02", "yes"] = 0.0
    weights = np.full(90, 300 / 90)
    design = SurveyDesign(weights, weights, np.zeros((90, 0)), np.zeros(90), np.full(90, 300.0))
    domains = estimation_domains(sample, frame)
    table = estimate(design, sample[list(KINDS)], KINDS, domains, population=sample["population"].to_numpy())
    added = components(sample, frame, weights).reset_index()
    return with_total_errors(table, added, Thin(50, 10.0)).set_index(KEYS)


def test_a_share_of_nobody_has_an_error_and_an_interval(published: pd.DataFrame) -> None:
    cell = published.loc[("yes", "share", "departement", "02", "total")]
    assert cell["estimate"] == 0
    assert cell["linearised_error"] == 0
    assert cell["error_basis"] == "model"
    assert 0.02 < cell["standard_error"] < 0.1
    assert cell["ci_low"] == 0
    assert 0.02 < cell["ci_high"] < 0.15


def test_a_well_answered_share_keeps_the_linearised_error(published: pd.DataFrame) -> None:
    cell = published.loc[("yes", "share", "france", "FR", "total")]
    assert cell["error_basis"] == "linearised"
    assert cell["standard_error"] == cell["linearised_error"]


def test_no_error_shrinks_and_no_total_starts_below_nothing(published: pd.DataFrame) -> None:
    assert (published["standard_error"] >= published["linearised_error"]).all()
    totals = published.xs("total", level="statistic")
    assert (totals["ci_low"] >= 0).all()
    assert (published["ci_low"] <= published["ci_high"]).all()
    np.testing.assert_allclose(totals["cv"], totals["standard_error"] / totals["estimate"])


def test_many_respondents_are_worked_on_a_few_indicators_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of()
    sample = frame.sample(90, random_state=1).reset_index(drop=True)
    sample.loc[::8, "yes"] = np.nan
    imputed = np.where(np.arange(90)[:, None] % 5 == 0, [0.0, 4.0], 0.0)

    def made() -> pd.DataFrame:
        return components(sample, frame, np.full(90, 300 / 90), imputation_variance=imputed)

    whole = made()
    monkeypatch.setattr(model_errors_module, "CELLS", 90)
    pd.testing.assert_frame_equal(made(), whole)


def sized(population: np.ndarray, size_class: str = "big") -> Units:
    units = pd.DataFrame(
        {"departement_code": "01", "region_code": "84", "size_class": size_class},
        index=range(len(population)),
    )
    return Units(units["size_class"].to_numpy(), population, estimation_domains(units))


def test_bands_halve_a_class_towards_its_top() -> None:
    population = np.arange(10_000.0, 10_800.0)
    own, frame = size_bands(sized(population), sized(np.array([9.0, 10_399.0, 10_400.0, 10_650.0, 2e6])))
    assert pd.Series(own).value_counts().sort_index().to_dict() == {
        "big:0": 400,
        "big:1": 200,
        "big:2": 100,
        "big:3": 50,
        "big:4": 50,
    }
    assert frame.tolist() == ["big:0", "big:0", "big:1", "big:2", "big:4"]


def test_a_class_of_few_respondents_or_one_size_is_one_band() -> None:
    for population in (np.arange(79.0), np.full(500, 12.0)):
        assert set(size_bands(sized(population), sized(population))[0]) == {"big:0"}


@pytest.mark.slow
def test_the_error_of_large_units_is_read_from_large_ones() -> None:
    """Rates an inhabitant differ less among large units: one variance for all would overstate their error."""
    generator = np.random.default_rng(11)
    population = np.sort(np.exp(generator.uniform(np.log(1e4), np.log(1e6), 800)))
    frame = pd.DataFrame(
        {"departement_code": "01", "region_code": "84", "size_class": "big", "population": population}
    )
    spread = 0.8 * (1e4 / population) ** 0.4
    ratios = []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        world = frame.assign(yes=0.0, euros=population * np.exp(generator.normal(-(spread**2) / 2, spread)))
        kept = np.sort(generator.choice(800, 560, replace=False))
        sample = world.iloc[kept].reset_index(drop=True)
        weights = np.full(560, frame["population"].sum() / sample["population"].sum())
        error = weights @ sample["euros"] - world["euros"].sum()
        if seed < 30:
            found = components(sample, world, weights)["model_variance"]
            ratios.append((error, found[("euros", "total", "france", "FR", "total")]))
        else:
            ratios.append((error, np.nan))
    true, expected = np.sqrt(np.mean([e**2 for e, _ in ratios])), np.sqrt(np.nanmean([v for _, v in ratios]))
    assert 0.85 < expected / true < 1.25
