"""A France so many times as large, whose returns come as CSV exports: ``larger_france.py TIMES deliver|run``.

Every commune and EPCI stands there TIMES times, each under a code of its own, in the sample and among the
returns as well, so that every rate, share and stratum is that of the demonstration. INSEE has numbers for a
thousand communes a département: here their three characters are digits and letters, and in this process
alone the readers and the suites take them. What does not belong here: what it costs (``scales_part``).
"""

import json
import os
import re
import shutil
import string
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from asco_testing import SHIPPED_WAVES

if TYPE_CHECKING:
    import pandas as pd  # imported late: the package chooses Arrow's allocator before

WAVE = "2014"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
NUMBER = "[0-9A-Za-z]{3}"
# bounds that count units or inhabitants
COUNTED = re.compile(r"(?:communes|epci|frame_units|outside_epci|absent_.*)_(?:min|max)|population_max")


def write_wave(folder: Path, times: int) -> Path:
    """Write the wave file for ``ASCO_WAVES``: its returns as exports, its bounds so many times as large."""
    folder.mkdir(parents=True, exist_ok=True)
    wave = yaml.safe_load((SHIPPED_WAVES / f"{WAVE}.yaml").read_text(encoding="utf-8"))
    for name in ("commune", "epci"):
        for delivery in wave["sources"][f"{name}_returns"]:
            delivery["address"] = delivery["address"].replace(".zip", ".csv")
        wave["sampling"][name]["size"] *= times
    defaults = yaml.safe_load((SHIPPED_WAVES / "defaults.yaml").read_text(encoding="utf-8"))
    wave["bounds"] = {**defaults["bounds"], **wave["bounds"]}
    for name, bound in wave["bounds"].items():
        if COUNTED.fullmatch(name):
            wave["bounds"][name] = bound * times
    # the census and the départements' aid stay those of one France: the suites know how large it is
    wave["bounds"] |= dict.fromkeys(("frame_census_max", "frame_census_worst_max"), float(times))
    wave["published"] = []
    # a stratum of which nobody answers is so many times as large, and so is the smallest open cell
    wave["bounds"]["response_rate_stratum_min"] = 0.0
    for name in ("minimum_respondents", "group_threshold"):
        wave["disclosure"][name] *= times
    text = yaml.safe_dump(wave, allow_unicode=True, sort_keys=False)
    (folder / f"{WAVE}.yaml").write_text(text, encoding="utf-8")
    return folder


def widen(folder: Path, times: int) -> None:
    """Have this process take a commune's number of any digits and letters, and domains so much larger.

    Args:
        folder: takes the suites with the wider patterns; to be called before the pipeline is imported.
        times: how many times as large.
    """
    from asco_dagster.storage import places

    suites = folder / "expectations"
    shutil.copytree(places.EXPECTATIONS, suites, dirs_exist_ok=True)
    for path in suites.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        wider = text.replace(r"\\d{4,5}|", rf"\\d{{1,2}}{NUMBER}|").replace(r"\\d{5}|", rf"\\d{{2}}{NUMBER}|")
        path.write_text(wider.replace(r"2[AB]\\d{3}", rf"2[AB]{NUMBER}"), encoding="utf-8")
    estimates = suites / "estimation" / "est_asco__estimates.json"
    suite = json.loads(estimates.read_text(encoding="utf-8"))
    for expectation in suite["expectations"]:
        asked = expectation["kwargs"]
        if asked.get("column") == "respondents" and "max_value" in asked:
            asked["max_value"] *= times
    estimates.write_text(json.dumps(suite), encoding="utf-8")
    places.EXPECTATIONS = suites

    from asco_dagster.demonstration import territory_files
    from asco_dagster.sources.readers import dgcl, insee_populations, sample_list
    from asco_dagster.sources.returns import questionnaire_form

    commune = rf"(?:\d\d|2[AB]){NUMBER}"
    insee_populations._COMMUNE = commune
    sample_list._UNIT_CODE = "[0-9A-Za-z]+"
    questionnaire_form._UNIT_CODES["commune"] = re.compile(commune)
    dgcl._CODES["commune_code"] = (rf"\d{{1,2}}{NUMBER}|2[AB]{NUMBER}", "a commune code")
    # a register that numbers each of them does not exist, and nothing reads these numbers
    territory_files.commune_siren = lambda code: f"21{int(code, 36) % 10**7:07d}"


