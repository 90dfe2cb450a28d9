"""The true answers of every unit of the frame, invented, whether it is sampled or not.

They follow the published figures by size, differ between départements and régions (``geography``), and are
correlated within a unit, one rule a type of question.
"""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from asco_dagster.demonstration.consistency import reconcile
from asco_dagster.demonstration.geography import OF_AMOUNTS, Geography, geography
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
        places: where it is.
        active: whether the unit acts at all.
        given: answers that are settled elsewhere, by question code.
        seed: seed of the demonstration, the wave's year, and a number of the type of unit.
    """

    profile: dict[str, Any]
    population: np.ndarray
    step: np.ndarray
    propensity: np.ndarray
    places: Geography
    active: np.ndarray
    given: Answers
    seed: tuple[int, ...]

    def by_step(self, values: list[float]) -> np.ndarray:
        """The profile's value for each unit."""
        return np.asarray(values, dtype=float)[self.step]

    def generator(self, name: str) -> np.random.Generator:
        """One stream for each question, so that a new question changes no other answer."""
        return np.random.default_rng([*self.seed, *name.encode()])

    def effects(self, name: str) -> np.ndarray:
        """Effect of its area on each unit's answer to a question, on the logit scale."""
        return self.places.effects(self.generator(f"{name} by area"))

    def factor(self, name: str) -> np.ndarray:
        """What its area multiplies each unit's quantity by."""
        return np.exp(OF_AMOUNTS * self.effects(name))


