"""Donor imputation: who gives, what is carried over, and that no name or order matters."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asco_dagster.errors import EstimationError
from asco_dagster.methods.imputation import Deck, impute


def deck(
    population: list[float], values: list[list[float]], asked: list[list[float]] | None = None, **changes
):
    count, width = len(values), len(values[0])
    questions = [f"Q{number}" for number in range(width)]
    content = {
        "population": np.array(population, dtype=float),
        "classes": {"all": np.array(["x"] * count, dtype=object)},
        "values": np.array(values, dtype=float),
        "asked": np.ones((count, width)) if asked is None else np.array(asked, dtype=float),
        "questions": questions,
        "blocks": dict.fromkeys(questions, "B"),
        "digits": dict.fromkeys(questions, 2),
    }
    return Deck(**(content | changes))


NAN = float("nan")


def test_the_only_donor_gives_its_value_an_inhabitant() -> None:
    (row,) = impute(deck([1000, 500], [[200], [NAN]]), seed=1).itertuples()
    assert (row.unit, row.question, row.value, row.method, row.donor) == (1, "Q0", 100.0, "donor", 0)


def test_questions_of_a_block_take_one_donor() -> None:
    values = [[100, 1], [200, 2], [300, 3], [400, 4], [500, 5], [NAN, NAN]]
    made = impute(deck([100] * 6, values), seed=3)
    assert made["donor"].nunique() == 1
    assert made["value"].tolist() == [100.0 * made["value"][1], made["value"][1]]


def test_a_unit_known_to_be_asked_takes_from_those_who_were() -> None:
    made = impute(
        deck([100] * 4, [[0], [0], [70], [NAN]], asked=[[0], [0], [1], [1]]), seed=1, minimum_donors=1
    )
    assert made["value"].tolist() == [70.0]


def test_an_open_filter_takes_from_anyone() -> None:
    values = [[0], [0], [0], [0], [0], [NAN]]
    made = impute(deck([100] * 6, values, asked=[[0]] * 5 + [[NAN]]), seed=1)
    assert made["value"].tolist() == [0.0]
    assert made["method"].tolist() == ["donor"]


def test_a_closed_filter_leaves_only_zero() -> None:
    made = impute(deck([100, 100], [[50], [NAN]], asked=[[1], [0]]), seed=1)
    assert made[["value", "method", "donor"]].to_numpy().tolist() == [[0.0, "deductive", -1]]


def test_too_few_donors_widen_the_class() -> None:
    classes = {
        "stratum": np.array(["a", "b", "b", "b", "b", "b", "a"], dtype=object),
        "all": np.array(["x"] * 7, dtype=object),
    }
    values = [[1], [2], [2], [2], [2], [2], [NAN]]
    made = impute(deck([100] * 7, values, classes=classes), seed=1, minimum_donors=5)
    assert made["donor_class"].tolist() == ["all"]
    assert made["donors"].tolist() == [6]
    own = impute(deck([100] * 7, values, classes=classes), seed=1, minimum_donors=1)
    assert own[["donor_class", "value"]].to_numpy().tolist() == [["stratum", 1.0]]


def test_only_the_nearest_in_size_give() -> None:
    population = [100, 110, 90, 105, 95, 1_000_000, 102]
    made = impute(deck(population, [[1], [1], [1], [1], [1], [10**9], [NAN]]), seed=5)
    assert made["donor"].tolist() != [5]


def test_nobody_can_give() -> None:
    with pytest.raises(EstimationError, match="no unit can give a value of B"):
        impute(deck([100, 100], [[NAN], [NAN]]), seed=1)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_neither_order_nor_names_change_what_is_drawn(seed: int, shuffler) -> None:
    generator = np.random.default_rng(seed)
    population = generator.integers(50, 5000, 40).astype(float)
    values = np.round(generator.lognormal(3, 1, (40, 2)), 2)
    values[generator.random((40, 2)) < 0.2] = NAN
    values[:6] = np.round(generator.lognormal(3, 1, (6, 2)), 2)
    order = list(range(40))
    shuffler.shuffle(order)
    first = impute(deck(population.tolist(), values.tolist()), seed=seed)
    second = impute(deck(population[order].tolist(), values[order].tolist()), seed=seed)
    second["unit"] = [order[unit] for unit in second["unit"]]
    columns = ["unit", "question", "value"]
    again = second.sort_values(["unit", "question"], ignore_index=True)[columns]
    pd.testing.assert_frame_equal(first[columns], again)


def test_the_mean_of_many_imputed_values_is_that_of_the_donors() -> None:
    generator = np.random.default_rng(11)
    population = generator.integers(500, 1500, 6000).astype(float)
    rate = generator.gamma(4.0, 2.0, 6000)
    values = (rate * population)[:, None]
    missing = generator.random(6000) < 0.3
    made = impute(deck(population.tolist(), np.where(missing[:, None], NAN, values).tolist()), seed=2)
    assert made["value"].sum() == pytest.approx(values[missing].sum(), rel=0.05)


def test_the_error_of_a_donated_value_is_what_it_is_said_to_be() -> None:
    """Known values are taken away and imputed: what goes wrong, squared, is the error variance on average."""
    generator = np.random.default_rng(11)
    population = np.exp(generator.normal(7, 0.8, 3000))
    known = population * generator.lognormal(0, 0.5, 3000)
    gone = generator.random(3000) < 0.2
    made = impute(deck(list(population), [[value] for value in np.where(gone, np.nan, known)]), seed=1)
    rate = known[made["unit"]] / population[made["unit"]]
    wrong = (made["value"] / population[made["unit"]] - rate) ** 2
    told = made["error_variance"] / population[made["unit"]] ** 2
    assert told.mean() == pytest.approx(wrong.mean(), rel=0.15)


def test_a_deduced_zero_is_certain() -> None:
    made = impute(deck([100, 100], [[50], [NAN]], asked=[[1], [0]]), seed=1)
    assert made["error_variance"].tolist() == [0.0]
