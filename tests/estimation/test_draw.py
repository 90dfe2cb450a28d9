"""The sample of a wave without a delivered one: drawn by the design, frozen, and never drawn again."""

import json
import stat
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from asco_dagster.demonstration.frame import commune_frame, epci_frame, invented_territory
from asco_dagster.errors import EstimationError
from asco_dagster.estimation.design_strata import design_strata, draw_by_design
from asco_dagster.estimation.draw import frame_by_design, frozen_or_drawn, with_probabilities
from asco_dagster.estimation.frozen_sample import RECORD, SAMPLE
from asco_dagster.waves import Wave, load_wave
from asco_dagster.waves.statistics import Allocation, Design


def small_wave(**more: object) -> Wave:
    """Wave 2014 with 60 communes and 20 EPCI to draw; ``more`` changes the communes' design."""
    wave = load_wave("2014")
    commune = wave.sampling.commune.model_copy(
        update={"size": 60, "take_all_from": 8000, "minimum_per_stratum": 2, **more}
    )
    epci = wave.sampling.epci.model_copy(update={"size": 20, "minimum_per_stratum": 2})
    sampling = wave.sampling.model_copy(update={"commune": commune, "epci": epci})
    return wave.model_copy(update={"sampling": sampling})


def units() -> pd.DataFrame:
    """200 communes of two départements and 40 EPCI, in the columns of ``stg_asco__units``."""
    generator = np.random.default_rng(1)
    communes = pd.DataFrame({"unit_code": [f"{1 + i % 2:02d}{i:03d}" for i in range(200)]})
    communes["population"] = np.exp(generator.normal(7, 1.2, 200)).astype(int)
    small = communes["population"] < 5000
    communes["stratum"] = "commune:" + communes["unit_code"].str[:2] + np.where(small, ":small", ":large")
    epci = pd.DataFrame({"unit_code": [f"2000{i:05d}" for i in range(40)]})
    epci["population"] = 9000 + 1000 * np.arange(40)
    epci["stratum"] = "epci:84:1"
    frame = pd.concat([communes.assign(unit_type="commune"), epci.assign(unit_type="epci")])
    frame["unit_id"] = [f"{(number * 7919) % 9973:04d}" for number in range(len(frame))]
    return frame.reset_index(drop=True)


def drawn(folder: Path, wave: Wave, frame: pd.DataFrame) -> pd.DataFrame:
    return frozen_or_drawn(folder, wave, frame_by_design(frame, wave))


