"""Writes the demonstration's deliveries of a wave into its inbox, each file whole or not at all."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from asco_dagster.connectors.fetch import sha256_of
from asco_dagster.demonstration.age_sex_file import write_age_sex
from asco_dagster.demonstration.aid_files import write_aid_beneficiaries, write_aid_spending
from asco_dagster.demonstration.answers import true_answers
from asco_dagster.demonstration.census_file import write_census
from asco_dagster.demonstration.frame import (
    Territory,
    commune_frame,
    epci_frame,
    invented_territory,
    listed_whole,
    real_territory,
)
from asco_dagster.demonstration.geography import departement_scores
from asco_dagster.demonstration.passage_file import passage_pairs, write_passage
from asco_dagster.demonstration.returns import returned, returns_seed, write_returns
from asco_dagster.demonstration.sample import draw_sample, write_sample
from asco_dagster.demonstration.staff_file import write_aid_staff
from asco_dagster.demonstration.territory_files import write_members, write_populations
from asco_dagster.durable import make_folder, private_files
from asco_dagster.errors import ConfigurationError
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.questionnaires.questions import Codebook
from asco_dagster.storage.invented import DEMONSTRATION, NOTE, REAL_FILES, foreign_files, listed
from asco_dagster.storage.places import Places
from asco_dagster.waves import Wave, load_wave
from asco_dagster.waves.form import UnitType
from asco_dagster.waves.wave import Delivery

FORMER_WAVE = "2014"

Progress = Callable[[str, int, int], None]
Step = tuple[str, Callable[[Path], object]]


@dataclass(frozen=True)
class _Survey:
    """Everything the survey's files are made of."""

    wave: Wave
    frames: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]
    samples: dict[str, pd.DataFrame]
    codebooks: dict[str, Codebook]
    seed: int

    def write_truth(self, path: Path) -> None:
        """Write the true answers of the whole frame."""
        table = pd.concat([self.truth["commune"], self.truth["epci"]], ignore_index=True)
        table.to_parquet(path, compression="zstd", index=False)

    def write_returns(self, path: Path, unit_type: UnitType) -> None:
        """Write what the sampled units of a type send back."""
        sent = returned(
            self.truth[unit_type],
            self.samples[unit_type]["unit_code"],
            self.codebooks[unit_type],
            self.wave.collection,
            returns_seed(self.seed, self.wave, unit_type),
        )
        write_returns(path, sent, self.wave, unit_type)


