"""Links between indicators: each holds for every answer that a unit can give, and the families they make."""

import itertools

import numpy as np
import pytest

from asco_dagster.methods.disclosure.links import Definition, Link, linked, links
from asco_dagster.releases.disclosure import UNIT_TYPES, _definitions
from asco_dagster.waves import load_wave

OTHER = "another choice"


def answers_of(definitions):
    """Every combination of answers to the questions of some indicators: question → array."""
    offered = {}
    for one in definitions:
        for question in (*one.questions, *one.all_yes, *one.all_no):
            offered.setdefault(question, ["yes", "no"])
        if one.filtered_by:
            offered.setdefault(one.filtered_by, ["yes", "no"])
    for question in {one.questions[0] for one in definitions if one.rule == "equals"}:
        own = [one for one in definitions if one.rule == "equals" and one.questions[0] == question]
        named = list(dict.fromkeys(one.choice for one in own))
        offered[question] = named + [OTHER] * (own[0].choices > len(named))
    assert np.prod([float(len(choices)) for choices in offered.values()]) < 2e6, "too many to try"
    every = np.array(list(itertools.product(*offered.values())))
    return {question: every[:, number] for number, question in enumerate(offered)}


def value_of(one, answers):
    """An indicator by its definition, and of which units it is; written apart from the links."""
    size = len(next(iter(answers.values())))
    yes = {question: given == "yes" for question, given in answers.items()}
    asked = yes[one.filtered_by] if one.filtered_by else np.ones(size, dtype=bool)
    if one.rule == "equals":
        value = answers[one.questions[0]] == one.choice
    elif one.rule == "pattern":
        value = np.all([yes[q] for q in one.all_yes] + [~yes[q] for q in one.all_no], axis=0)
    elif one.rule == "count_between":
        count = np.sum([yes[q] for q in one.questions], axis=0)
        value = (count >= one.between[0]) & (count <= one.between[1])
    else:  # value, any
        value = np.any([yes[q] for q in one.questions], axis=0)
    return value.astype(float), asked


def sums_of(link, definitions):
    """The sum of a link over all answers of a unit that is among those that it is about."""
    by_code = {one.code: one for one in definitions}
    involved = [by_code[code] for code in {**link.coefficients, link.within: 0.0}]
    answers = answers_of(involved)
    _, among = value_of(by_code[link.within], answers)
    total = np.full(len(among), link.constant)
    for code, coefficient in link.coefficients.items():
        value, asked = value_of(by_code[code], answers)
        total = total + coefficient * value * asked
    return total[among]


@pytest.mark.parametrize("unit_type", UNIT_TYPES)
@pytest.mark.parametrize("wave", ("2014", "2025"))
def test_every_link_of_the_catalogue_holds_for_all_answers_of_a_unit(wave, unit_type):
    definitions = [one for one in _definitions(load_wave(wave), unit_type) if one.kind == "binary"]
    found = links(definitions)
    assert len(found) > 10
    for link in found:
        sums = sums_of(link, definitions)
        assert sums.min() == 0, link  # it holds, and is as narrow as it can be
        assert not link.exact or sums.max() == 0, link


def test_the_links_that_the_issue_names_are_there():
    found = {unit_type: links(_definitions(load_wave("2014"), unit_type)) for unit_type in UNIT_TYPES}
    pairs = {
        (code, other)
        for link in found["commune"]
        for code, high in link.coefficients.items()
        for other, low in link.coefficients.items()
        if (high, low) == (1.0, -1.0) and len(link.coefficients) == 2
    }
    for base, prefix in (("any_action", "act_"), ("any_benefit", "benefit_")):
        parts = {
            one.code
            for one in _definitions(load_wave("2014"), "commune")
            if one.code.startswith(prefix) and one.kind == "binary" and one.rule == "value"
        }
        named = {other for code, other in pairs if code == base}
        assert len(parts & named) > 2, (base, parts, named)
        whole = [link for link in found["commune"] if link.coefficients.get(base) == -1.0]
        assert any(named <= set(link.coefficients) for link in whole)
    filtered = [link for link in found["commune"] if link.filtered_by == "ccas"]
    assert [set(link.coefficients) - {"ccas"} for link in filtered if "ccas_all" in link.coefficients]
    rest = [link for link in found["commune"] if link.rest]
    assert any("ccas_all" in link.coefficients for link in rest)


def test_links_by_hand():
    made = links(
        [
            Definition("a", "binary", "value", ("qa",)),
            Definition("b", "binary", "value", ("qb",)),
            Definition("any", "binary", "any", ("qa", "qb")),
            Definition("euro", "amount", "value", ("qe",)),
            Definition("all", "binary", "equals", ("qo",), choice="all", filtered_by="qa", choices=2),
        ]
    )
    assert made == [
        Link({"any": 1.0, "a": -1.0}, 0.0, "any"),
        Link({"any": 1.0, "b": -1.0}, 0.0, "any"),
        Link({"a": 1.0, "b": 1.0, "any": -1.0}, 0.0, "any"),
        Link({"a": 1.0, "all": -1.0}, 0.0, "all", filtered_by="a"),
        Link({"all": -1.0}, 1.0, "all", rest="neither all"),
    ]


def test_an_action_that_has_no_indicator_leaves_no_upper_bound():
    made = links(
        [Definition("a", "binary", "value", ("qa",)), Definition("any", "binary", "any", ("qa", "qx"))]
    )
    assert made == [Link({"any": 1.0, "a": -1.0}, 0.0, "any")]


def test_families_are_what_links_tie_together():
    between = [Link({"a": 1.0, "c": -1.0}, 0.0, "a"), Link({"x": 1.0, "b": -1.0}, 0.0, "x"),
               Link({"c": 1.0, "e": -1.0}, 0.0, "e")]  # fmt: skip
    assert linked(["a", "b", "c", "d", "e"], between) == [
        (["a", "c", "e"], [between[0], between[2]]), (["b"], []), (["d"], []),
    ]  # fmt: skip
