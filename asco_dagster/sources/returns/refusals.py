"""Why a return is refused: one entry a reason, with a French and an English sentence and the remedy.

The texts are in ``refusals.yaml``. An out-of-list choice, an implausible number or an answer behind a closed
filter is no reason to refuse a return: the edit rules of staging judge those, one answer at a time.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

UNREADABLE_DELIVERY = "unreadable_delivery"
"""The one reason that is a whole delivery's: it stops the run, and none of its returns is read."""


@dataclass(frozen=True)
class Reason:
    """A kind of refusal.

    Attributes:
        fr: what is wrong, in French, without a final full stop.
        en: the same in English.
        remedy_fr: what to do, in French.
        remedy_en: the same in English.
    """

    fr: str
    en: str
    remedy_fr: str
    remedy_en: str


@functools.cache
def reasons() -> Mapping[str, Reason]:
    """Every reason, by its code, from ``refusals.yaml``."""
    import yaml

    catalogue = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    remedies = catalogue["remedies"]
    return MappingProxyType(
        {
            code: Reason(one["fr"], one["en"], remedies[one["remedy"]]["fr"], remedies[one["remedy"]]["en"])
            for code, one in catalogue["reasons"].items()
        }
    )


@dataclass(frozen=True)
class Refusal:
    """Why one return is refused, and where the fault is.

    Attributes:
        reason: code, a key of :func:`reasons`.
        tab: the tab concerned.
        cell: the cell concerned, as ``C12``.
        expected: what should have been there. What was there instead is never kept: it may be a name or a
            phone number that someone put into the wrong cell.
        unit_code: the unit, when it was read before the refusal.
    """

    reason: str
    tab: str | None = None
    cell: str | None = None
    expected: str | None = None
    unit_code: str | None = None

    def sentence(self, language: str) -> str:
        """The whole sentence, ``fr`` or ``en``: what, where, expected, remedy."""
        reason = reasons()[self.reason]
        french = language == "fr"
        what, remedy = (reason.fr, reason.remedy_fr) if french else (reason.en, reason.remedy_en)
        words = {"tab": "onglet" if french else "tab", "cell": "cellule" if french else "cell"}
        place = [f"{words[key]} {value}" for key, value in (("tab", self.tab), ("cell", self.cell)) if value]
        where = f" ({', '.join(place)})" if place else ""
        awaited = f"{' ; attendu : ' if french else '; expected: '}{self.expected}" if self.expected else ""
        return f"{what}{where}{awaited}. {remedy}."


class RefusedReturnError(Exception):
    """Ends the reading of one return."""

    def __init__(
        self, reason: str, *, tab: str | None = None, cell: str | None = None, expected: str | None = None
    ) -> None:
        self.refusal = Refusal(reason, tab, cell, expected)
        super().__init__(reason)

    def of_unit(self, unit_code: str) -> "RefusedReturnError":
        """The same, of a unit that is known by now."""
        self.refusal = replace(self.refusal, unit_code=unit_code)
        return self
