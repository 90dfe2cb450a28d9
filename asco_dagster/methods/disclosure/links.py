"""What holds between indicators whatever a unit answers: “any action” is at least each action, and so on.

Derived from the rules of the catalogue alone, which is public. The suppression keeps these relations when it
looks for another table, the attack uses them to narrow what it infers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BINARY = "binary"


@dataclass(frozen=True)
class Definition:
    """How an indicator comes from the answers of a unit.

    Args:
        code: of the indicator.
        kind: ``binary``, ``amount``, ``count`` or ``staff``.
        rule: ``value``, ``equals``, ``any``, ``count_between`` or ``pattern``.
        questions: questions that it is made of, for ``any`` and ``count_between``; the one question else.
        all_yes: of ``pattern``.
        all_no: of ``pattern``.
        between: of ``count_between``.
        choice: of ``equals``.
        filtered_by: the yes/no question that a unit must answer with yes for the indicator to be about it;
            None where it is about all units.
        choices: of ``equals``, how many answers its question offers.
    """

    code: str
    kind: str
    rule: str
    questions: tuple[str, ...] = ()
    all_yes: tuple[str, ...] = ()
    all_no: tuple[str, ...] = ()
    between: tuple[int, int] = (0, 0)
    choice: str | None = None
    filtered_by: str | None = None
    choices: int = 0


@dataclass(frozen=True)
class Link:
    """``Σ coefficients × indicators + constant ≥ 0`` for each unit that answered all of them.

    Args:
        coefficients: by indicator.
        constant: part that does not depend on the answers.
        within: the indicator whose respondents answered everything that the link is about. The others may
            have more respondents, who loosen it.
        exact: the sum is 0, not only at least 0, and all have the same respondents.
        filtered_by: the indicator whose yes the others are about: their weighted units are its numerator, so
            that they close where it closes; None where there is none.
        rest: name of an answer that is not published and is all that the others leave of the units of
            ``within``; None where there is none.
    """

    coefficients: Mapping[str, float]
    constant: float
    within: str
    exact: bool = False
    filtered_by: str | None = None
    rest: str | None = None


def links(definitions: Iterable[Definition]) -> list[Link]:
    """Every link between the binary indicators of one type of unit, in a fixed order."""
    binary = [one for one in definitions if one.kind == BINARY]
    single = {one.questions[0]: one.code for one in binary if one.rule == "value"}
    found = [link for one in binary if one.rule == "any" for link in _of_any(one, single)]
    found += _of_counts([one for one in binary if one.rule == "count_between"], binary, single)
    found += _of_patterns([one for one in binary if one.rule == "pattern"], binary, single)
    found += _of_choices([one for one in binary if one.rule == "equals"], single)
    return found


def _of_any(one: Definition, single: Mapping[str, str]) -> list[Link]:
    """At least each of its answers, at most their sum."""
    parts = [single[question] for question in one.questions if question in single]
    found = [Link({one.code: 1.0, part: -1.0}, 0.0, one.code) for part in parts]
    if len(parts) == len(one.questions):
        found.append(Link({**dict.fromkeys(parts, 1.0), one.code: -1.0}, 0.0, one.code))
    return found


def _of_counts(
    counts: Sequence[Definition], binary: Sequence[Definition], single: Mapping[str, str]
) -> list[Link]:
    """Numbers of yes: intervals exclude each other, and the sum of the answers is within them."""
    found: list[Link] = []
    for questions in dict.fromkeys(one.questions for one in counts):
        own = [one for one in counts if one.questions == questions]
        first = own[0].code
        found.append(Link({one.code: -1.0 for one in own}, 1.0, first))
        covered = sorted(value for one in own for value in range(one.between[0], one.between[1] + 1))
        anyone = next((b for b in binary if b.rule == "any" and b.questions == questions), None)
        if anyone is not None and covered == list(range(1, len(questions) + 1)):
            total = {one.code: 1.0 for one in own} | {anyone.code: -1.0}
            found.append(Link(total, 0.0, first, exact=True))
        parts = [single[question] for question in questions if question in single]
        if len(parts) < len(questions):
            continue
        rest = [value for value in range(len(questions) + 1) if value not in covered]
        low, high = (rest[0], rest[-1]) if rest else (0, 0)
        floor = {one.code: -float(one.between[0] - low) for one in own}
        ceiling = {one.code: float(one.between[1] - high) for one in own}
        found.append(Link({**dict.fromkeys(parts, 1.0), **floor}, -float(low), first))
        found.append(Link({**dict.fromkeys(parts, -1.0), **ceiling}, float(high), first))
        if not low and not high:  # whoever has a yes is counted in one of the intervals
            counted = {one.code: 1.0 for one in own if one.between[1] > 0}
            found += [Link({part: -1.0, **counted}, 0.0, first) for part in parts]
    return found


def _of_patterns(
    patterns: Sequence[Definition], binary: Sequence[Definition], single: Mapping[str, str]
) -> list[Link]:
    """A pattern implies what it is made of; patterns that contradict each other are at most one."""
    found: list[Link] = []
    for one in patterns:
        yes = [single[question] for question in one.all_yes if question in single]
        no = [single[question] for question in one.all_no if question in single]
        no += [
            other.code for other in binary if _needs_a_yes(other) and set(other.questions) <= set(one.all_no)
        ]
        found += [Link({code: 1.0, one.code: -1.0}, 0.0, one.code) for code in yes]
        found += [Link({code: -1.0, one.code: -1.0}, 1.0, one.code) for code in no]
    for number, one in enumerate(patterns):
        for other in patterns[number + 1 :]:
            against = (set(one.all_yes) & set(other.all_no)) | (set(one.all_no) & set(other.all_yes))
            if not against:
                continue
            found.append(Link({one.code: -1.0, other.code: -1.0}, 1.0, one.code))
            common = set(one.all_no) & set(other.all_no)
            whole = len(against) == 1 and (
                set(one.all_yes) | set(one.all_no) == common | against
                and set(other.all_yes) | set(other.all_no) == common | against
            )
            for base in binary:
                if whole and base.rule == "any" and set(base.questions) == common:
                    # one answer splits those without any action: with the others they are all units
                    full = {one.code: 1.0, other.code: 1.0, base.code: 1.0}
                    less = dict.fromkeys(full, -1.0)
                    found += [Link(full, -1.0, one.code), Link(less, 1.0, one.code)]
    return found


def _needs_a_yes(one: Definition) -> bool:
    """Whether an indicator of several questions is no where all of them are."""
    return one.rule == "any" or (one.rule == "count_between" and one.between[0] > 0)


def _of_choices(choices: Sequence[Definition], single: Mapping[str, str]) -> list[Link]:
    """Different answers to one question exclude each other, and whoever was asked passed the filter."""
    found: list[Link] = []
    for questions in dict.fromkeys(one.questions for one in choices):
        own = [one for one in choices if one.questions == questions]
        base = single.get(own[0].filtered_by or "")
        if base is not None:
            parts = {one.code: -1.0 for one in own}
            found.append(Link({base: 1.0, **parts}, 0.0, own[0].code, filtered_by=base))
        if len(own) > 1 or own[0].choices > len(own):
            rest = f"neither {' nor '.join(one.code for one in own)}" if own[0].choices > len(own) else None
            found.append(Link({one.code: -1.0 for one in own}, 1.0, own[0].code, rest=rest))
    return found


def linked(indicators: Sequence[str], between: Sequence[Link]) -> list[tuple[list[str], list[Link]]]:
    """Indicators that links tie together, directly or not, each group with its links.

    Links that name an indicator that is not there are left out.

    Returns:
        A partition of ``indicators``, in their order.
    """
    known = set(indicators)
    usable = [link for link in between if set(link.coefficients) | {link.within} <= known]
    leader = {name: name for name in indicators}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for link in usable:
        first = find(link.within)
        for name in link.coefficients:
            leader[find(name)] = first
    groups: dict[str, list[str]] = {}
    for name in indicators:
        groups.setdefault(find(name), []).append(name)
    return [(members, [link for link in usable if link.within in members]) for members in groups.values()]
