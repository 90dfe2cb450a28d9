"""The form of a wave file, and where wave files and versions of the questionnaire are found.

An unknown key, a missing file or an impossible date is an error that names the file, the key and the remedy.
"""

import datetime as dt
import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from asco_dagster.errors import ConfigurationError
from asco_dagster.waves.bounds import DEFAULTS, check_bounds, with_defaults
from asco_dagster.waves.form import Bound, Code, Form, Text, UnitType
from asco_dagster.waves.statistics import (
    Calibration,
    Design,
    Disclosure,
    Drift,
    Precision,
    PublishedFigure,
    Sampling,
)
from asco_dagster.waves.yaml_file import read_yaml, validated

SHIPPED = Path(__file__).parent
# Read here and checked by Settings: the partitions are built from it when the code is imported.
FOLDER = Path(os.environ.get("ASCO_WAVES") or SHIPPED).expanduser().absolute()
_WAVE_FILE = re.compile(r"[0-9]{4}\.yaml")
# Of every wave: at a tenth of a point, the population of a single town would be recognised.
POPULATION_SHARE_DECIMALS = 2
SHIPPED_QUESTIONNAIRES = SHIPPED.parent / "questionnaires"

ReturnFormat = Literal["workbooks", "export", "limesurvey", "limesurvey_api"]


class Delivery(Form):
    """One file to read.

    Attributes:
        address: a file of the wave's inbox, or an https, file or s3 address.
        vintage: year of the publisher's edition; which columns or sheet are read depends on it.
        sha256: checksum that the file must have; None takes any.
        format: what the returns in it are: filled workbooks (a folder, zip or tar of them), this project's
            export of the web questionnaire, LimeSurvey's response export, or a survey of a LimeSurvey
            server (``limesurvey://<survey id>``). None lets the name say it; only returns have one.
    """

    address: str = Field(min_length=1)
    vintage: int = Field(ge=1990, le=2100)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    format: ReturnFormat | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> "Delivery":
        survey = re.fullmatch(r"limesurvey://\d+", self.address)
        if (self.format == "limesurvey_api") != bool(survey):
            raise ValueError("format limesurvey_api and an address limesurvey://<survey id> go together")
        if survey and self.sha256:
            raise ValueError("what a server exports has no sha256 beforehand")
        return self

    @property
    def return_format(self) -> ReturnFormat:
        """The format of returns: as given, else by the name: ``.csv`` is an export, the rest workbooks."""
        return self.format or ("export" if self.address.lower().endswith(".csv") else "workbooks")


class Sources(Form):
    """What the wave reads, one list of files a source asset; without a sample, one is drawn from the frame.

    Attributes:
        former_communes: legal populations that list the communes of the former wave's geography; with
            ``commune_passage`` they say what became of each.
        commune_passage: INSEE's table of passage to the geography of this wave.
        census_individuals: INSEE's census file of individuals, whole or by zone, as Parquet.
    """

    epci_members: list[Delivery] = Field(min_length=1, max_length=1)
    legal_populations: list[Delivery] = Field(min_length=1)
    former_communes: list[Delivery] = Field(default=[])
    commune_passage: list[Delivery] = Field(default=[], max_length=1)
    population_age_sex: list[Delivery] = Field(min_length=1, max_length=1)
    census_individuals: list[Delivery] = Field(default=[])
    aid_beneficiaries: list[Delivery] = Field(min_length=1)
    aid_spending: list[Delivery] = Field(min_length=1)
    aid_staff: list[Delivery] = Field(min_length=1)
    sample: list[Delivery] = Field(default=[], max_length=1)
    commune_returns: list[Delivery] = Field(min_length=1)
    epci_returns: list[Delivery] = Field(min_length=1)

    @model_validator(mode="after")
    def _passage_with_former_communes(self) -> "Sources":
        if bool(self.former_communes) != bool(self.commune_passage):
            raise ValueError("former_communes and commune_passage go together: movements need both")
        return self

    @model_validator(mode="after")
    def _formats_of_returns_only(self) -> "Sources":
        for name in type(self).model_fields:
            if not name.endswith("_returns") and any(file.format for file in getattr(self, name)):
                raise ValueError(f"{name}: only returns have a format")
        return self


