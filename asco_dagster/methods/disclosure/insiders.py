"""What a sole respondent of a cell, or whoever knows that the units of a cell weigh the same, can infer."""

import numpy as np

from asco_dagster.methods.disclosure.areas import label
from asco_dagster.methods.disclosure.family import same_respondents
from asco_dagster.methods.disclosure.findings import NEAR, implied_bounds, required_range
from asco_dagster.methods.disclosure.inference import Inference, Relations, possible_counts
from asco_dagster.methods.disclosure.view import System


def by_insiders(system: System, relations: Relations, found: Inference, rows: dict[int, dict]) -> None:
    """Mark the sensitive cells that a sole respondent can narrow more than open cells of 0 or 100 % do."""
    cells = len(system.layout.cells)
    respondents = system.respondents.reshape(-1, cells).max(axis=0)
    same, parts = same_respondents(system.layout, respondents), system.layout.parts()
    sensitive = [one for one in rows if system.status[one] in ("A", "B")]
    low, high = implied_bounds(system)
    alone = Inference(relations, low, high, float(system.values.max()))
    for insider in map(int, np.flatnonzero(respondents == 1)):
        known = {
            insider + cells * m: float(system.values[insider + cells * m]) for m in range(len(system.members))
        }
        wanted = [one for one in sensitive if same[one % cells] != same[insider]]
        caught = wanted
        for inference, possible_if in ((found, False), (alone, True)):
            required = np.array([_required_of_others(system, one, insider, parts) for one in caught]).reshape(
                -1, 2
            )
            with inference.given(known) as informed:
                possible = informed.spanned(caught, required[:, 0], required[:, 1])
            caught = [one for one, there in zip(caught, possible, strict=True) if there == possible_if]
        for one in caught:
            if not rows[one]["by"]:
                who = f"the respondent of {label(system.layout.cells[insider])}"
                rows[one].update(too_close=True, by=who)


def _required_of_others(system: System, one: int, insider: int, parts: np.ndarray) -> tuple[float, float]:
    """What must remain possible of a cell for one of its respondents; nothing where there is no other."""
    part, own = _others(system, one, insider, parts)
    return required_range(system, one, part, own) if part > NEAR else (np.inf, -np.inf)


def _others(system: System, one: int, insider: int, parts: np.ndarray) -> tuple[float, float]:
    """Part of a cell's units that are not an insider's, and the insider's value in it."""
    cell = one % len(system.layout.cells)
    if not parts[cell, insider]:
        return 1.0, 0.0
    mine = one - cell + insider
    part = 1.0 - system.whole_high[mine] / max(system.whole_high[one], 1e-9)
    return part, float(system.values[mine])


def by_whole_numbers(system: System, rows: dict[int, dict], step: float) -> None:
    """What follows where all units of a cell weigh the same: its share is k of n, and sums may allow one k.

    Sums whose open cells all follow from cells of 0 or 100 % with enough respondents are left out: what they
    imply is implied anyway, whatever the mask.
    """
    cells = len(system.layout.cells)
    weight = system.whole_high / np.maximum(system.respondents, 1.0)
    number = system.values / np.maximum(weight, 1e-9)
    alike = (np.abs(number - np.round(number)) < 1e-3).reshape(-1, cells).all(axis=0)
    least, most = implied_bounds(system)
    implied = Inference(system.relations(), least, most)
    for table in range(system.published):
        for sums in system.layout.matrix:
            inside = np.flatnonzero(sums)
            columns, signs = inside + table * cells, sums[inside]
            hidden = system.hidden[columns]
            sensitive = [one for one in columns[hidden] if system.status[one] == "A"]
            if not sensitive or not alike[inside[hidden]].all():
                continue
            shown = columns[~hidden]
            implied.enclose(map(int, shown[least[shown] < most[shown]]))
            if (implied.high[shown] - implied.low[shown] <= implied.tolerance).all():
                continue
            known = float(signs[~hidden] @ system.values[shown])
            off = step / 2 * float(system.whole_high[shown].sum()) + 1e-6 * implied.scale
            own = columns[hidden]
            possible = possible_counts(system.respondents[own], weight[own], signs[hidden], known, off)
            for one, numbers in zip(own, possible or (), strict=possible is not None):
                if one not in sensitive or len(numbers) > 1 or rows[int(one)]["by"]:
                    continue
                implied.enclose([int(one)])
                if implied.high[one] - implied.low[one] > implied.tolerance:
                    certain = numbers.size and numbers[0] in (0, system.respondents[one])
                    answers = int(system.respondents[one]) if certain else 0
                    rows[int(one)].update(too_close=True, answers=answers, by="anyone")