def true_answers(
    communes: pd.DataFrame,
    epci: pd.DataFrame,
    codebooks: dict[str, Codebook],
    scores: pd.Series,
    *,
    wave: str,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Invent the answers of all communes and EPCI.

    Args:
        communes: ``unit_code``, ``epci_siren``, ``population``, ``departement_code``, ``region_code``,
            ``size_class``, one row per commune.
        epci: the same without ``epci_siren``.
        codebooks: the questionnaires, by unit type.
        scores: profile of each département (``geography``).
        wave: name of the wave, part of the seed.
        seed: seed of the demonstration.

    Returns:
        By unit type, one row per unit in the order of the frame: ``unit_type``, ``unit_code``, one column a
        question (nullable integers for yes/no and counts, floats for decimals and euros, text for choices;
        null where the filter excludes it), ``departement_code``, ``region_code``, ``size_class``,
        ``population``.
    """
    bodies = _units("epci", epci, scores, (seed, int(wave), 20))
    question = bodies.profile["activity_question"]
    bodies.given[question] = bodies.active.astype(float)
    competent = communes["epci_siren"].map(dict(zip(epci["unit_code"], bodies.active, strict=True)))
    competence = competent.fillna(0).to_numpy(dtype=float)
    towns = _units("commune", communes, scores, (seed, int(wave), 10), competence)
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
    unit_type: str,
    frame: pd.DataFrame,
    scores: pd.Series,
    seed: tuple[int, ...],
    competence: np.ndarray | None = None,
) -> Units:
    profile = profiles()[unit_type]
    population = frame["population"].to_numpy(dtype=float)
    step = np.searchsorted(profile["steps"], population, side="right") - 1
    generator = np.random.default_rng([*seed, 0])
    propensity = generator.normal(size=len(frame))
    everyone = np.ones(len(frame), dtype=bool)
    units = Units(profile, population, step, propensity, geography(frame, scores), everyone, {}, seed)
    idle = 1 - units.by_step(profile["active"])
    if competence is not None and 0 < competence.mean() < 1:
        # Communes leave action to a competent EPCI less often than they go without, as published.
        share, within = profile["inactive_in_competent_epci"], competence.mean()
        idle = idle * np.where(competence == 1, share / within, (1 - share) / (1 - within))
    leaning = _leaning(units, "active", 0.5) - _logit(idle)
    return dataclasses.replace(units, active=_most_leaning(step, leaning, 1 - idle, everyone))


def _leaning(units: Units, name: str, loading: float) -> np.ndarray:
    """How far each unit leans to a yes: ``logit Φ(√λ·u + √(1−λ)·e)`` and the effect of its area.

    A one-factor Gaussian copula: the first part is standard logistic and rises with the propensity u, so that
    a yes above a threshold has the probability ``expit(effect − threshold)``.
    """
    noise = units.generator(name).normal(size=len(units.propensity))
    position = _phi(np.sqrt(loading) * units.propensity + np.sqrt(1 - loading) * noise)
    return _logit(position) + units.effects(name)


def _most_leaning(step: np.ndarray, leaning: np.ndarray, share: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The units among some that lean most, as many of each step as its mean share of all units asks for."""
    chosen = np.zeros(len(share), dtype=bool)
    for number in np.unique(step):
        inside = np.flatnonzero((step == number) & among)
        order = inside[np.argsort(-leaning[inside], kind="stable")]
        chosen[order[: round(float(share[step == number].sum()))]] = True
    return chosen


def _logit(share: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(share) - np.log1p(-share)


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
    share = units.by_step(units.profile["booleans"].get(question.code) or units.profile["otherwise"])
    leaning = _leaning(units, question.code, LOADING.get(module, DEFAULT_LOADING))
    among = units.active if module in OF_ACTIVE_UNITS else np.ones_like(units.active)
    return _most_leaning(units.step, leaning, share, among).astype(float)


def _choice(question: Question, units: Units, answers: Answers) -> np.ndarray:
    codes = [choice.code for choice in question.choices]
    shares = units.profile["choices"].get(question.code, {})
    # A version of the questionnaire may have other choices than the profile knows.
    weight = np.array([shares[code] for code in codes] if set(shares) == set(codes) else [1.0] * len(codes))
    leaning = _leaning(units, question.code, 0.0)
    place = (np.argsort(np.argsort(leaning, kind="stable")) + 0.5) / len(leaning)
    chosen = np.searchsorted(np.cumsum(weight / weight.sum())[:-1], place)
    return np.array(codes, dtype=object)[chosen]


def _decimal(question: Question, units: Units, answers: Answers) -> np.ndarray:
    generator = units.generator(question.code)
    spread = generator.lognormal(0.2 * units.propensity, 0.6) * units.factor(question.code)
    if question.unit != "fte":
        return _within(question, np.round(10 * spread, 1))
    staff = units.profile["staff"]
    amount = units.by_step(staff["per_1000"]) * units.population / 1000 * spread
    nobody = ~units.active | (generator.random(len(amount)) < units.by_step(staff["none"]))
    return _within(question, np.where(nobody, 0.0, np.maximum(0.1, np.round(amount, 1))))


def _amount(question: Question, units: Units, answers: Answers) -> np.ndarray:
    rate = units.profile["euros_per_inhabitant"].get(question.code, 1.0)
    spread = units.generator(question.code).lognormal(0.3 * units.propensity, 0.7)
    amount = rate * units.population * spread * units.factor(question.code)
    return _within(question, np.round(np.maximum(50.0, amount), 2))


def _integer(question: Question, units: Units, answers: Answers) -> np.ndarray:
    generator = units.generator(question.code)
    if question.unit in PEOPLE:
        euros = question.code.removesuffix("_N") + "_EUR"
        rate = units.profile["euros_per_inhabitant"].get(euros, 1.0) * units.factor(euros)
        people = rate / EUROS_PER_PERSON * units.population * generator.lognormal(0.3 * units.propensity, 0.6)
        return _within(question, np.clip(np.rint(people), 1, np.maximum(1, units.population)))
    mean = units.profile["establishments"].get(question.code)
    if mean is None:
        return _within(question, generator.poisson(units.factor(question.code)).astype(float))
    top = units.profile["steps"][-1]
    grown = np.maximum(1.0, units.population / top) ** 0.7 * units.factor(question.code)
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
    leaning = _leaning(units, fallback, LOADING["ACT"])
    for step in np.unique(units.step):
        inside = units.step == step
        without = np.flatnonzero(inside & units.active & (count == 0))
        many = np.flatnonzero(inside & (count >= 2) & (count <= 6) & (answers[fallback] == 1))
        # Those that lean least to it give it up, so that the published share of the sector still holds.
        giving = many[np.argsort(leaning[many], kind="stable")][: len(without)]
        answers[fallback][without] = 1.0
        answers[fallback][giving] = 0.0


def _typed(question: Question, answer: np.ndarray) -> Any:
    if question.type == "choice":
        return pd.array(answer, dtype="string")
    if question.type in ("boolean", "integer"):
        return pd.array(answer, dtype="Float64").astype("Int64")
    return answer.astype("float64")