class Collection(Form):
    """First and last day of collection; ``raw_until`` is the last day on which its raw data may be kept."""

    start: dt.date
    end: dt.date
    raw_until: dt.date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Collection":
        if self.end <= self.start:
            raise ValueError(f"collection ends {self.end}, not after its start {self.start}")
        if self.raw_until is not None and self.raw_until <= self.end:
            raise ValueError(f"raw_until {self.raw_until} is before the end of collection")
        return self


class Release(Form):
    """What a release says of itself, and how it rounds.

    Attributes:
        decimals_share: decimals of released shares, their errors and coefficients of variation, by type of
            unit.
        decimals_total: decimals of released totals and of weighted units.
        title: its title.
        embargo: first day on which it may be public; None means none.
        hour: hour of that day, in Paris.
        approval: ``required`` keeps a version that changes public numbers as a candidate until somebody
            approves it, ``automatic`` publishes it; the first version needs no approval.
        reasons: why a version revises the former one, by version (``2.0.0``), for the table of revisions.
        contact: who answers for it.
    """

    decimals_share: dict[UnitType, Annotated[int, Field(ge=2, le=8)]]
    decimals_total: int = Field(ge=0, le=3)
    title: Text
    embargo: dt.date | None = None
    hour: dt.time = dt.time(0)
    approval: Literal["required", "automatic"]
    reasons: dict[str, Text] = Field(default={})
    contact: str


class Wave(Form):
    """One wave of the survey, as its YAML file declares it.

    Attributes:
        questionnaire: version of the questionnaire: the name of its folder, see :func:`questionnaire_folder`.
        aid_year: year of the Aide sociale survey that the wave is read with.
        bounds: every parameter of the suites: defaults, what the file states, and what its rules give.
        drift: by how much national numbers may move from former releases.
        published: national figures that the publisher has printed of this wave.
    """

    wave: str = Field(pattern=r"^\d{4}$")
    label: Text
    reference_year: int = Field(ge=1990, le=2100)
    collection: Collection
    questionnaire: Code
    sources: Sources
    aid_year: int = Field(ge=1990, le=2100)
    sampling: Sampling
    calibration: Calibration
    precision: Precision
    disclosure: Disclosure
    bounds: dict[Code, Bound]
    drift: Drift
    published: list[PublishedFigure] = Field(default=[])
    release: Release

    @model_validator(mode="after")
    def _coherent(self) -> "Wave":
        if self.collection.start.year < self.reference_year:
            raise ValueError(
                f"collection.start {self.collection.start} is before the year {self.reference_year}"
            )
        if self.release.embargo is not None and self.release.embargo <= self.collection.end:
            raise ValueError(f"release.embargo {self.release.embargo} is before the end of collection")
        for unit_type in ("commune", "epci"):
            minimum, least = self.design(unit_type).minimum_per_stratum, self.calibration.minimum_respondents
            if minimum < least:
                raise ValueError(
                    f"sampling.{unit_type}.minimum_per_stratum {minimum} is below "
                    f"calibration.minimum_respondents {least}: such a stratum is merged with another even if "
                    f"all of it answers; draw at least {least}, better 12, of which 7 or 8 answer"
                )
        return self

    def design(self, unit_type: str) -> Design:
        """Sample design of communes or of EPCI."""
        return self.sampling.commune if unit_type == "commune" else self.sampling.epci

    def deliveries(self) -> list[Delivery]:
        """Every file that the wave reads."""
        return [delivery for field in Sources.model_fields for delivery in getattr(self.sources, field)]


_BY_RULE: dict[str, tuple[str, Callable[[Wave], float]]] = {
    "minimum_respondents": (
        "disclosure.minimum_respondents",
        lambda wave: wave.disclosure.minimum_respondents,
    ),
    "published_figures": ("the number of figures under published", lambda wave: len(wave.published)),
}
"""Parameters of the suites that are rules of the wave: the key that gives each, and how."""


@dataclass(frozen=True)
class Readable:
    """The waves whose files are valid, and what is wrong with the other files.

    Attributes:
        waves: in order of year.
        faults: a sentence for each file that is not a wave file, or not a valid one, by its name.
    """

    waves: list[Wave]
    faults: dict[str, str]


