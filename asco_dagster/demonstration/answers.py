"""The true answers of every unit of the frame, invented, whether it is sampled or not.

They follow the published figures by size and are correlated within a unit, one rule a type of question.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from asco_dagster.demonstration.consistency import reconcile
from asco_dagster.questionnaires.questions import Codebook, Question

PROFILES = Path(__file__).parent / "answer_profiles.yaml"
# Share of a unit's propensity in each of its answers: sectors go together more than benefits do.
LOADING = {"ACT": 0.55, "BEN": 0.2, "PART": 0.55, "ORG": 0.30}
DEFAULT_LOADING = 0.3
# Questions on what is done are for units that do something.
OF_ACTIVE_UNITS = ("ACT", "BEN", "PART", "EST", "PUB")
PEOPLE = ("person", "household", "file")
EUROS_PER_PERSON = 120.0
KEPT_OF_THE_FRAME = ("departement_code", "region_code", "size_class", "population")

Answers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Units:
    """What the answers depend on, one element a unit in the order of the frame.

    Attributes:
        profile: the shape of the answers of this type of unit, from ``answer_profiles.yaml``.
        population: inhabitants.
        step: index of the profile's step of population.
        propensity: standard normal latent propensity to act.
        active: whether the unit acts at all.
        given: answers that are settled elsewhere, by question code.
        seed: seed of the demonstration, the wave's year, and a number of the type of unit.
    """

    profile: dict[str, Any]
    population: np.ndarray
    step: np.ndarray
    propensity: np.ndarray
    active: np.ndarray
    given: Answers
    seed: tuple[int, ...]

    def by_step(self, values: list[float]) -> np.ndarray:
        """The profile's value for each unit."""
        return np.asarray(values, dtype=float)[self.step]

    def generator(self, name: str) -> np.random.Generator:
        """One stream for each question, so that a new question changes no other answer."""
        return np.random.default_rng([*self.seed, *name.encode()])


def true_answers(
    communes: pd.DataFrame, epci: pd.DataFrame, codebooks: dict[str, Codebook], *, wave: str, seed: int
) -> dict[str, pd.DataFrame]:
    """Invent the answers of all communes and EPCI.

    Args:
        communes: ``unit_code``, ``epci_siren``, ``population``, ``departement_code``, ``region_code``,
            ``size_class``, one row per commune.
        epci: the same without ``epci_siren``.
        codebooks: the questionnaires, by unit type.
        wave: name of the wave, part of the seed.
        seed: seed of the demonstration.

    Returns:
        By unit type, one row per unit in the order of the frame: ``unit_type``, ``unit_code``, one column a
        question (nullable integers for yes/no and counts, floats for decimals and euros, text for choices;
        null where the filter excludes it), ``departement_code``, ``region_code``, ``size_class``,
        ``population``.
    """
    bodies = _units("epci", epci, (seed, int(wave), 20))
    question = bodies.profile["activity_question"]
    bodies.given[question] = bodies.active.astype(float)
    competent = communes["epci_siren"].map(dict(zip(epci["unit_code"], bodies.active, strict=True)))
    competence = competent.fillna(0).to_numpy(dtype=float)
    towns = _units("commune", communes, (seed, int(wave), 10), competence)
    towns.given[towns.profile["follows_epci"]] = competence
    return {
        "commune": _table("commune", communes, towns, codebooks["commune"]),
        "epci": _table("epci", epci, bodies, codebooks["epci"]),
    }


@functools.lru_cache
def profiles() -> dict[str, Any]:
    """The shapes of the answers, by unit type."""
    return yaml.safe_load(PROFILES.read_text(encoding="utf-8"))


def _units(
    unit_type: str, frame: pd.DataFrame, seed: tuple[int, ...], competence: np.ndarray | None = None
) -> Units:
    profile = profiles()[unit_type]
    population = frame["population"].to_numpy(dtype=float)
    step = np.searchsorted(profile["steps"], population, side="right") - 1
    generator = np.random.default_rng([*seed, 0])
    propensity = generator.normal(size=len(frame))
    idle = 1 - np.asarray(profile["active"], dtype=float)[step]
    if competence is not None and 0 < competence.mean() < 1:
        # Communes leave action to a competent EPCI less often than they go without, as published.
        share, within = profile["inactive_in_competent_epci"], competence.mean()
        idle = idle * np.where(competence == 1, share / within, (1 - share) / (1 - within))
    active = _normal_share(propensity, generator, 0.5) >= idle
    return Units(profile, population, step, propensity, active, {}, seed)


def _normal_share(propensity: np.ndarray, generator: np.random.Generator, loading: float) -> np.ndarray:
    """Uniform numbers that rise with the propensity: Φ(√λ·u + √(1−λ)·e), a one-factor Gaussian copula."""
    noise = generator.normal(size=len(propensity))
    return _phi(np.sqrt(loading) * propensity + np.sqrt(1 - loading) * noise)


