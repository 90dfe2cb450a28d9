"""What the wave file decides about disclosure: thresholds, protection levels, linked indicators.

Only settings and the names of columns live here; the rules themselves are in ``primary``, their consequences
in ``secondary``.
"""

from dataclasses import dataclass

from asco_dagster.errors import ConfigurationError

CELL = ("geography", "area_code", "size_class")
KEYS = ("unit_type", "indicator", "statistic", *CELL)
STATISTICS = ("share", "population_share", "total")
TOTAL = "total"

# Every number of a cell that a release must leave empty when the cell is suppressed.
NUMBERS = (
    "estimate",
    "standard_error",
    "ci_low",
    "ci_high",
    "cv",
    "respondents",
    "weighted_units",
)
# What the rules need beside the numbers and what is never released, for any cell.
AUXILIARY = (
    "positive_respondents",
    "numerator",
    "denominator",
    "largest",
    "largest_weighted",
    "second_largest",
)


@dataclass(frozen=True)
class AdditiveSet:
    """Indicators that add up in every cell: the answers of one single-choice question, parts of an amount.

    Args:
        parts: indicators whose numerators add up.
        total: the indicator they add up to; None when the shares add up to 100 % of those who answered.
    """

    parts: tuple[str, ...]
    total: str | None = None

    def members(self) -> tuple[str, ...]:
        """All indicators concerned, parts first."""
        return self.parts if self.total is None else (*self.parts, self.total)


@dataclass(frozen=True)
class DisclosureRules:
    """The rules of a wave.

    Source of the first two: InseeFrLab, *manuel de protection des tableaux*; the protection range follows the
    second parameter of τ-Argus's ``FREQ(3, 10)``.

    Args:
        threshold: fewest unweighted respondents of a released cell.
        dominance: largest part of a magnitude cell that one contributor may hold, ``NK(1, 85)``.
        weighted_dominance: also compare the largest *weighted* contribution with the weighted total.
        group_threshold: a share of exactly 0 % or 100 % is sensitive below this number of respondents.
            0 switches the rule off.
        minimum_positive: fewest respondents on which a numerator, or its complement, may rest when it rests
            on any. 0, the default, switches the rule off: neither units nor weights are published, so that
            one yes among fifty respondents names nobody, and rare actions would be lost in every cell.
        protection: half-width of the interval that an intruder must not get below, as a part of the cell
            (totals, counts) or in points of share / 100 (shares).
        sole_protection: the same for the share of a cell with a single respondent, whose answer is 0 or 1:
            at 1 both answers stay possible.
        sole_over_france: close France's own cells too where ``sole_protection`` needs them. Off by default:
            a commune of more inhabitants than an indicator leaves uncovered in all of France is told by that
            national figure (Paris, by 98 %), which is what the survey is for; its cell then keeps
            ``protection``, and the audit names it.
        secondary_protection: how far a secondary cell must be able to move, so that it too stays unknown.
        information_loss: what is minimised: ``units``, a cell's weighted units to the power 3/4 (large
            cells stay open, above all France's), or ``cells``, their number.
    """

    threshold: int = 3
    dominance: float = 0.85
    weighted_dominance: bool = True
    group_threshold: int = 5
    minimum_positive: int = 0
    protection: float = 0.10
    sole_protection: float = 1.0
    sole_over_france: bool = False
    secondary_protection: float = 0.01
    information_loss: str = "units"

    def __post_init__(self) -> None:
        """Refuse rules that would protect nothing or cannot be met."""
        checks = {
            "threshold": self.threshold >= 1,
            "dominance": 0 < self.dominance <= 1,
            "group_threshold": self.group_threshold >= 0,
            "minimum_positive": self.minimum_positive >= 0,
            "protection": 0 < self.protection <= 1,
            "sole_protection": 0 < self.sole_protection <= 1,
            "secondary_protection": 0 < self.secondary_protection <= self.protection,
            "information_loss": self.information_loss in ("units", "cells"),
        }
        for name, holds in checks.items():
            if not holds:
                raise ConfigurationError(
                    f"the disclosure rule {name} is {getattr(self, name)}",
                    expected="counts from 0 (threshold from 1), parts above 0 up to 1, loss: units or cells",
                    remedy=f"Correct {name} under the disclosure rules of the wave file",
                )
