"""A wave ran to a release, an input was corrected, the wave ran again: revisions name exactly what changed.

The former and the new release are compared here once more, in SQL and from their CSV files, so that nothing
of the comparison under test has a say in what is expected.
"""

import dataclasses
import io
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest
from openpyxl import load_workbook

from asco_dagster.demonstration.archives import write_zip
from asco_dagster.orchestration.tags import UNCHANGED
from asco_dagster.questionnaires import workbook_layout as at
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.workbook import CORE_PROPERTIES
from asco_dagster.releases.store import latest_release, read_manifest
from asco_testing.worlds.built_once import copied
from asco_testing.worlds.small_wave import REASON, SmallWave, failures, materialize, small_wave_in

# A question that no other is asked after but its number of files, so that little else moves with it.
# The first ten returns are all of one département, whose number shows them.
QUESTION, INDICATOR, CORRECTED = "ORG_INSTRUCTS", "instructs", 10
CELL = ("unit_type", "indicator", "statistic", "geography", "area_code", "size_class")
CELL_NUMBERS = ("estimate", "standard_error", "ci_low", "ci_high", "cv", "respondents", "weighted_units",
                "denominator")  # fmt: skip
PROFILE = ("departement_code",)
PROFILE_TEXTS = {"departement_code", "departement_name", "region_code", "region_name", "aid_area_code"}
PROFILE_TEXTS |= {
    f"{name}_quality_flag"
    for name in (
        "communes_with_action_share",
        "communes_with_ccas_share",
        "communes_acting_for_elderly_share",
    )
}


@dataclasses.dataclass(frozen=True)
class Revised:
    """The former release, the new one, what the run rebuilt that died behind it, and what its retry did."""

    former: Path
    later: Path
    former_bytes: dict[str, bytes]
    made_anew: set[str]
    by_the_retry: set[str]


@pytest.fixture(scope="module")
def revised(small_wave_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Revised]:
    """A copy of the small wave in which some communes corrected an answer and the wave ran again.

    That run dies when its release stands and nothing was reported of it yet, and is tried once more.
    """
    home = copied(small_wave_home, tmp_path_factory.mktemp("revised") / "home")
    with small_wave_in(home) as wave:
        yield _revised(wave)
    shutil.rmtree(home, ignore_errors=True)


def _revised(own: SmallWave) -> Revised:
    releases = own.places.releases("2014")
    assert [path.name for path in releases.glob("[0-9]*")] == ["1.0.0"]
    before = _bytes(releases / "1.0.0")
    address = own.wave.sources.commune_returns[0].address
    _correct(own.places.inbox("2014") / address, own.wave.questionnaire)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asco_dagster.publication.assets.upload_releases", _dies)
        died = materialize(own, only_changed=True)
    assert any("died behind its release" in told for told in failures(died)), failures(died)
    assert latest_release(releases) == releases / "2.0.0"
    retry = materialize(own, only_changed=True)
    assert retry.success, failures(retry)
    return Revised(releases / "1.0.0", latest_release(releases), before, _anew(died), _anew(retry))


def _dies(*_: object) -> None:
    raise OSError("died behind its release")


def _anew(run: dg.ExecuteInProcessResult) -> set[str]:
    """Assets that a run made, and did not report as unchanged."""
    events = run.get_asset_materialization_events()
    told = [event.step_materialization_data.materialization for event in events]
    return {made.asset_key.path[-1] for made in told if UNCHANGED not in made.metadata}


def _correct(delivery: Path, questionnaire: str) -> None:
    """Turn a no into a yes in the first returns that hold one; moments of saving stay."""
    codebook = load_questionnaire(questionnaire).codebooks["commune"]
    (place,) = (place for place in at.layout(codebook) if place.question == QUESTION)
    with zipfile.ZipFile(delivery) as archive:
        returns = [(name, archive.read(name)) for name in archive.namelist()]
    left, corrected = CORRECTED, []
    for name, content in returns:
        changed = _with_yes(content, place) if left and name.endswith(".xlsx") else None
        left -= changed is not None
        corrected.append((name, changed or content))
    assert not left
    write_zip(delivery, corrected)


