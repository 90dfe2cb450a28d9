"""Anonymised microdata: k alike, several values of each answer, the same rows whatever the pseudonyms."""

import re

import numpy as np
import pandas as pd
import pytest
from made_up_wave import REGIONS, domains, estimates, released_statistics, survey

from asco_dagster.methods.disclosure import DisclosureRules, contributions, primary, protect, released
from asco_dagster.methods.disclosure.microdata import KEYS, ROW, WITHHELD, MicrodataRules, anonymised
from asco_dagster.methods.disclosure.microdata_risk import alike, diversity, risk, shortfalls, told_counts

RULES = MicrodataRules(k=5, diversity=2, fraction=0.8, seed=1)
CODES = [f"I{number:02d}" for number in range(10)]
KINDS = {
    (unit, code): "amount" if code in ("I04", "I09") else "binary"
    for unit in ("commune", "epci")
    for code in CODES
}
OWN_BODY = {"commune": "I00", "epci": "I00"}
TOGETHER = {"commune": [["I03", "I04"]], "epci": [["I03", "I04"]]}


@pytest.fixture(scope="module")
def wave():
    return survey(3, 10, communes=2500, epci=400)


def made(wave, rules=RULES, **changes):
    units, answers = wave
    given = {"kinds": KINDS, "own_body": OWN_BODY, "together": TOGETHER} | changes
    return anonymised(units, answers, rules=rules, **given)


@pytest.fixture(scope="module")
def rows(wave):
    return made(wave)


def test_every_record_has_its_like_and_every_answer_shown_its_values(rows):
    assert list(rows.columns) == list(ROW)
    assert alike(rows)["records"].min() >= RULES.k
    few, poor = shortfalls(rows, RULES.k, RULES.diversity)
    assert few.empty
    assert poor.empty
    assert diversity(rows)["values"].min() >= 2
    assert (rows["value"] == WITHHELD).any()
    assert (rows["region_code"] == WITHHELD).any()


def test_without_protection_records_stand_alone_and_classes_agree(wave):
    """The measures can fail: the same recoding with nothing asked of it."""
    bare = made(wave, MicrodataRules(k=1, diversity=1, fraction=1.0, seed=1))
    few, _ = shortfalls(bare, RULES.k, RULES.diversity)
    assert len(few) > 20
    assert alike(bare)["records"].min() == 1


def test_one_record_moved_elsewhere_is_found(rows):
    moved = rows.copy()
    one = moved["record"] == moved["record"].max()
    moved.loc[one, ["region_code", "size_class", "own_body"]] = ["94", "5_ge10000", "no"]
    few, _ = shortfalls(moved, RULES.k, RULES.diversity)
    assert len(few) >= 1
    agreeing = rows.copy()
    shown = diversity(rows).iloc[0]
    same = (agreeing[[*KEYS, "indicator"]] == shown[[*KEYS, "indicator"]]).all(axis=1)
    agreeing.loc[same, "value"] = agreeing.loc[same, "value"].iloc[0]
    _, poor = shortfalls(agreeing, RULES.k, RULES.diversity)
    assert len(poor) == 1


def test_the_rows_depend_on_the_answers_and_not_on_the_pseudonyms(wave, rows):
    units, answers = wave
    chance = np.random.default_rng(11)
    names = dict(zip(units["unit_id"], [f"{n:020x}" for n in chance.permutation(len(units))], strict=True))
    renamed = units.assign(unit_id=units["unit_id"].map(names)).sample(frac=1, random_state=1)
    other = answers.assign(unit_id=answers["unit_id"].map(names)).sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(made((renamed, other)), rows)
    assert not made(wave, MicrodataRules(5, 2, 0.8, seed=2)).equals(rows)


def test_a_part_of_the_respondents_is_in_it_and_nothing_tells_who(wave, rows):
    units, _ = wave
    assert rows["record"].nunique() <= int(0.8 * len(units))
    assert rows["record"].nunique() > 0.75 * len(units)
    assert rows["record"].tolist() == sorted(rows["record"])
    assert not set(units["unit_id"]) & set(rows.astype(str).to_numpy().ravel())


def test_answers_are_a_yes_a_no_or_a_decade_and_no_amount(wave, rows):
    _, answers = wave
    decade = re.compile(r"0|10* to below 10+|10* and more|above 0(, below 1)?|withheld")
    amounts = rows[rows["indicator"].isin(["I04", "I09"])]
    assert amounts["value"].map(lambda text: bool(decade.fullmatch(text))).all()
    assert set(rows.loc[~rows["indicator"].isin(["I04", "I09"]), "value"]) == {"yes", "no", WITHHELD}
    whole = answers[answers["value"] > 100]["value"].map("{:.0f}".format)
    assert not set(whole) & set(rows["value"])
    for _, part in amounts.groupby(["unit_type", "indicator"]):
        top = part.loc[part["value"].str.endswith("and more"), "value"]
        assert top.nunique() <= 1


def test_the_last_decade_is_shared(wave):
    units, answers = wave
    largest = answers.copy()
    one = (largest["indicator"] == "I09") & (largest["unit_id"] == units["unit_id"].iloc[0])
    largest.loc[one, "value"] = 5e12
    rows = made((units, largest), MicrodataRules(5, 2, 1.0, 1))
    tops = rows[(rows["indicator"] == "I09") & rows["value"].str.endswith("and more")]
    assert "5000000000000" not in str(tops["value"].unique())
    assert "1000000000000 and more" not in set(tops["value"])