def _phi(x: np.ndarray) -> np.ndarray:
    """Standard normal distribution function (Abramowitz and Stegun 26.2.17, error below 1e-7)."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * series
    return np.where(x >= 0, 1 - tail, tail)


def _table(unit_type: str, frame: pd.DataFrame, units: Units, codebook: Codebook) -> pd.DataFrame:
    answers: Answers = {}
    for question in codebook.questions:
        given = units.given.get(question.code)
        answers[question.code] = _RULES[question.type](question, units, answers) if given is None else given
    _give_active_units_an_action(units, answers)
    reconcile(answers, codebook, units.generator, year=units.seed[1])
    columns: dict[str, Any] = {"unit_type": unit_type, "unit_code": frame["unit_code"].to_numpy()}
    columns |= {question.code: _typed(question, answers[question.code]) for question in codebook.questions}
    columns |= {name: frame[name].to_numpy() for name in KEPT_OF_THE_FRAME}
    return pd.DataFrame(columns)


def _boolean(question: Question, units: Units, answers: Answers) -> np.ndarray:
    module = question.code.split("_", 1)[0]
    shares = units.profile["booleans"].get(question.code)
    share = units.by_step(shares or units.profile["otherwise"])
    loading = LOADING.get(module, DEFAULT_LOADING)
    position = _normal_share(units.propensity, units.generator(question.code), loading)
    if module not in OF_ACTIVE_UNITS:
        return (position >= 1 - share).astype(float)
    # Ranked among the active units of its step, so that the share of all units is met.
    yes = np.zeros(len(share))
    for step in np.unique(units.step):
        inside = np.flatnonzero((units.step == step) & units.active)
        wanted = share[units.step == step].sum()
        order = inside[np.argsort(-position[inside], kind="stable")]
        yes[order[: round(float(wanted))]] = 1.0
    return yes


def _choice(question: Question, units: Units, answers: Answers) -> np.ndarray:
    codes = [choice.code for choice in question.choices]
    shares = units.profile["choices"].get(question.code, {})
    # A version of the questionnaire may have other choices than the profile knows.
    weight = np.array([shares[code] for code in codes] if set(shares) == set(codes) else [1.0] * len(codes))
    drawn = units.generator(question.code).choice(len(codes), len(units.population), p=weight / weight.sum())
    return np.array(codes, dtype=object)[drawn]


def _decimal(question: Question, units: Units, answers: Answers) -> np.ndarray:
    generator = units.generator(question.code)
    spread = generator.lognormal(0.2 * units.propensity, 0.6)
    if question.unit != "fte":
        return _within(question, np.round(10 * spread, 1))
    staff = units.profile["staff"]
    amount = units.by_step(staff["per_1000"]) * units.population / 1000 * spread
    nobody = ~units.active | (generator.random(len(amount)) < units.by_step(staff["none"]))
    return _within(question, np.where(nobody, 0.0, np.maximum(0.1, np.round(amount, 1))))


def _amount(question: Question, units: Units, answers: Answers) -> np.ndarray:
    rate = units.profile["euros_per_inhabitant"].get(question.code, 1.0)
    spread = units.generator(question.code).lognormal(0.3 * units.propensity, 0.7)
    return _within(question, np.round(np.maximum(50.0, rate * units.population * spread), 2))


def _integer(question: Question, units: Units, answers: Answers) -> np.ndarray:
    generator = units.generator(question.code)
    if question.unit in PEOPLE:
        rate = units.profile["euros_per_inhabitant"].get(question.code.removesuffix("_N") + "_EUR", 1.0)
        people = rate / EUROS_PER_PERSON * units.population * generator.lognormal(0.3 * units.propensity, 0.6)
        return _within(question, np.clip(np.rint(people), 1, np.maximum(1, units.population)))
    mean = units.profile["establishments"].get(question.code)
    if mean is None:
        return _within(question, generator.poisson(1.0, len(units.population)).astype(float))
    top = units.profile["steps"][-1]
    grown = np.maximum(1.0, units.population / top) ** 0.7
    count = generator.poisson(units.by_step(mean) * grown).astype(float)
    return _within(question, np.where(units.active, count, 0.0))


_RULES = {"boolean": _boolean, "choice": _choice, "decimal": _decimal, "amount": _amount, "integer": _integer}


def _within(question: Question, values: np.ndarray) -> np.ndarray:
    return values if question.range is None else np.clip(values, *question.range)


def _give_active_units_an_action(units: Units, answers: Answers) -> None:
    """An active unit without a sector does what most do; another, with two to six, gives that sector up."""
    sectors = [code for code in answers if code.startswith("ACT_")]
    fallback = units.profile["fallback"]
    if fallback not in sectors:
        return
    count = np.sum([answers[code] for code in sectors], axis=0)
    for step in np.unique(units.step):
        inside = units.step == step
        without = np.flatnonzero(inside & units.active & (count == 0))
        many = np.flatnonzero(inside & (count >= 2) & (count <= 6) & (answers[fallback] == 1))
        # Those with the least propensity give it up, so that the published share of the sector still holds.
        giving = many[np.argsort(units.propensity[many], kind="stable")][: len(without)]
        answers[fallback][without] = 1.0
        answers[fallback][giving] = 0.0


def _typed(question: Question, answer: np.ndarray) -> Any:
    if question.type == "choice":
        return pd.array(answer, dtype="string")
    if question.type in ("boolean", "integer"):
        return pd.array(answer, dtype="Float64").astype("Int64")
    return answer.astype("float64")