def test_sizes_are_exact_and_the_threshold_takes_all(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    sample = drawn(tmp_path, wave, frame)
    assert sample["unit_type"].value_counts().to_dict() == {"commune": 60, "epci": 20}
    large = frame[(frame["unit_type"] == "commune") & (frame["population"] >= 8000)]
    assert len(large) > 2
    assert large["unit_code"].isin(sample["unit_code"]).all()


def test_a_second_run_reads_the_frozen_sample_and_draws_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, wave = units(), small_wave()
    first = drawn(tmp_path, wave, frame)
    content = (tmp_path / SAMPLE).read_bytes()

    def refuse(*_: object) -> None:
        raise AssertionError("drawn a second time")

    monkeypatch.setattr("asco_dagster.estimation.draw.draw_by_design", refuse)
    # Another key gives other pseudonyms and another order; the sample stays.
    moved = frame.assign(unit_id=frame["unit_id"].str[::-1] + frame["unit_code"]).sample(
        frac=1, random_state=3
    )
    second = drawn(tmp_path, wave, moved)
    pd.testing.assert_frame_equal(first.astype(str), second.astype(str))
    assert (tmp_path / SAMPLE).read_bytes() == content


def test_the_draw_is_the_same_on_another_machine(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        drawn(tmp_path / name, wave, frame.sample(frac=1, random_state=len(name)))
    for file in (SAMPLE, RECORD):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
        assert stat.S_IMODE((tmp_path / "one" / file).stat().st_mode) == 0o600


def test_a_changed_frame_is_refused_and_reported(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    drawn(tmp_path, wave, frame)
    with pytest.raises(
        EstimationError, match=r"240 units then, 239 now.*first epci:84:1 \(40 then, 39 now\)"
    ):
        drawn(tmp_path, wave, frame.iloc[:-1])
    exchanged = frame.assign(unit_code=frame["unit_code"].replace("200000000", "299999999"))
    with pytest.raises(EstimationError, match="exchanged"):
        drawn(tmp_path, wave, exchanged.replace("200000001", "299999999"))


def test_a_sample_frozen_before_its_design_had_a_key_is_still_that_of_its_design(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    first = drawn(tmp_path, wave, frame)
    record = json.loads((tmp_path / RECORD).read_text())
    for unit_type in ("commune", "epci"):
        for key in ("area", "power"):
            del record["design"][unit_type]["allocation"][key]
    (tmp_path / RECORD).write_text(json.dumps(record))
    pd.testing.assert_frame_equal(first.astype(str), drawn(tmp_path, wave, frame).astype(str))


def test_a_changed_design_is_refused(tmp_path: Path) -> None:
    frame = units()
    drawn(tmp_path, small_wave(), frame)
    with pytest.raises(EstimationError, match="design of wave 2014 differs from that of its frozen sample"):
        drawn(tmp_path, small_wave(size=61), frame)


def test_an_altered_frozen_sample_is_refused(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    drawn(tmp_path, wave, frame)
    lines = (tmp_path / SAMPLE).read_text().splitlines(keepends=True)
    (tmp_path / SAMPLE).write_text("".join(lines[:-1]))
    with pytest.raises(EstimationError, match="altered or lost"):
        drawn(tmp_path, wave, frame)


def test_a_run_killed_before_the_record_was_written_draws_the_same_again(tmp_path: Path) -> None:
    frame, wave = units(), small_wave()
    first = drawn(tmp_path, wave, frame)
    (tmp_path / RECORD).unlink()
    pd.testing.assert_frame_equal(first, drawn(tmp_path, wave, frame))


def test_probabilities_are_those_of_the_strata_of_the_design() -> None:
    frame = frame_by_design(units(), small_wave())
    chosen = pd.Series(np.arange(len(frame)) % 3 == 0)
    rows = with_probabilities(frame, chosen)
    assert len(rows) == chosen.sum()
    assert (rows["inclusion_probability"] == rows["stratum_sample"] / rows["stratum_population"]).all()
    # Horvitz and Thompson: the design weights of each stratum add up to its units.
    totals = (1 / rows["inclusion_probability"]).groupby(rows["stratum"]).sum()
    sizes = frame["stratum"].value_counts()
    np.testing.assert_allclose(totals, sizes.reindex(totals.index))


def test_a_stratum_cut_by_the_threshold_is_two() -> None:
    design = small_wave().sampling.commune
    frame = pd.DataFrame({"stratum": ["a", "a", "b"], "population": [100, 9000, 9000]})
    strata = design_strata(frame, design)
    assert strata["stratum"].tolist() == ["a", "a:all", "b"]
    assert strata["take_all"].tolist() == [False, True, True]


def test_neyman_gives_more_to_the_stratum_that_varies_more() -> None:
    frame = pd.DataFrame(
        {"unit_code": [f"{i:03d}" for i in range(200)], "stratum": ["flat"] * 100 + ["wide"] * 100}
    )
    frame["population"] = [500 + i % 2 for i in range(100)] + [10 + 30 * i for i in range(100)]
    plain: Design = small_wave(size=60).sampling.commune
    by_spread = plain.model_copy(update={"allocation": Allocation(method="neyman", variable="population")})
    counts = draw_by_design(frame, plain, 1)["stratum"].value_counts()
    assert counts.to_dict() == {"flat": 30, "wide": 30}
    counts = draw_by_design(frame, by_spread, 1)["stratum"].value_counts()
    assert counts.to_dict() == {"flat": 2, "wide": 58}


def test_methods_without_what_they_need_are_refused() -> None:
    with pytest.raises(ValueError, match="neyman names a variable"):
        Allocation(method="neyman")
    with pytest.raises(ValueError, match="power names an area and a power"):
        Allocation(method="power", area="region_code")
    with pytest.raises(ValueError, match="power names an area and a power"):
        Allocation(area="region_code", power=0.5)
    by_nature = {"method": "power", "area": "epci_nature", "power": 0.5}
    design = small_wave().sampling.epci.model_dump() | {"allocation": by_nature}
    with pytest.raises(ValueError, match="area epci_nature is none of the strata"):
        Design.model_validate(design)


@pytest.mark.parametrize(
    ("unit_type", "area", "power", "worst"),
    [("commune", "departement_code", 0.25, 0.75), ("epci", "region_code", 0.5, 0.87)],
)
def test_a_power_allocation_makes_small_areas_better_and_france_hardly_worse(
    unit_type: str, area: Literal["departement_code", "region_code"], power: float, worst: float
) -> None:
    wave = load_wave("2014")
    territory = invented_territory(wave, 1)
    communes = commune_frame(territory, wave)
    frame = communes if unit_type == "commune" else epci_frame(communes, territory, wave)
    plain = wave.design(unit_type)
    by_power = plain.model_copy(update={"allocation": Allocation(method="power", area=area, power=power)})
    before, after = (half_widths(draw_by_design(frame, design, 1)) for design in (plain, by_power))
    assert after.quantile(0.95) < worst * before.quantile(0.95)
    assert after["FR"] < 1.1 * before["FR"]


def half_widths(sample: pd.DataFrame) -> pd.Series:
    """Half the width of the interval of a share of one half, of each area and of France (FR)."""
    strata = sample.drop_duplicates("stratum").set_index("stratum")
    taken, units_of = strata["stratum_sample"], strata["stratum_population"].astype(float)
    variance = units_of**2 * (1 - taken / units_of) * 0.25 / taken
    areas = pd.Series(strata.index, strata.index).str.split(":").str[1]
    by_area = np.sqrt(variance.groupby(areas).sum()) / units_of.groupby(areas).sum()
    france = pd.Series({"FR": np.sqrt(variance.sum()) / units_of.sum()})
    return 1.96 * pd.concat([by_area, france])
