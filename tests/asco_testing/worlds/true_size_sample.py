"""A wave made in memory from the demonstration: its frame, its sample, who answers, its true answers.

The survey's own questions are answered by everybody who responds: what stays open is imputed in staging, and
is not what the tests of this folder judge.
"""

from dataclasses import dataclass

import pandas as pd

from asco_dagster.demonstration.answers import true_answers
from asco_dagster.demonstration.frame import Territory, commune_frame, epci_frame
from asco_dagster.demonstration.geography import departement_scores
from asco_dagster.demonstration.returns import respondents
from asco_dagster.estimation.design_strata import draw_by_design
from asco_dagster.estimation.draw import frame_by_design, with_probabilities
from asco_dagster.estimation.estimates import Answered, estimates_of
from asco_dagster.estimation.weighting import Weighting, weigh
from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.waves import Wave
from asco_testing.estimation.true_values import indicator_values

UNIT_TYPES = ("commune", "epci")


@dataclass(frozen=True)
class MadeUpWave:
    """Frame, sample and true answers, in the columns of the working database.

    Attributes:
        frame: ``stg_asco__units``.
        sample: ``est_asco__sample``.
        truth: true answers of every unit of the frame.
    """

    wave: Wave
    frame: pd.DataFrame
    sample: pd.DataFrame
    truth: pd.DataFrame

    def weighting(self, unit_type: str) -> Weighting:
        """The weights of one type of unit."""
        calibration = self.wave.calibration
        return weigh(
            self.sample[self.sample["unit_type"] == unit_type],
            self.frame[self.frame["unit_type"] == unit_type],
            calibration,
            getattr(calibration, unit_type),
            unit_type,
        )

    def estimates(self, unit_type: str) -> pd.DataFrame:
        """All estimates of one type of unit."""
        weights = self.weighting(unit_type).weights
        units = weights.merge(
            self.sample.drop(columns=["unit_type", "stratum"]), on="unit_id", validate="one_to_one"
        )
        answers = units[["unit_id"]].merge(self.truth, on="unit_id", validate="one_to_one")
        frame = self.frame[self.frame["unit_type"] == unit_type]
        table = estimates_of(units, frame, answered(answers, unit_type), self.wave, unit_type)
        return table.assign(unit_type=unit_type)


def answered(answers: pd.DataFrame, unit_type: str) -> Answered:
    """The indicators of units that answered everything."""
    indicators = load_questionnaire("2014").indicators[unit_type]
    return Answered(
        values=pd.DataFrame({one.code: indicator_values(answers, one) for one in indicators}),
        kinds={one.code: "share" if one.kind == "binary" else "amount" for one in indicators},
        conditional=frozenset(one.code for one in indicators if one.when_filtered == "missing"),
    )


def made_up_wave(wave: Wave, territory: Territory, seed: int) -> MadeUpWave:
    """Draw, let answer, and keep the truth."""
    communes = commune_frame(territory, wave)
    frames = {"commune": communes, "epci": epci_frame(communes, territory, wave)}
    codebooks = load_questionnaire(wave.questionnaire).codebooks
    scores = departement_scores(wave, territory, seed)
    answers = true_answers(communes, frames["epci"], codebooks, scores, wave=wave.wave, seed=seed)
    frame = pd.concat([own.assign(unit_type=name) for name, own in frames.items()], ignore_index=True)
    frame["unit_id"] = frame["unit_type"] + ":" + frame["unit_code"]
    truth = pd.concat(answers.values(), ignore_index=True)
    truth["unit_id"] = truth["unit_type"] + ":" + truth["unit_code"]
    silent = pd.Series(True, index=frame["unit_id"])
    chosen = pd.Series(False, index=frame["unit_id"])
    for number, name in enumerate(UNIT_TYPES):
        own = answers[name]
        codes = name + ":" + own["unit_code"]
        silent[codes] = ~respondents(own, name, (seed, int(wave.wave), 30 + number))
        drawn = draw_by_design(frames[name], wave.design(name), seed)
        chosen[name + ":" + drawn["unit_code"]] = True
    by_design = frame_by_design(frame, wave)
    sample = with_probabilities(by_design, by_design["unit_id"].map(chosen))
    sample["response_status"] = (
        sample["unit_id"].map(silent).map({True: "nonrespondent", False: "respondent"})
    )
    variables = ["unit_id", "departement_code", "region_code", "size_class", "population"]
    return MadeUpWave(wave, frame, sample.merge(frame[variables], on="unit_id"), truth)