def wave_names(folder: Path | None = None) -> list[str]:
    """The waves that have a file (``2014.yaml``), in order of year."""
    return sorted(path.stem for path in _yaml_files(folder or FOLDER) if _is_wave_file(path))


def readable_waves(folder: Path | None = None) -> Readable:
    """Every wave whose file is valid, for those who read all of them: one bad file must not stop the others.

    Args:
        folder: where the wave files are; None means those of the installation.
    """
    folder = folder or FOLDER
    faults = {path.name: _stray(path) for path in _yaml_files(folder) if not _is_wave_file(path)}
    waves = []
    for name in wave_names(folder):
        try:
            waves.append(load_wave(name, folder))
        except ConfigurationError as error:
            faults[f"{name}.yaml"] = str(error)
    return Readable(waves, faults)


def load_wave(name: str, folder: Path | None = None) -> Wave:
    """Read and validate one wave file.

    Args:
        name: the wave, for example ``"2014"``.
        folder: where the wave files are; None means those of the installation.

    Returns:
        The validated wave.

    Raises:
        ConfigurationError: no such wave, or a file that is not as it must be; names file, key and remedy.
    """
    folder = folder or FOLDER
    try:
        found = (folder / f"{name}.yaml").stat()
        state = found.st_mtime_ns, found.st_size
    except OSError:
        state = 0, 0
    return _load(name, folder, state)


@functools.lru_cache
def _load(name: str, folder: Path, state: tuple[int, int]) -> Wave:
    """The wave of a file in a state (date and size): a process that serves pages sees it edited."""
    path = folder / f"{name}.yaml"
    if name not in wave_names(folder):
        raise ConfigurationError(
            f"there is no wave “{name}”",
            expected=f"one of {', '.join(wave_names(folder))}",
            remedy=f"Name one of these, or add {name}.yaml to {folder}",
        )
    content = read_yaml(path)
    wave = validated(Wave, with_defaults(content) if isinstance(content, dict) else content, path)
    if wave.wave != name:
        raise ConfigurationError(
            f"key wave says “{wave.wave}”",
            file=path,
            expected=f"“{name}”, as the file's name",
            remedy="Correct this key, or rename the file",
        )
    questionnaire_folder(wave.questionnaire, folder, named_in=path)
    return wave.model_copy(update={"bounds": _complete_bounds(wave, path)})


def _complete_bounds(wave: Wave, path: Path) -> dict[str, float]:
    """Every parameter of the suites; the sample has the size of its design unless the file states bounds."""
    size = float(wave.sampling.commune.size + wave.sampling.epci.size)
    bounds = {"sample_units_min": size, "sample_units_max": size, **wave.bounds}
    check_bounds(bounds, {name: key for name, (key, _) in _BY_RULE.items()}, path)
    return {**bounds, **{name: float(rule(wave)) for name, (_, rule) in _BY_RULE.items()}}


def questionnaire_folder(version: str, folder: Path | None = None, *, named_in: Path | None = None) -> Path:
    """Folder of a version of the questionnaire: beside the wave files, else of the versions shipped.

    Args:
        version: for example ``"2014"``.
        folder: where the wave files are; None means those of the installation.
        named_in: the file that names the version.

    Raises:
        ConfigurationError: there is no such version.
    """
    for place in ((folder or FOLDER) / "questionnaires" / version, SHIPPED_QUESTIONNAIRES / version):
        if place.is_dir():
            return place
    shipped = sorted(path.parent.name for path in SHIPPED_QUESTIONNAIRES.glob("*/indicators.yaml"))
    raise ConfigurationError(
        f"there is no version “{version}” of the questionnaire",
        file=named_in,
        expected=f"a folder questionnaires/{version} beside the wave files, or one of {', '.join(shipped)}",
        remedy="Add the folder, or correct the version",
    )


def _yaml_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".yaml", ".yml"))
    return [path for path in files if path != DEFAULTS]


def _is_wave_file(path: Path) -> bool:
    return _WAVE_FILE.fullmatch(path.name) is not None and path.is_file()


def _stray(path: Path) -> str:
    return str(
        ConfigurationError(
            "this is not a wave file and is ignored",
            file=path,
            expected="a file named after a year of four digits, such as 2014.yaml",
            remedy="Rename it, or move it out of the folder of the waves",
        )
    )