def test_what_registers_tell_is_a_key_and_no_answer(rows):
    assert "I00" not in set(rows["indicator"])
    assert set(rows["own_body"]) <= {"yes", "no", WITHHELD}
    assert rows.groupby("record")[list(KEYS)].nunique().eq(1).all(axis=None)


def test_withheld_does_not_say_that_all_agree(wave):
    """Half of the classes that withhold an answer could have shown it."""
    units, answers = wave
    rows, open_ = made(wave), made(wave, MicrodataRules(k=5, diversity=1, fraction=0.8, seed=1))
    keyed = rows[rows["value"] == WITHHELD][[*KEYS, "indicator"]].drop_duplicates()
    agree = open_[open_["value"] == WITHHELD][[*KEYS, "indicator"]].drop_duplicates()
    assert len(keyed) == len(agree)  # a yes or no that all share is never shown, whatever is asked
    plain = units.merge(answers, on="unit_id")
    first = keyed[(keyed[list(KEYS)] != WITHHELD).all(axis=1)]
    body = plain[plain["indicator"] == "I00"].set_index("unit_id")["value"].map({1.0: "yes", 0.0: "no"})
    plain = plain.assign(own_body=plain["unit_id"].map(body))
    values = plain.groupby([*KEYS, "indicator"])["value"].nunique().rename("values")
    found = first.merge(values, left_on=[*KEYS, "indicator"], right_index=True)
    assert 0.2 < (found["values"] > 1).mean() < 0.9


def test_indicators_that_tell_one_another_are_withheld_together(rows):
    both = rows[rows["indicator"].isin(["I03", "I04"])].pivot(
        index="record", columns="indicator", values="value"
    )
    assert ((both["I03"] == WITHHELD) == (both["I04"] == WITHHELD)).all()


def test_more_diversity_is_had_by_withholding_more(wave, rows):
    more = made(wave, MicrodataRules(k=5, diversity=3, fraction=0.8, seed=1))
    assert shortfalls(more, 5, 3)[1].empty
    assert (more["value"] == WITHHELD).sum() > (rows["value"] == WITHHELD).sum()
    shown = diversity(more)
    assert (shown["values"] >= np.minimum(3, shown["possible"])).all()


def test_the_measures_of_risk(rows):
    told = risk(rows).set_index("measure")["value"]
    assert told["fewest records alike"] >= RULES.k
    assert told["fewest values of an answer in a class"] >= RULES.diversity
    assert told["records"] == rows["record"].nunique()
    assert 0 < told["share of answers withheld"] < 1
    assert told["expected share of right guesses within a class"] <= 1 / RULES.k
    assert told["largest share of one value in a class"] < 1
    mean, worst = (
        told[f"share of records alone, 2 more answers known, {word}"] for word in ("mean", "worst")
    )
    assert 0 <= mean <= worst <= 1


def test_the_file_tells_no_suppressed_count_unless_everybody_is_in_it(wave):
    units, answers = wave
    rules = DisclosureRules(group_threshold=10)  # closes classes that are large enough to stand in the file
    cells = estimates(released_statistics(contributions(units, answers, domains())))
    cells = cells[cells["indicator"].isin(["I05", "I06"])]
    public = released(protect(primary(cells, rules), REGIONS, rules))
    everybody = made(wave, MicrodataRules(k=5, diversity=2, fraction=1.0, seed=1))
    told = told_counts(everybody, public, REGIONS)
    assert len(told) > 5
    true = told.merge(
        cells.drop_duplicates(["unit_type", "geography", "area_code", "size_class"]),
        on=["unit_type", "geography", "area_code", "size_class"],
        suffixes=("", "_true"),
    )
    assert (true["respondents"] == true["respondents_true"]).all()
    assert told_counts(made(wave), public, REGIONS).empty


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_answers_nobody_stands_alone(seed):
    """Small and lopsided files, down to one whose units are fewer than k."""
    chance = np.random.default_rng(seed)
    size = int(chance.integers(3, 120))
    units = pd.DataFrame(
        {
            "unit_id": [f"u{n}" for n in range(size)],
            "unit_type": "commune",
            "region_code": chance.choice(["11", "24", "94"], size, p=[0.7, 0.25, 0.05]),
            "size_class": chance.choice(["a", "b", "c"], size, p=[0.6, 0.3, 0.1]),
        }
    )
    answers = pd.DataFrame(
        {
            "unit_id": np.repeat(units["unit_id"].to_numpy(), 3),
            "indicator": ["own", "yes", "euros"] * size,
            "value": chance.choice([0.0, 1.0, np.nan, 250.0], 3 * size),
        }
    )
    answers.loc[answers["indicator"] != "euros", "value"] = answers["value"].clip(upper=1.0)
    kinds = {("commune", "yes"): "binary", ("commune", "euros"): "amount"}
    rules = MicrodataRules(
        int(chance.integers(2, 8)), int(chance.integers(2, 4)), float(chance.uniform(0.3, 1)), seed
    )
    rows = anonymised(units, answers, kinds, {"commune": "own"}, {}, rules)
    few, poor = shortfalls(rows, rules.k, rules.diversity)
    assert few.empty
    assert poor.empty
