"""One demonstration of wave 2014 at its true size, made once for all tests of this folder."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from asco_dagster.demonstration import write_deliveries
from asco_dagster.demonstration.returns import returned, returns_seed, write_returns
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave, load_wave


@pytest.fixture(scope="session")
def wave() -> Wave:
    return load_wave("2014")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tmp_path_factory.mktemp("demonstration"))


@pytest.fixture(scope="session")
def deliveries(wave: Wave, home: Places) -> dict[str, Path]:
    return {path.name: path for path in write_deliveries(wave, places=home)}


@pytest.fixture(scope="session")
def truth(deliveries: dict[str, Path], home: Places) -> pd.DataFrame:
    return pd.read_parquet(home.demonstration / "2014-truth.parquet")


@pytest.fixture(scope="session")
def sent(wave: Wave, truth: pd.DataFrame, deliveries: dict[str, Path]) -> dict[str, pd.DataFrame]:
    """What the sampled units send back, by unit type, before any format."""
    sample = pd.read_csv(deliveries["asco-sample-2014.csv"], sep=";", dtype=str)["unit_code"]
    return {
        unit_type: returned(
            truth[truth["unit_type"] == unit_type].reset_index(drop=True),
            sample,
            codebook,
            wave.collection,
            returns_seed(wave.sampling.seed, wave, unit_type),
        )
        for unit_type, codebook in load_questionnaire(wave.questionnaire).codebooks.items()
    }


@pytest.fixture(scope="session")
def exports(
    wave: Wave, sent: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The same returns as exports of a web questionnaire, by unit type."""
    folder = tmp_path_factory.mktemp("exports")
    for unit_type, returns in sent.items():
        write_returns(folder / f"{unit_type}.csv", returns, wave, unit_type)  # type: ignore[arg-type]
    return {unit_type: folder / f"{unit_type}.csv" for unit_type in sent}


@dataclass(frozen=True)
class Small:
    """A demonstration at a hundredth of the size, in an inbox that held another file before."""

    places: Places
    paths: list[Path]
    steps: list[tuple[str, int, int]]


@pytest.fixture(scope="session")
def small_demonstration(wave: Wave, tmp_path_factory: pytest.TempPathFactory) -> Small:
    places = Places(tmp_path_factory.mktemp("small"))
    places.inbox("2014").mkdir(parents=True)
    (places.inbox("2014") / "mine.csv").write_text("mine")
    steps: list[tuple[str, int, int]] = []
    paths = write_deliveries(
        wave,
        places=places,
        scale=0.01,
        progress=lambda name, done, total: steps.append((name, done, total)),
        overwrite=True,
    )
    return Small(places, paths, steps)