def _with_yes(content: bytes, place: at.Place) -> bytes | None:
    """The workbook with a yes in place of a no; None where there is no no, or no workbook that opens."""
    try:
        book = load_workbook(io.BytesIO(content))
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None
    if place.tab not in book.sheetnames or book[place.tab].cell(place.row, place.column).value != at.NO:
        return None
    book[place.tab].cell(place.row, place.column).value = at.YES
    saved, out = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(saved) as new,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as whole,
    ):
        for name in new.namelist():
            whole.writestr(name, (old if name == CORE_PROPERTIES else new).read(name))
    return out.getvalue()


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def _changed(revised: Revised, stem: str, key: Sequence[str], numbers: Sequence[str]) -> set[tuple]:
    """Every number of a table that is another, came or went: key, column, old, new, as the CSV files say."""
    files = [folder / "tables" / f"{stem}.csv" for folder in (revised.former, revised.later)]
    old, new = (
        f"(unpivot (from read_csv('{file}', all_varchar = true)) on {', '.join(numbers)}"
        " into name quantity value told)"
        for file in files
    )
    at_both = ", ".join([*key, "quantity"])
    return set(
        duckdb.sql(
            f"select {at_both}, a.told::double as old, b.told::double as new "
            f"from {old} as a full join {new} as b using ({at_both}) "
            "where a.told::double is distinct from b.told::double"
        ).fetchall()
    )


def _told(revised: Revised, table: str, key: Sequence[str]) -> set[tuple]:
    rows = pd.read_parquet(revised.later / "tables" / "revisions.parquet")
    rows = rows[rows["table"] == table].astype({"old": object, "new": object})
    rows = rows.where(rows.notna(), None)
    return set(rows[[*key, "old", "new"]].itertuples(index=False, name=None))


def test_a_corrected_wave_is_a_major_version_and_the_former_stands(revised: Revised) -> None:
    assert revised.later.name == "2.0.0"
    manifest = read_manifest(revised.later)
    assert (manifest["former_version"], manifest["change"]) == ("1.0.0", "major")
    assert _bytes(revised.former) == revised.former_bytes
    rows = pd.read_parquet(revised.later / "tables" / "revisions.parquet")
    changed = ((rows["table"] == "asco_cells") & (rows["change"] == "changed")).sum()
    told = (revised.later / "CHANGELOG.md").read_text()
    assert f"- asco_cells : {changed} nombres changés / numbers changed." in told


def test_only_what_reads_the_returns_is_made_again(revised: Revised) -> None:
    assert {"raw_asco__returns", "est_asco__estimates", "sec_asco__cells"} <= revised.made_anew
    assert not [name for name in revised.made_anew if name.startswith(("raw_insee", "raw_dgcl", "raw_drees"))]


def test_the_retry_of_a_run_that_died_behind_its_release_takes_that_for_its_own(revised: Revised) -> None:
    assert revised.by_the_retry == {"pub_asco__release", "pub_asco__evolution"}


def test_the_revisions_name_exactly_the_numbers_that_changed(revised: Revised) -> None:
    changed = _changed(revised, "asco_cells", CELL, CELL_NUMBERS)
    assert changed
    assert _told(revised, "asco_cells", [*CELL, "quantity"]) == changed
    header = pd.read_csv(revised.later / "tables" / "departement_profiles.csv", nrows=0).columns
    numbers = [name for name in header if name not in PROFILE_TEXTS]
    profiles = _changed(revised, "departement_profiles", PROFILE, numbers)
    assert _told(revised, "departement_profiles", ["area_code", "indicator"]) == profiles


def test_the_planted_correction_is_among_them_with_its_reason(revised: Revised) -> None:
    rows = pd.read_parquet(revised.later / "tables" / "revisions.parquet")
    assert set(rows["former_version"]) == {"1.0.0"}
    assert set(rows["reason_fr"]) == {REASON.fr}
    assert set(rows["reason_en"]) == {REASON.en}
    own = rows.set_index(["indicator", "statistic", "geography", "size_class", "quantity"])
    (told,) = own.loc[[(INDICATOR, "share", "france", "total", "estimate")]].to_dict("records")
    assert told["change"] == "changed"
    assert told["new"] > told["old"]
    # communes corrected their answers, so nothing of the EPCI is another
    assert set(rows.loc[rows["table"] == "asco_cells", "unit_type"]) == {"commune"}


def test_what_one_or_two_units_corrected_waits_for_more(revised: Revised) -> None:
    cells = pd.read_parquet(revised.later / "tables" / "asco_cells.parquet")
    own = cells[(cells["indicator"] == INDICATOR) & (cells["statistic"] == "share")]
    held = own[own["as_of"] == "1.0.0"]
    assert "total" not in set(held["size_class"])
    assert 2 <= held["size_class"].nunique() <= 5
