"""The full-size demonstration read back: every answer written is the answer read."""

from pathlib import Path

import pandas as pd

from asco_dagster.questionnaires.questionnaire import load_questionnaire
from asco_dagster.sources.returns.reading import Delivered, read_returns
from asco_dagster.sources.returns.settling import Window
from asco_dagster.waves import Wave

ZIPS = {"commune": "asco-returns-communes-2014.zip", "epci": "asco-returns-epci-2014.zip"}


def test_every_answer_written_is_read(
    wave: Wave, deliveries: dict[str, Path], sent: dict[str, pd.DataFrame]
) -> None:
    codebooks = load_questionnaire(wave.questionnaire).codebooks
    archives = [Delivered(deliveries[name], "workbooks", unit_type) for unit_type, name in ZIPS.items()]
    collection = Window(wave.collection.start, wave.collection.end)
    read = read_returns(archives, codebooks=codebooks, wave="2014", sampled=None, collection=collection)
    assert read.counts == {
        "accepted": sum(len(returns) for returns in sent.values()),
        "superseded": 0,
        "refused": 0,
        "ignored": 0,
    }
    answers = read.answers.table().to_pandas()[["unit_type", "unit_code", "question", "value"]]
    written = pd.concat([_long(unit_type, sent[unit_type], codebooks[unit_type]) for unit_type in sent])
    both = written.merge(
        answers,
        on=["unit_type", "unit_code", "question"],
        how="outer",
        suffixes=("_written", "_read"),
        indicator=True,
    )
    assert (both["_merge"] == "both").all()
    numbers = {
        q.code for book in codebooks.values() for q in book.questions if q.type not in ("boolean", "choice")
    }
    counted = both["question"].isin(numbers)
    assert (both.loc[~counted, "value_written"] == both.loc[~counted, "value_read"]).all()
    as_read = pd.to_numeric(both.loc[counted, "value_read"].str.replace(",", "."))
    assert (pd.to_numeric(both.loc[counted, "value_written"]) == as_read).all()


def _long(unit_type: str, returns: pd.DataFrame, codebook: object) -> pd.DataFrame:
    codes = [question.code for question in codebook.questions]  # type: ignore[attr-defined]
    table = returns.melt("unit_code", codes, "question", "value").assign(unit_type=unit_type)
    return table[table["value"] != ""]