def write_deliveries(
    wave: Wave,
    *,
    places: Places,
    scale: float = 1.0,
    seed: int | None = None,
    real: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write every file that the wave pulls from its inbox, and the truth behind the returns.

    Files carry the names of the wave file; sources with an address on the network are skipped. They are
    made in a temporary folder and renamed into the inbox one by one, so that no half file is ever seen there;
    other files of the inbox stay. The same wave, scale and seed give the same bytes.

    Args:
        wave: the wave.
        places: where inbox and truth are; the truth is ``<wave>-truth.parquet`` of ``places.demonstration``.
        scale: multiplies the sizes of the sample; 1 is the true size. The territory is always whole.
        seed: seed of everything invented and of the draw; None takes the wave's sampling seed.
        real: folder of the publishers' real files: they are copied unchanged, and sample and returns are
            made for their territory. A table of passage that it lacks is made.
        overwrite: write into an inbox with files that the demonstration did not write, over those of the same
            names.
        progress: called with what was written, how many steps are done, and how many there are.

    Returns:
        The files of the inbox, in the order of the wave file, then ``DELIVERY.txt``.

    Raises:
        ConfigurationError: an impossible scale or seed, real files missing, or files in the inbox that the
            demonstration did not write.
        EstimationError: the design's take-all units and minima exceed its size.
    """
    seed = wave.sampling.seed if seed is None else seed
    if not scale > 0 or seed < 0:
        raise ConfigurationError(
            f"a demonstration of scale {scale} and seed {seed} cannot be made",
            expected="a scale above 0 and a seed of 0 or more",
            remedy="Correct --scale or --seed",
        )
    if real is not None:
        _check_real(wave, real)
    if not overwrite:
        _require_own_inbox(places.inbox(wave.wave))
    with (
        private_files(),
        tempfile.TemporaryDirectory(prefix=f"{wave.wave}-writing-", dir=places.demonstration) as folder,
    ):
        work = Path(folder)
        names = _write_all(wave, work, scale, seed, real, progress or _silent)
        _rename(work / _truth_name(wave), places.demonstration)
        inbox = places.inbox(wave.wave)
        make_folder(inbox)
        return [_rename(work / name, inbox) for name in names]


def _require_own_inbox(inbox: Path) -> None:
    found = foreign_files(inbox)
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ConfigurationError(
            f"{inbox} holds files that the demonstration did not write: {', '.join(found[:3])}{more}",
            expected="an empty inbox, or one that the demonstration wrote",
            remedy="Set another ASCO_HOME, or give --overwrite to replace files of the same names",
        )


def _write_all(
    wave: Wave, work: Path, scale: float, seed: int, real: Path | None, progress: Progress
) -> list[str]:
    """Write every file into the work folder; gives the names of those for the inbox."""
    territory = real_territory(wave, real) if real is not None else invented_territory(wave, seed)
    # The survey first: a design that cannot be drawn is refused before any workbook is written.
    scores = departement_scores(wave, territory, seed, real)
    survey = _survey(wave, territory, scores, scale, seed, _passage(wave, territory, real))
    official = [
        (name, partial(shutil.copyfile, real / name) if real and _is_real(real, name) else write)
        for name, write in _official_steps(wave, territory, seed)
    ]
    order = [delivery.address for delivery in wave.deliveries()]
    files = sorted(
        [*official, *_census_steps(wave, territory, seed, real)], key=lambda step: order.index(step[0])
    )
    steps: list[Step] = [*files, (_truth_name(wave), survey.write_truth), *_survey_steps(survey)]
    for done, (name, write) in enumerate(steps, 1):
        write(work / name)
        progress(name, done, len(steps))
    written = [name for name, _ in steps if name != _truth_name(wave)]
    copied = [name for name, _ in official if _is_real(real, name)]
    sums = {name: sha256_of(work / name) for name in written}
    (work / NOTE).write_text(_note(wave, sums, copied, scale, seed), encoding="utf-8")
    return [*written, NOTE]


def _official_steps(wave: Wave, territory: Territory, seed: int) -> Iterator[Step]:
    """The publishers' files: name in the inbox and what writes it."""
    sources = wave.sources
    for delivery in filter(_in_inbox, sources.epci_members):
        yield delivery.address, partial(write_members, territory=territory, delivery=delivery)
    for delivery in filter(_in_inbox, sources.legal_populations):
        yield delivery.address, partial(write_populations, territory=territory, delivery=delivery)
    yield from _movement_steps(wave, territory, seed)
    for delivery in filter(_in_inbox, sources.population_age_sex):
        yield delivery.address, partial(write_age_sex, territory=territory, delivery=delivery, seed=seed)
    for deliveries, write in (
        (sources.aid_beneficiaries, write_aid_beneficiaries),
        (sources.aid_spending, write_aid_spending),
        (sources.aid_staff, write_aid_staff),
    ):
        for delivery in filter(_in_inbox, deliveries):
            yield delivery.address, partial(write, territory=territory, seed=seed)


def _census_steps(wave: Wave, territory: Territory, seed: int, real: Path | None) -> Iterator[Step]:
    """The individuals of the census; always invented, since the true ones are twenty million records."""
    (estimates,) = wave.sources.population_age_sex
    for delivery in filter(_in_inbox, wave.sources.census_individuals):
        yield (
            delivery.address,
            partial(
                write_census,
                territory=territory,
                delivery=delivery,
                estimates=estimates,
                seed=seed,
                real=real,
            ),
        )


def _movement_steps(wave: Wave, territory: Territory, seed: int) -> Iterator[Step]:
    """The communes of the former geography, and the passage from them to those of today."""
    if wave.sources.former_communes:
        before = listed_whole(invented_territory(load_wave(FORMER_WAVE), seed))
        for delivery in filter(_in_inbox, wave.sources.former_communes):
            yield delivery.address, partial(write_populations, territory=before, delivery=delivery)
    for delivery in filter(_in_inbox, wave.sources.commune_passage):
        yield delivery.address, partial(write_passage, territory=territory, delivery=delivery)


def _passage(wave: Wave, territory: Territory, real: Path | None) -> pd.DataFrame | None:
    """The passage that the wave delivers: the real one, else the one that is made."""
    from asco_dagster.sources.readers.insee_passage import read_commune_passage

    for delivery in wave.sources.commune_passage:
        if real is not None and _is_real(real, delivery.address):
            return read_commune_passage(real / delivery.address, vintage=delivery.vintage)
        return passage_pairs(territory)
    return None


def _is_real(real: Path | None, name: str) -> bool:
    return real is not None and (real / name).is_file()


def _survey(
    wave: Wave,
    territory: Territory,
    scores: pd.Series,
    scale: float,
    seed: int,
    passage: pd.DataFrame | None,
) -> _Survey:
    communes = commune_frame(territory, wave, passage)
    frames = {"commune": communes, "epci": epci_frame(communes, territory, wave)}
    codebooks = load_questionnaire(wave.questionnaire).codebooks
    truth = true_answers(communes, frames["epci"], codebooks, scores, wave=wave.wave, seed=seed)
    samples = {
        unit_type: draw_sample(frame, wave.design(unit_type), scale=scale, seed=seed)
        for unit_type, frame in frames.items()
    }
    return _Survey(wave, frames, truth, samples, codebooks, seed)


def _survey_files(wave: Wave) -> list[Delivery]:
    # A wave that splits a questionnaire's returns over several files receives all of them in the first.
    sources = wave.sources
    return [sources.sample[0], sources.commune_returns[0], sources.epci_returns[0]]


def _survey_steps(survey: _Survey) -> Iterator[Step]:
    """The survey's files: the sample and the returns."""
    sample, communes, epci = _survey_files(survey.wave)
    if _in_inbox(sample):
        yield sample.address, partial(write_sample, samples=survey.samples)
    returns: dict[UnitType, Delivery] = {"commune": communes, "epci": epci}
    for unit_type, delivery in returns.items():
        if _in_inbox(delivery):
            yield delivery.address, partial(survey.write_returns, unit_type=unit_type)


def _truth_name(wave: Wave) -> str:
    return f"{wave.wave}-truth.parquet"


def _in_inbox(delivery: Delivery) -> bool:
    return "://" not in delivery.address


def _check_real(wave: Wave, real: Path) -> None:
    sources = wave.sources
    made = {
        file.address for file in (*_survey_files(wave), *sources.commune_passage, *sources.census_individuals)
    }
    names = [file.address for file in wave.deliveries() if _in_inbox(file) and file.address not in made]
    missing = [name for name in names if not (real / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"the folder {real} lacks {', '.join(missing)}",
            expected=f"the {len(names)} real files of wave {wave.wave}, under the names of its wave file",
            remedy="Give --real the folder that holds them, or omit it to have them invented",
        )


def _rename(source: Path, folder: Path) -> Path:
    target = folder / source.name
    return source.replace(target)


def _note(wave: Wave, sums: Mapping[str, str], true_files: list[str], scale: float, seed: int) -> str:
    """What is invented and what is not, in French and English, each file with its checksum."""
    invented = [name for name in sums if name not in true_files]
    lines = [
        f"ASCO {wave.wave} : livraison de démonstration / demonstration delivery",
        DEMONSTRATION,
        f"échelle / scale {scale:g}, graine / seed {seed}",
        "",
        "Fichiers inventés, qui ne viennent d'aucun producteur / Invented files, from no publisher:",
        *(listed(sums[name], name) for name in invented),
    ]
    if true_files:
        lines += [
            "",
            REAL_FILES,
            *(listed(sums[name], name) for name in true_files),
        ]
    lines += [
        "",
        "Les réponses à l'enquête et les contacts sont inventés. / Survey answers and contacts are invented.",
    ]
    return "\n".join(lines) + "\n"


def _silent(what: str, done: int, total: int) -> None:
    """No progress wanted."""
