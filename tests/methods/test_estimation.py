"""Estimates and their precision: the variance formula, its edges, intervals and flags."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asco_dagster.errors import EstimationError
from asco_dagster.methods import collinear_margins, estimation, precision
from asco_dagster.methods.calibration import calibrate
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.estimation import estimate
from asco_dagster.methods.precision import QualityThresholds, ResidualVariance, SurveyDesign, quality_flag

KEYS = ["indicator", "statistic", "geography", "area_code", "size_class"]


def units_of(seed: int, n: int = 240) -> pd.DataFrame:
    """Respondents of two régions, four départements and two size classes, three in four units answering."""
    generator = np.random.default_rng(seed)
    units = pd.DataFrame({"departement_code": [f"{i % 4:02d}" for i in range(n)]})
    units["region_code"] = np.where(units["departement_code"] < "02", "11", "24")
    units["size_class"] = np.where(generator.random(n) < 0.6, "small", "large")
    units["population"] = np.round(np.exp(generator.normal(7, 1, n)))
    units["stratum"] = units["departement_code"] + units["size_class"]
    counts = units.groupby("stratum")["stratum"].transform("size")
    units["stratum_population"] = np.ceil(counts * generator.uniform(1.2, 4, n).max())
    units["initial_weight"] = units["stratum_population"] / counts
    units["yes"] = (generator.random(n) < 0.4).astype(float)
    units["euros"] = np.round(generator.lognormal(8, 1, n))
    return units


def design_of(units: pd.DataFrame, x: np.ndarray | None = None) -> SurveyDesign:
    """The design, calibrated on totals five per cent above the weighted ones when x is given."""
    initial = units["initial_weight"].to_numpy()
    weights = initial
    if x is None:
        x = np.zeros((len(units), 0))
    else:
        names = [f"x{j}" for j in range(x.shape[1])]
        weights = calibrate(initial, x, 1.05 * (initial @ x), method="raking", names=names).weights
    return SurveyDesign(
        weights, initial, x, units["stratum"].to_numpy(), units["stratum_population"].to_numpy()
    )


def plain_variance(design: SurveyDesign, z: np.ndarray) -> float:
    """The formula as the textbook writes it, one variable at a time, without any short cut."""
    w0, x = design.initial_weights, np.asarray(design.x)
    residual = z
    if x.shape[1]:
        b = np.linalg.lstsq(np.sqrt(w0)[:, None] * x, np.sqrt(w0) * z, rcond=1e-12)[0]
        residual = z - x @ b
    u, variance = design.weights * residual, 0.0
    for code in np.unique(design.stratum):
        here = design.stratum == code
        n, size = here.sum(), design.stratum_population[here][0]
        variance += (1 - n / size) * n / (n - 1) * np.sum((u[here] - u[here].mean()) ** 2)
    return variance


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_variance_is_the_textbook_formula_even_with_collinear_margins(seed: int) -> None:
    units = units_of(seed)
    region = np.column_stack(
        [units["region_code"] == "11", units["region_code"] == "24", np.ones(len(units))]
    )
    x = np.column_stack([region.astype(float), units["population"]])
    design = design_of(units, x)
    rows = np.flatnonzero(units["departement_code"] == "01")
    z = np.zeros((len(units), 2))
    z[rows] = units.loc[rows, ["yes", "euros"]]
    found = ResidualVariance(design).of(rows, z[rows])
    np.testing.assert_allclose(
        found, [plain_variance(design, z[:, 0]), plain_variance(design, z[:, 1])], 1e-9
    )


def test_a_total_that_is_a_margin_has_no_error() -> None:
    units = units_of(3)
    x = np.column_stack([np.ones(len(units)), units["population"]])
    values = units[["population", "yes"]].assign(population=units["population"])
    table = estimate(
        design_of(units, x), values, {"population": "amount", "yes": "share"}, estimation_domains(units)
    )
    total = table[(table["statistic"] == "total") & (table["geography"] == "france")].iloc[0]
    assert total["estimate"] == pytest.approx(1.05 * units["initial_weight"] @ units["population"])
    assert total["standard_error"] < 1e-12 * total["estimate"]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_estimates_do_not_depend_on_the_order_of_respondents(seed: int) -> None:
    units = units_of(seed)
    x = np.column_stack([np.ones(len(units)), units["population"]])
    kinds = {"yes": "share", "euros": "amount"}
    tables = []
    for order in (np.arange(len(units)), np.random.default_rng(seed).permutation(len(units))):
        moved = units.iloc[order].reset_index(drop=True)
        tables.append(
            estimate(
                design_of(moved, x[order]),
                moved[["yes", "euros"]],
                kinds,
                estimation_domains(moved),
                population=moved["population"].to_numpy(),
            )
        )
    pd.testing.assert_frame_equal(tables[0], tables[1], rtol=1e-7)


@pytest.fixture
def by_hand() -> pd.DataFrame:
    """Four of eight units of one stratum and two of two of another, worked out on paper."""
    return pd.DataFrame(
        {
            "region_code": "11",
            "departement_code": "01",
            "size_class": ["s", "s", "s", "s", "l", "l"],
            "population": [100.0, 200.0, 300.0, 400.0, 5000.0, 7000.0],
            "stratum": ["s", "s", "s", "s", "l", "l"],
            "stratum_population": [8.0, 8.0, 8.0, 8.0, 2.0, 2.0],
            "initial_weight": [2.0, 2.0, 2.0, 2.0, 1.0, 1.0],
            "yes": [1.0, 0.0, 0.0, np.nan, 1.0, 0.0],
            "no": 0.0,
            "euros": [10.0, 20.0, np.nan, 30.0, 400.0, 500.0],
        }
    )


def rows_by_hand(by_hand: pd.DataFrame, **more: object) -> pd.DataFrame:
    kinds = {"yes": "share", "no": "share", "euros": "amount"}
    table = estimate(
        design_of(by_hand),
        by_hand[["yes", "no", "euros"]],
        kinds,
        estimation_domains(by_hand, **more),
        population=by_hand["population"].to_numpy(),
    )
    assert not table[KEYS].duplicated().any()
    return table.set_index(KEYS)


def test_shares_totals_and_means_worked_out_on_paper(by_hand: pd.DataFrame) -> None:
    table = rows_by_hand(by_hand)
    france = ("france", "FR", "total")
    share = table.loc[("yes", "share", *france)]
    assert share["estimate"] == pytest.approx(3 / 8)  # 2 + 1 of 2·3 + 1·2 answering
    assert share["respondents"] == 5
    assert share["weighted_units"] == pytest.approx(8)
    # Stratum s: u = w z = 2·(y − 3/8)/8 for those who answered, 0 for the one who did not; f = 1/2.
    u = np.array([2 * (5 / 8), 2 * (-3 / 8), 2 * (-3 / 8), 0.0]) / 8
    variance = 0.5 * 4 / 3 * np.sum((u - u.mean()) ** 2)
    assert share["standard_error"] == pytest.approx(np.sqrt(variance))
    assert table.loc[("yes", "population_share", *france), "estimate"] == pytest.approx(5200 / 13200)
    assert table.loc[("euros", "total", *france), "estimate"] == pytest.approx(2 * 60 + 900)
    mean = table.loc[("euros", "mean", *france)]
    assert mean["estimate"] == pytest.approx(1020 / 8)
    assert mean["cv"] == pytest.approx(mean["standard_error"] / mean["estimate"])
    reach = (mean["ci_high"] - mean["ci_low"]) / 2
    assert reach == pytest.approx(1.959964 * mean["standard_error"], rel=1e-6)


def test_a_domain_where_every_unit_answered_is_known_exactly(by_hand: pd.DataFrame) -> None:
    table = rows_by_hand(by_hand)
    for statistic, indicator, value in [
        ("share", "yes", 0.5),
        ("share", "no", 0.0),
        ("total", "euros", 900.0),
    ]:
        row = table.loc[(indicator, statistic, "france", "FR", "l")]
        assert row[["estimate", "ci_low", "ci_high"]].tolist() == [value] * 3
        assert row["standard_error"] == 0


def test_a_design_effect_is_not_made_of_rounding(by_hand: pd.DataFrame) -> None:
    # Calibrated weights of a domain that answered whole are 1 but for rounding.
    units = by_hand.assign(initial_weight=by_hand["initial_weight"] * (1 + 1e-12))
    table = rows_by_hand(units)
    assert np.isnan(table.loc[("euros", "total", "france", "FR", "l"), "deff"])
    assert np.isnan(table.loc[("no", "share", "france", "FR", "s"), "deff"])
    assert table.loc[("euros", "mean", "france", "FR", "s"), "deff"] > 0


def test_a_share_of_nought_has_a_limit_at_its_effective_size(by_hand: pd.DataFrame) -> None:
    row = rows_by_hand(by_hand).loc[("no", "share", "france", "FR", "s")]
    # Effective size: (4·2)² / (½·4·2²) = 8 units.
    assert row["ci_low"] == 0
    assert row["ci_high"] == pytest.approx(1.959964**2 / (8 + 1.959964**2), rel=1e-6)
    assert np.isnan(row["cv"])


def test_a_domain_of_the_frame_without_respondents_is_listed_empty(by_hand: pd.DataFrame) -> None:
    frame = pd.concat([by_hand, by_hand.head(1).assign(departement_code="02")], ignore_index=True)
    row = rows_by_hand(by_hand, frame=frame).loc[("euros", "total", "departement", "02", "total")]
    assert row["respondents"] == 0
    assert row[["estimate", "standard_error", "ci_low", "ci_high", "cv"]].isna().all()


def test_domains_are_all_crossings_in_reading_order(by_hand: pd.DataFrame) -> None:
    domains = estimation_domains(by_hand)
    assert domains.table.to_numpy().tolist() == [
        [geography, area, size]
        for geography, area in [("france", "FR"), ("region", "11"), ("departement", "01")]
        for size in ["total", "l", "s"]
    ]
    assert domains.membership[0].tolist() == [0, 2, 3, 5, 6, 8]


def test_respondents_outside_the_frame_are_refused(by_hand: pd.DataFrame) -> None:
    with pytest.raises(EstimationError, match="region 11, size class"):
        estimation_domains(by_hand, by_hand.assign(region_code="24"))
    with pytest.raises(EstimationError, match="1 units have no size_class"):
        estimation_domains(by_hand.assign(size_class=[None, *"sssll"]))


def test_wrong_inputs_of_estimates_are_reported(by_hand: pd.DataFrame) -> None:
    design, domains = design_of(by_hand), estimation_domains(by_hand)
    with pytest.raises(EstimationError, match="indicator euros has no kind"):
        estimate(design, by_hand[["euros"]], {}, domains)
    with pytest.raises(EstimationError, match="outside 0 to 1"):
        estimate(design, by_hand[["euros"]], {"euros": "share"}, domains)
    with pytest.raises(EstimationError, match="same respondents"):
        estimate(design, by_hand[["euros"]].head(3), {"euros": "amount"}, domains)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["weights", "initial_weights"])
def test_a_weight_that_is_not_positive_is_refused(by_hand: pd.DataFrame, name: str, weight: float) -> None:
    design = design_of(by_hand)
    bad = np.array(getattr(design, name), dtype=float)
    bad[2] = weight
    with pytest.raises(EstimationError, match=r"1 of 6 weights are not positive numbers.* in row 2"):
        estimate(
            replace(design, **{name: bad}),
            by_hand[["euros"]],
            {"euros": "amount"},
            estimation_domains(by_hand),
        )


def test_designs_without_a_variance_are_refused(by_hand: pd.DataFrame) -> None:
    with pytest.raises(EstimationError, match="1 variance strata have one respondent, z first"):
        ResidualVariance(design_of(by_hand.assign(stratum=[*"ssszll"])))
    with pytest.raises(EstimationError, match="stratum l has 2 respondents in a population of 1"):
        ResidualVariance(design_of(by_hand.assign(stratum_population=[8.0] * 4 + [1.0] * 2)))


def test_flags_judge_totals_by_cv_and_shares_by_half_width() -> None:
    thresholds = QualityThresholds(0.15, 0.3, 0.075, 0.15, 30, 10)
    cv = np.array([0.1, 0.15, 0.3, np.nan, 0.1, 0.1, 2.0, 0.01])
    half_width = np.array([np.nan] * 6 + [0.02, 0.15])
    size = np.array([50, 50, 50, 50, 29.9, 9.9, np.inf, 50])
    assert quality_flag(cv, size, thresholds, half_width=half_width).tolist() == [
        "ok",
        "low_precision",
        "unreliable",
        "unreliable",
        "low_precision",
        "unreliable",
        "ok",
        "unreliable",
    ]


def test_a_domain_too_large_to_be_written_out_is_estimated_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    units = units_of(11)
    region = np.column_stack([units["region_code"] == "11", units["region_code"] == "24"]).astype(float)
    design = design_of(units, np.column_stack([region, units["population"]]))
    values = pd.DataFrame({name: units[name] for name in ("yes", "euros")}).assign(
        no=1 - units["yes"], people=units["population"], half=units["euros"] / 2
    )
    values.loc[::7, ["yes", "half"]] = np.nan
    kinds = {"yes": "share", "no": "share", "euros": "amount", "people": "amount", "half": "amount"}
    domains, population = estimation_domains(units), units["population"].to_numpy(dtype=float)

    def made() -> pd.DataFrame:
        return estimate(design, values, kinds, domains, population=population)

    whole = made()
    monkeypatch.setattr(estimation, "CELLS", 2 * len(units))
    for module in (collinear_margins, precision):
        monkeypatch.setattr(module, "ROWS", 7)
    pd.testing.assert_frame_equal(made(), whole, rtol=1e-10)
