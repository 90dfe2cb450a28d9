"""The research file as the rules let it out, with what its gate judges beside each row.

Which answers are in it and by which rules; the method stands in ``methods.disclosure.microdata``, its place
in a release in ``publication.research``.
"""

from typing import Any

import pandas as pd

from asco_dagster.confidentiality.released import regions_of
from asco_dagster.errors import DisclosureError
from asco_dagster.methods.disclosure import released
from asco_dagster.methods.disclosure.microdata import KEYS, ROW, MicrodataRules, anonymised
from asco_dagster.methods.disclosure.microdata_risk import risk, shortfalls, told_counts
from asco_dagster.orchestration.wave_step import Table, WaveStep, wave_asset
from asco_dagster.questionnaires.codebook import families, load_indicators
from asco_dagster.warehouse import read_table
from asco_dagster.waves.statistics import ResearchFile

UNIT_TYPES = ("commune", "epci")
# Indicators made of several answers are left out: whoever has the answers can make them again.
_ANSWERS = ("value", "equals")


@wave_asset(deps=["est_asco__indicators", "est_asco__sample", "est_asco__weights", "sec_asco__cells"])
def sec_asco__research_file(step: WaveStep) -> Table:
    """One row a record and answer of the research file, with what it lacks; none where none is asked for."""
    return research_table(step)


def research_table(step: WaveStep) -> Table:
    """The judged rows and their measures of risk.

    Raises:
        DisclosureError: the file would tell a suppressed count of the tables beside it.
    """
    asked = step.wave.disclosure.research_file
    if asked is None:
        columns = {name: pd.Series(dtype=str) for name in ROW} | {"record": pd.Series(dtype="int64")}
        empty = pd.DataFrame(columns).assign(short_of_k=0, short_of_diversity=0)
        return Table(empty.astype({"short_of_k": int, "short_of_diversity": int}), {"asked for": "no"})
    rows = research_rows(step.database, asked)
    told = told_counts(
        rows, released(read_table(step.database, "sec_asco__cells")), regions_of(step.database)
    )
    if len(told):
        first = " × ".join(map(str, told.iloc[0, :-1]))
        raise DisclosureError(
            f"the research file tells the respondents of {len(told)} suppressed cells, first {first}",
            expected="a file that leaves them open",
            remedy="Take a smaller fraction of the respondents, or a larger k, in disclosure.research_file",
        )
    measured = risk(rows)
    return Table(_judged(rows, asked), {"asked for": "yes", **_metadata(measured)})


def research_rows(database: Any, asked: ResearchFile) -> pd.DataFrame:
    """The rows of the research file, from the answers and the sample."""
    sample = read_table(database, "est_asco__sample", ["unit_id", "unit_type", "region_code", "size_class"])
    respondents = read_table(database, "est_asco__weights", ["unit_id"])
    kinds = {
        (unit_type, indicator.code): indicator.kind
        for unit_type in UNIT_TYPES
        for indicator in getattr(load_indicators(), unit_type)
        if indicator.rule in _ANSWERS
    }
    return anonymised(
        sample.merge(respondents, on="unit_id", validate="one_to_one"),
        read_table(database, "est_asco__indicators", ["unit_id", "indicator", "value"]),
        kinds,
        {str(unit_type): indicator for unit_type, indicator in asked.own_body.items()},
        {unit_type: families(unit_type) for unit_type in UNIT_TYPES},
        MicrodataRules(asked.k, asked.diversity, asked.fraction, asked.seed),
    )


def _judged(rows: pd.DataFrame, asked: ResearchFile) -> pd.DataFrame:
    """The rows with 1 where their class is too small, or shows too few values of this answer."""
    few, poor = shortfalls(rows, asked.k, asked.diversity)
    keys, answers = list(KEYS), [*KEYS, "indicator"]
    small = rows[keys].merge(few[keys].assign(hit=1), on=keys, how="left")["hit"]
    uniform = rows[answers].merge(poor[answers].assign(hit=1), on=answers, how="left")["hit"]
    short = {"short_of_k": small, "short_of_diversity": uniform}
    return rows.assign(**{name: hit.fillna(0).astype(int).to_numpy() for name, hit in short.items()})


def _metadata(measured: pd.DataFrame) -> dict[str, float]:
    return dict(zip(measured["measure"], measured["value"].astype(float), strict=True))
