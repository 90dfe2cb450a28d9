"""A made-up world small enough to release it several times: linked yes/no answers, a filter, an amount."""

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.areas import AreaGroup, Areas
from asco_dagster.methods.disclosure.attack import attack
from asco_dagster.methods.disclosure.contributions import contributions
from asco_dagster.methods.disclosure.links import Definition, links
from asco_dagster.methods.disclosure.primary import primary
from asco_dagster.methods.disclosure.protect import protect, released
from asco_dagster.methods.disclosure.rules import KEYS, DisclosureRules
from asco_dagster.methods.disclosure.versions import Version, hold_back, record_of_units, since
from asco_testing.worlds.true_size_respondents import estimates

RULES = DisclosureRules()
REGIONS = {"10": "r1", "11": "r1", "12": "r1", "20": "r2", "21": "r2", "30": "r3", "31": "r3", "90": "o1"}
AREAS = {"commune": Areas({**REGIONS, "91": "o2"}, (AreaGroup("OM", "region", ("o1", "o2")),))}
DEFINITIONS = (
    Definition("act_a", "binary", "value", ("a",)),
    Definition("act_b", "binary", "value", ("b",)),
    Definition("any_act", "binary", "any", ("a", "b")),
    Definition("ccas", "binary", "value", ("c",)),
    Definition("ccas_all", "binary", "equals", ("o",), choice="all", filtered_by="c", choices=3),
    Definition("ccas_some", "binary", "equals", ("o",), choice="some", filtered_by="c", choices=3),
    Definition("spent", "amount", "value", ("s",)),
)
LINKS = {"commune": links(DEFINITIONS)}


def world(seed=1, size=240):
    """Respondents, and what each answered: one column per indicator, NaN where it was not asked."""
    rng = np.random.default_rng(seed)
    departements = rng.choice([*REGIONS, "91"], size, p=[0.2, 0.18, 0.03, 0.2, 0.15, 0.14, 0.06, 0.02, 0.02])
    units = pd.DataFrame(
        {
            "unit_id": [f"u{number:03d}" for number in range(size)],
            "unit_type": "commune",
            "departement_code": departements,
            "region_code": [AREAS["commune"].regions[code] for code in departements],
            "size_class": rng.choice(["1_small", "2_middle", "3_large"], size, p=[0.5, 0.35, 0.15]),
            "population": rng.integers(100, 3000, size),
            "weight": np.round(rng.uniform(1.0, 6.0, size), 4),
        }
    )
    yes = {name: rng.random(size) < part for name, part in (("act_a", 0.35), ("act_b", 0.2), ("ccas", 0.6))}
    answer = rng.choice(["all", "some", "none"], size, p=[0.5, 0.3, 0.2])
    asked = np.where(yes["ccas"], 1.0, np.nan)
    answers = pd.DataFrame(
        {
            "unit_id": units["unit_id"],
            "act_a": yes["act_a"].astype(float),
            "act_b": yes["act_b"].astype(float),
            "any_act": (yes["act_a"] | yes["act_b"]).astype(float),
            "ccas": yes["ccas"].astype(float),
            "ccas_all": (answer == "all") * asked,
            "ccas_some": (answer == "some") * asked,
            "spent": np.round(rng.lognormal(4.0, 1.0, size)) * yes["ccas"],
        }
    )
    return units, answers


def long(answers, indicators=None):
    """One row per unit and indicator, with its kind."""
    kinds = {one.code: one.kind for one in DEFINITIONS}
    made = answers.melt("unit_id", var_name="indicator", value_name="value")
    made = made[made["indicator"].isin(indicators or kinds)]
    return made.assign(kind=made["indicator"].map(kinds)).dropna(subset=["value"])


def judged_cells(units, answers, versions=(), indicators=None):
    """Cells with their primary status and what earlier versions tell of them."""
    rows = long(answers, indicators)
    present = units[units["unit_id"].isin(rows["unit_id"])]
    cells = primary(contributions(present, rows, AREAS["commune"]), RULES)
    record = record_of_units(present, rows.drop(columns="kind"))
    return estimates(since(cells, record, versions, AREAS, RULES)), record


def public_of(shown):
    """What is published of the cells: numbers, status, and whose number it is."""
    public = released(shown)
    return public.assign(as_of=shown.sort_values(list(KEYS))["as_of"].to_numpy())


def release(units, answers, versions=(), indicators=None):
    """The next version, its cells inside, and what the attack finds in it."""
    cells, record = judged_cells(units, answers, versions, indicators)
    done = protect(cells, AREAS, RULES, links=LINKS).cells
    shown = hold_back(done, versions)
    public = public_of(shown)
    found = attack(public, AREAS, RULES, links=LINKS, truth=shown)
    return Version(f"{len(versions) + 1}.0.0", public, record), shown, found
