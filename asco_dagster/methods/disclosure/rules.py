"""What the wave file decides about disclosure: thresholds and protection levels.

Only settings and the names of columns are here; the rules themselves are in ``primary``, their consequences
in ``masks``.
"""

from dataclasses import dataclass

import numpy as np

from asco_dagster.errors import ConfigurationError

CELL = ("geography", "area_code", "size_class")
KEYS = ("unit_type", "indicator", "statistic", *CELL)
STATISTICS = ("share", "population_share", "total")
TOTAL = "total"

# The numbers of a released cell that the attack computes with; ``releases/tables.yaml`` has all of them.
ATTACKED = ("estimate", "denominator")
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
class DisclosureRules:
    """The rules of a wave.

    Source of threshold and dominance: InseeFrLab, *manuel de protection des tableaux*; the protection range
    follows the second parameter of τ-Argus's ``FREQ(3, 10)``, made granular for few respondents.

    Args:
        threshold: fewest unweighted respondents of a released cell; of two versions, fewest units whose
            correction may show in a cell.
        dominance: largest part of a magnitude cell that one contributor may hold, ``NK(1, 85)``.
        group_threshold: a share of exactly 0 % or 100 %, or an amount of exactly 0, is sensitive below this
            number of respondents: it gives the answer of each of them.
        protection: half-width of the interval that an intruder must not get below, as a part of the cell
            (totals) or of its units (shares).
        step: the least change of a share that the number of respondents allows, in answers: with ``n``
            respondents the interval is at least ``step / n`` wide on each side, so that another number of
            yes remains possible.
    """

    threshold: int = 3
    dominance: float = 0.85
    group_threshold: int = 10
    protection: float = 0.10
    step: float = 1.25

    def __post_init__(self) -> None:
        """Refuse rules that would protect nothing or cannot be met."""
        checks = {
            "threshold": self.threshold >= 1,
            "dominance": 0 < self.dominance <= 1,
            "group_threshold": self.group_threshold >= 0,
            "protection": 0 < self.protection <= 1,
            "step": self.step >= 1,
        }
        for name, holds in checks.items():
            if not holds:
                raise ConfigurationError(
                    f"the disclosure rule {name} is {getattr(self, name)}",
                    expected="counts from 0 (threshold and step from 1), parts above 0 up to 1",
                    remedy=f"Correct {name} under the disclosure rules of the wave file",
                )

    def share_level(self, respondents: np.ndarray) -> np.ndarray:
        """How far the share of a sensitive cell must be able to move, as a part of its units; shape kept."""
        few = self.step / np.maximum(respondents, 1.0)
        small = respondents < self.group_threshold
        return np.minimum(np.where(small, np.maximum(self.protection, few), self.protection), 1.0)
