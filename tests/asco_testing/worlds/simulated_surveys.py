"""Surveys of a few régions, simulated many times: draw, silence, open answers, weights, estimates, errors.

The truth is the demonstration's, with its effects of départements and régions; everything after it is done by
the functions that the assets use. Several truths, since a model's error is right on average over them. What
does not belong here: what the estimates are judged by.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from asco_dagster.demonstration.answers import true_answers
from asco_dagster.demonstration.frame import commune_frame, epci_frame, invented_territory
from asco_dagster.demonstration.geography import departement_scores
from asco_dagster.demonstration.returns import respondents
from asco_dagster.estimation.design_strata import draw_by_design
from asco_dagster.estimation.draw import frame_by_design, with_probabilities
from asco_dagster.estimation.estimates import Answered, estimates_of
from asco_dagster.estimation.imputing import CLASSES
from asco_dagster.estimation.silent_units import AREAS
from asco_dagster.estimation.weighting import weigh
from asco_dagster.methods.domains import estimation_domains
from asco_dagster.methods.imputation import Deck, impute
from asco_dagster.methods.silent_units import silent_units
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.waves import Wave, load_wave
from asco_testing.estimation.true_values import indicator_values

REGIONS = {"commune": ("24", "53", "94"), "epci": ("27", "32", "44", "94")}
"""Régions of the frame: enough respondents to read the variances of bands of size from, and few domains."""
SHARES = {
    "commune": ["ccas", "act_youth_family", "benefit_repayable", "instructs"],
    "epci": ["any_action", "act_early_childhood", "benefit_in_kind"],
}
AMOUNTS = ["benefit_in_kind_eur", "staff_fte"]
OPEN = {"share": 0.01, "amount": 0.06}
"""Questions that a respondent leaves open."""
CATEGORIES = ["departement_code", "region_code", "size_class", "epci_nature"]
KEYS = ["indicator", "statistic", "geography", "area_code", "size_class"]


@dataclass(frozen=True)
class Truth:
    """All units of one type, with what they would answer.

    Attributes:
        units: ``stg_asco__units`` of that type, and the design's ``crossing``, by ``unit_code``.
        values: indicators of every unit, in the order of the units.
        asked: whether the question behind each amount arises, shape (units, amounts).
        cells: true value of each cell and inhabitants of its domain, by ``KEYS``.
    """

    wave: Wave
    unit_type: str
    units: pd.DataFrame
    values: pd.DataFrame
    asked: np.ndarray
    cells: pd.DataFrame


def truths(unit_type: str, number: int) -> Iterator[Truth]:
    """So many truths on the same territory, as large a part of it sampled as of France."""
    whole = load_wave("2014")
    territory = invented_territory(whole, 1)
    communes = commune_frame(territory, whole)
    epci = epci_frame(communes, territory, whole)
    of_type = communes if unit_type == "commune" else epci
    here = [_inside(table, REGIONS[unit_type]) for table in (communes, epci)]
    units = _inside(of_type, REGIONS[unit_type])
    wave = _smaller(whole, unit_type, len(units) / len(of_type))
    units = units.assign(unit_type=unit_type, unit_id=units["unit_code"], epci_nature="CC")
    by_code = frame_by_design(units, wave).astype(dict.fromkeys(CATEGORIES, "category"))
    scores = departement_scores(whole, territory, 1)
    codebooks = load_questionnaire(whole.questionnaire).codebooks
    for seed in range(number):
        answers = true_answers(*here, codebooks, scores, wave=wave.wave, seed=seed)
        own = answers[unit_type].set_index("unit_code").loc[by_code["unit_code"]].reset_index()
        yield _truth(wave, unit_type, by_code, own)


def _inside(units: pd.DataFrame, regions: tuple[str, ...]) -> pd.DataFrame:
    return units[units["region_code"].isin(regions)].reset_index(drop=True)


def _smaller(wave: Wave, unit_type: str, part: float) -> Wave:
    design = wave.design(unit_type)
    smaller = design.model_copy(update={"size": round(design.size * part)})
    return wave.model_copy(
        update={
            "sampling": wave.sampling.model_copy(update={unit_type: smaller}),
            "disclosure": wave.disclosure.model_copy(update={"recoding": []}),
        }
    )


def _truth(wave: Wave, unit_type: str, units: pd.DataFrame, answers: pd.DataFrame) -> Truth:
    catalogue = {one.code: one for one in load_questionnaire(wave.questionnaire).indicators[unit_type]}
    names = [*SHARES[unit_type], *AMOUNTS]
    values = pd.DataFrame({name: indicator_values(answers, catalogue[name]) for name in names})
    questions = [catalogue[name].questions[0] for name in AMOUNTS]
    census = units.assign(
        **{"weight": 1.0, "nonresponse_weight": 1.0, "variance_stratum": "all"},
        variance_population=float(len(units)),
    )
    cells = estimates_of(census, units, _answered(values), wave, unit_type).set_index(KEYS)
    domains = estimation_domains(units, units)
    people = np.bincount(
        domains.membership.ravel(), np.repeat(units["population"], domains.membership.shape[1])
    )
    by_domain = pd.Series(people, pd.MultiIndex.from_frame(domains.table))
    cells = pd.DataFrame(
        {
            "true": cells["estimate"],
            "population": by_domain.reindex(cells.index.droplevel([0, 1])).to_numpy(),
        }
    )
    asked = answers[questions].notna().to_numpy(dtype=float)
    return Truth(wave, unit_type, units, values, asked, cells)


def _answered(values: pd.DataFrame, variance: np.ndarray | None = None) -> Answered:
    kinds = {name: "amount" if name in AMOUNTS else "share" for name in values.columns.astype(str)}
    return Answered(values, kinds, frozenset(), variance)


def simulated(truth: Truth, seed: int) -> pd.DataFrame:
    """The estimates of one survey, with ``true`` and ``population`` beside them, by ``KEYS``."""
    wave, frame = truth.wave, truth.units
    crossing = frame.assign(stratum=frame["crossing"])
    drawn = draw_by_design(crossing, wave.design(truth.unit_type), seed)["unit_code"]
    sample = with_probabilities(frame, frame["unit_code"].isin(drawn))
    heard = pd.Series(respondents(frame, truth.unit_type, (seed, 7)), frame["unit_id"])
    variables = ["unit_id", "departement_code", "region_code", "size_class", "population", "epci_nature"]
    sample = sample.merge(frame[variables], on="unit_id", validate="one_to_one").assign(
        response_status=lambda rows: np.where(heard[rows["unit_id"]], "respondent", "nonrespondent")
    )
    silent = silent_units(sample, frame, AREAS[truth.unit_type])
    frame = frame.assign(is_imputed=frame["unit_id"].isin(silent.loc[silent["is_imputed"], "unit_id"]))
    calibration = wave.calibration
    rules = getattr(calibration, truth.unit_type)
    weights = weigh(sample, frame, calibration, rules, truth.unit_type).weights
    units = weights.drop(columns=["unit_type", "stratum"]).merge(sample, on="unit_id", validate="one_to_one")
    rows = pd.Index(frame["unit_id"]).get_indexer(units["unit_id"])
    values, variance = _filled(truth, units, rows, np.random.default_rng([seed, 8]), seed)
    table = estimates_of(units, frame, _answered(values, variance), wave, truth.unit_type).set_index(KEYS)
    return table.join(truth.cells)


def _label(units: pd.DataFrame, columns: list[str]) -> np.ndarray:
    first, *others = (units[column].astype(object) for column in columns)
    return sum(((":" + other) for other in others), first).to_numpy(dtype=object)


def _filled(
    truth: Truth, units: pd.DataFrame, rows: np.ndarray, generator: np.random.Generator, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """What respondents answered, open amounts imputed, and the variance of each imputed value."""
    values = truth.values.iloc[rows].reset_index(drop=True)
    kinds = _answered(values).kinds
    rates = np.array([OPEN[kinds[name]] for name in values.columns])
    values = values.mask(generator.random(values.shape) < rates)
    deck = Deck(
        units["population"].to_numpy(dtype=float),
        {name: _label(units, columns) for name, columns in CLASSES.items()},
        values[AMOUNTS].to_numpy(),
        truth.asked[rows],
        AMOUNTS,
        {name: name for name in AMOUNTS},
        dict.fromkeys(AMOUNTS, 2),
    )
    made = impute(deck, seed=seed)
    variance = np.zeros(values.shape)
    filled = values.to_numpy(copy=True)
    place = made["unit"].to_numpy(), values.columns.get_indexer(made["question"])
    filled[place], variance[place] = made["value"], made["error_variance"]
    return pd.DataFrame(filled, columns=values.columns), variance
