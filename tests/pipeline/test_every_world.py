"""What holds of the numbers of every wave that ran: small, at true size, on the real territory."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

QUANTILE = 1.959964
WORLDS = [
    pytest.param("small_wave_home", marks=pytest.mark.slow),
    pytest.param("released_once", marks=pytest.mark.long),
    pytest.param("released_real", marks=[pytest.mark.long, pytest.mark.real]),
]
_COMPLETE = """
with complete as (
    select stratum from estimation.est_asco__sample group by stratum
    having min(inclusion_probability) = 1 and bool_and(response_status = 'respondent')
)
select nonresponse_weight from estimation.est_asco__weights where stratum in (from complete)
"""


@pytest.fixture(scope="module", params=WORLDS)
def database(request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    made = request.getfixturevalue(request.param)
    home: Path = made[0] if isinstance(made, tuple) else made
    with duckdb.connect(str(home / "waves" / "2014" / "asco.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture
def shares(database: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    return database.sql(
        "from confidentiality.sec_asco__cells where status = 'V' and statistic <> 'total'"
    ).df()


def test_no_interval_of_a_released_share_is_wider_than_its_error_says(shares: pd.DataFrame) -> None:
    assert len(shares) > 500
    width = shares["ci_high"] - shares["ci_low"]
    wider = width > 1.5 * 2 * QUANTILE * shares["standard_error"] * (1 + 1e-6) + 1e-12
    assert not wider.any(), shares[wider]


def test_no_share_of_thirty_respondents_may_be_anything(shares: pd.DataFrame) -> None:
    heard = shares[shares["respondents"] >= 30]
    assert len(heard) > 100
    anything = heard[(heard["ci_low"] <= 0) & (heard["ci_high"] >= 1)]
    assert anything.empty, anything


def test_units_of_complete_take_all_strata_represent_themselves(
    database: duckdb.DuckDBPyConnection,
) -> None:
    weights = database.sql(_COMPLETE).df()["nonresponse_weight"]
    assert len(weights) > 50
    assert (weights == 1).all()