def deliver(times: int, base: Path, inbox: Path) -> None:
    """Write the deliveries.

    Args:
        times: how many times as large.
        base: inbox of the demonstration at true size, its returns as exports.
        inbox: the folder to fill.
    """
    import pandas as pd

    from asco_dagster.demonstration import deliveries
    from asco_dagster.demonstration.frame import invented_territory
    from asco_dagster.waves import load_wave

    wave = load_wave(WAVE)
    seed = wave.sampling.seed
    territory = invented_territory(wave, seed)
    copies = [_copy(territory, number, times) for number in range(times)]
    larger = replace(
        territory,
        members=pd.concat([members for members, _, _ in copies], ignore_index=True),
        populations=pd.concat([populations for _, populations, _ in copies], ignore_index=True),
    )
    inbox.mkdir(parents=True, exist_ok=True, mode=0o700)
    lists = {file.address for file in (*wave.sources.epci_members, *wave.sources.legal_populations)}
    for whose, listed in ((larger, True), (territory, False)):
        for name, write in deliveries._official_steps(wave, whose, seed):
            if (name in lists) == listed:
                write(inbox / name)
    codes = [own for _, _, own in copies]
    for delivery, column in (
        (wave.sources.sample, 1),
        (wave.sources.commune_returns, 0),
        (wave.sources.epci_returns, 0),
    ):
        name = delivery[0].address
        _repeat(base / name, inbox / name, codes, column)


def _copy(territory: Any, number: int, times: int) -> "tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]":
    """One copy of all units: members, populations, and the new code of each old one."""
    import pandas as pd

    wanted = ["commune_code", "departement_code"]
    communes = pd.concat([territory.members[wanted], territory.populations[wanted]]).drop_duplicates()
    rank = communes.groupby("departement_code")["commune_code"].rank().astype(int) - 1
    codes = {
        code: departement + _written(place * times + number, 5 - len(departement))
        for code, departement, place in zip(
            communes["commune_code"], communes["departement_code"], rank, strict=True
        )
    }
    bodies = sorted(territory.members["epci_siren"].unique())
    codes |= {siren: f"2{place * times + number:08d}" for place, siren in enumerate(bodies)}
    renamed = [
        table.assign(
            **{name: table[name].map(codes) for name in ("commune_code", "epci_siren") if name in table}
        )
        for table in (territory.members, territory.populations)
    ]
    return renamed[0], renamed[1], codes


def _written(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    if number:
        raise ValueError("a département has no numbers left: try fewer times")
    return text


def _repeat(source: Path, target: Path, codes: list[dict[str, str]], column: int) -> None:
    """Every line once for each copy, its unit's code replaced."""
    header, *lines = source.read_text(encoding="utf-8").splitlines()
    split = [line.split(";", column + 1) for line in lines]
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        for own in codes:
            file.writelines(
                ";".join([*cells[:column], own[cells[column]], *cells[column + 1 :]]) + "\n"
                for cells in split
            )


def main(times: int, work: str) -> None:
    """Write the deliveries into ``ASCO_HOME``, or run the wave there."""
    with tempfile.TemporaryDirectory() as folder:
        widen(Path(folder), times)
        if work == "run":
            from asco_dagster.cli.main import main as asco

            sys.argv = ["asco", "run", WAVE]
            asco()
            return
        from asco_dagster.demonstration.deliveries import write_deliveries
        from asco_dagster.settings import Settings
        from asco_dagster.storage.places import Places
        from asco_dagster.waves import load_wave

        places = Places.of(Settings.from_environment())
        base = replace(places, home=Path(folder) / "base")
        write_deliveries(load_wave(WAVE), places=base, scale=1 / times)
        draft = Path(folder) / "larger"
        deliver(times, base.inbox(WAVE), draft)
        places.inbox(WAVE).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft, places.inbox(WAVE))


if __name__ == "__main__":
    home = Path(os.environ["ASCO_HOME"])
    os.environ["ASCO_WAVES"] = str(write_wave(home / "wave-file", int(sys.argv[1])))
    main(int(sys.argv[1]), sys.argv[2])
