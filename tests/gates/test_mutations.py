"""Each gate can close: every critical expectation of every suite, on real data broken for it.

The tests are generated from the suites, so that an expectation of a new type without a mutation fails. The
data are the tables of a small wave that really ran; the broken ones go through the real gate function.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from asco_dagster.gates.suite import Suite, load_suite
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.orchestration.checks import gate_name
from asco_dagster.storage.warehouse import open_database, read_table
from asco_testing.gates.judged_frame import validate
from asco_testing.gates.mutations import BUILDERS, concerned, mutate
from asco_testing.worlds.rare_rows import SOUND
from asco_testing.worlds.small_wave import SmallWave, failures, materialize

ASSETS = sorted(path.stem for path in EXPECTATIONS.rglob("*.json"))
SUITES = {asset: load_suite(asset) for asset in ASSETS}
CRITICAL = [
    (asset, number)
    for asset, suite in SUITES.items()
    for number, expectation in enumerate(suite.expectations)
    if expectation["severity"] == "critical"
]
LONG = 10_000  # rows of a table that is judged whole
AT_LEAST = 120  # critical expectations over all suites


def _named(case: tuple[str, int]) -> str:
    asset, number = case
    expectation = SUITES[asset].expectations[number]
    column = expectation["kwargs"].get("column", "")
    return f"{asset}-{number}-{expectation['type'].removeprefix('expect_')}-{column}"


def _refused_return(returns: pd.DataFrame) -> pd.DataFrame:
    first = returns.index[:1]
    returns.loc[first, ["status", "is_refused", "reason"]] = ["refused", 1, "formula"]
    return returns


def _modelled_total(rows: pd.DataFrame) -> pd.DataFrame:
    """Too few départements of the small wave have a released total for one to be modelled."""
    return pd.concat([rows, rows.head(1).assign(statistic="total")], ignore_index=True)


# What a wave without incident has no row of.
INCIDENTS: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "raw_asco__returns": _refused_return,
    "sec_asco__model_estimates": _modelled_total,
    "pub_asco__model_estimates": _modelled_total,
    "pub_asco__evolution": lambda rows: rows.assign(same_territory=1),  # of the former wave no map is known
}


@pytest.fixture(scope="module")
def tables(small_wave: SmallWave) -> Callable[[str], pd.DataFrame]:
    """Reads the table of an asset; one is kept at a time."""
    kept: dict[str, pd.DataFrame] = {}

    def read(asset: str) -> pd.DataFrame:
        if asset not in kept:
            kept.clear()
            with open_database(small_wave.places.database("2014"), read_only=True) as database:
                frame = read_table(database, asset)
            if frame.empty and asset in SOUND:
                frame = pd.DataFrame(SOUND[asset])
            kept[asset] = INCIDENTS.get(asset, lambda whole: whole)(frame)
        return kept[asset]

    return read


def test_enough_is_asked_and_everything_can_be_broken(capsys: pytest.CaptureFixture[str]) -> None:
    types = Counter(SUITES[asset].expectations[number]["type"] for asset, number in CRITICAL)
    with capsys.disabled():
        print(f"\n{len(CRITICAL)} critical expectations of {len(types)} types in {len(ASSETS)} suites")
    assert len(CRITICAL) >= AT_LEAST
    assert set(types) <= set(BUILDERS), "an expectation of a type that nobody knows how to break"
    assert all(any(name == asset for name, _ in CRITICAL) for asset in ASSETS), "a gate that cannot close"


@pytest.mark.parametrize("asset", ASSETS)
def test_the_gate_is_open_on_the_tables_as_they_are(asset: str, small_wave: SmallWave, tables) -> None:
    result = validate(SUITES[asset], tables(asset), small_wave.wave)
    assert [verdict for verdict in result.verdicts if verdict.closes] == []


def _reduced(table: pd.DataFrame, expectation: Mapping[str, Any]) -> pd.DataFrame:
    """Some rows of a long table, where each row is judged by itself: those would pass in any selection."""
    kind, arguments = expectation["type"], expectation["kwargs"]
    alone = kind.startswith(("expect_column_values_", "expect_column_pair_", "expect_compound_"))
    if not alone or "mostly" in arguments or len(table) <= LONG:
        return table
    judged = None if "not_be_null" in kind or "be_null" in kind else arguments.get("column")
    rows = concerned(table, arguments, judged)[: LONG // 2]
    return table.loc[rows.union(table.index[: LONG // 2])].reset_index(drop=True)


@pytest.mark.parametrize("case", CRITICAL, ids=_named)
def test_broken_data_close_the_gate(case: tuple[str, int], small_wave: SmallWave, tables) -> None:
    asset, number = case
    suite = SUITES[asset]
    expectation = suite.expectations[number]
    table = _reduced(tables(asset), expectation)
    broken = mutate(table, expectation, small_wave.wave.bounds)
    alone = Suite(asset, {**suite.content, "expectations": [expectation]})
    result = validate(alone, broken, small_wave.wave)
    (verdict,) = result.verdicts
    assert verdict.fault is None, verdict.fault
    assert not verdict.passed, f"{expectation} holds on broken data"
    assert result.closed


# One asset of each layer whose step takes seconds, and the expectation that is broken.
STOPS = {
    "raw_insee__legal_populations": "expect_column_sum_to_be_between",
    "est_quality__published": "expect_column_values_to_be_between",
    "sec_quality__drift": "expect_compound_columns_to_be_unique",
}


@pytest.fixture
def broken_on_write(
    small_wave: SmallWave, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """What an asset's step writes is broken while the test lasts, then made and released again."""
    from asco_dagster.storage import warehouse

    chosen: list[str] = []

    def write(connection: Any, asset: str, rows: Any) -> None:
        if asset in chosen:
            (wanted,) = {
                x["type"]: x for x in SUITES[asset].expectations if x["type"] == STOPS[asset]
            }.values()
            frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
            rows = mutate(frame, wanted, small_wave.wave.bounds)
        warehouse.write_table(connection, asset, rows)

    with monkeypatch.context() as patch:
        patch.setattr("asco_dagster.orchestration.wave_step.write_table", write)
        yield chosen.append
    # then all that is below it, whose gates the refused run took back: other tests read the same world
    alone = materialize(small_wave, *chosen)
    assert alone.success, failures(alone)
    whole = materialize(small_wave, only_changed=True)
    assert whole.success, failures(whole)


def _standing(releases: Path) -> dict[Path, str | int]:
    """Where links point and when files were written: ``latest`` may be put in place anew, to the same."""
    return {
        path: str(path.readlink()) if path.is_symlink() else path.stat().st_mtime_ns
        for path in releases.rglob("*")
    }


@pytest.mark.parametrize("asset", STOPS)
def test_broken_data_stop_the_release(asset: str, small_wave: SmallWave, broken_on_write) -> None:
    releases = small_wave.places.releases("2014")
    before = _standing(releases)
    broken_on_write(asset)
    run = materialize(small_wave, asset, "pub_asco__release")
    assert not run.success
    assert any(told.startswith(gate_name(asset)) for told in failures(run)), failures(run)
    alone = materialize(small_wave, "pub_asco__release")
    assert any(f"gate {gate_name(asset)} is closed" in told for told in failures(alone)), failures(alone)
    assert _standing(releases) == before
