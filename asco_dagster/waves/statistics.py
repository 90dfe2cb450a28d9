"""What statisticians decide for a wave: sample design, calibration margins, precision, disclosure rules.

The form of these parts of a wave file; the methods that follow them are in ``asco_dagster/methods``.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from asco_dagster.waves.form import Code, Form, Text, UnitType

AreaCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}[AB]?$")]
AuxiliaryVariable = Literal["region_code", "departement_code", "size_class", "epci_nature"]


class SizeClass(Form):
    """A class of municipal population.

    Attributes:
        code: published code, in reading order.
        from_population: smallest population of the class (inhabitants).
    """

    code: Code
    from_population: int = Field(ge=0)


class Allocation(Form):
    """How a sample that is drawn is shared out over the strata.

    Attributes:
        method: ``proportional`` to the units of each stratum; ``power``: areas share the sample by a power of
            their units, for estimates that are as precise in small areas as in large ones; ``neyman``: to the
            units of a stratum times the spread of ``variable`` among them.
        variable: variable of the frame whose spread Neyman's allocation goes by.
        area: variable of the strata whose areas share the sample in a power allocation.
        power: that power: 1 is proportional, 0 gives each area the same.
    """

    method: Literal["proportional", "power", "neyman"] = "proportional"
    variable: Literal["population"] | None = None
    area: AuxiliaryVariable | None = None
    power: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _method_with_what_it_needs(self) -> "Allocation":
        if (self.method == "neyman") != (self.variable is not None):
            raise ValueError("allocation: neyman names a variable, the other methods none")
        if any((self.method == "power") != (given is not None) for given in (self.area, self.power)):
            raise ValueError("allocation: power names an area and a power, the other methods neither")
        return self


class Design(Form):
    """Sample design of one type of unit.

    Attributes:
        size: number of units sampled.
        strata: variables whose crossing makes the strata.
        take_all_from: population from which every unit is sampled.
        minimum_per_stratum: least number of units drawn in a stratum (all of a smaller one).
        allocation: how the rest is shared out, when the sample is drawn and not delivered.
        size_classes: classes of population, ascending, the first from 0.
    """

    size: int = Field(gt=0)
    strata: list[AuxiliaryVariable] = Field(min_length=1)
    take_all_from: int = Field(gt=0)
    minimum_per_stratum: int = Field(ge=1)
    allocation: Allocation = Allocation()
    size_classes: list[SizeClass] = Field(min_length=2)

    @model_validator(mode="after")
    def _ascending(self) -> "Design":
        bounds = [size_class.from_population for size_class in self.size_classes]
        if bounds[0] != 0 or bounds != sorted(set(bounds)):
            raise ValueError(f"size_classes must start at 0 and ascend strictly, not {bounds}")
        return self

    @model_validator(mode="after")
    def _areas_are_made_of_strata(self) -> "Design":
        if self.allocation.area is not None and self.allocation.area not in self.strata:
            raise ValueError(
                f"allocation: its area {self.allocation.area} is none of the strata {self.strata}"
            )
        return self


class Sampling(Form):
    """How the sample was, or is, drawn."""

    seed: int
    commune: Design
    epci: Design


class Margin(Form):
    """A calibration margin.

    Attributes:
        total: what is summed over the frame: units, or their inhabitants.
        by: variables whose crossing makes the cells of the margin.
    """

    total: Literal["units", "population"]
    by: list[AuxiliaryVariable] = Field(min_length=1)


class UnitCalibration(Form):
    """Calibration of one type of unit."""

    method: Literal["linear", "raking", "logit"]
    bounds: tuple[float, float]
    margins: list[Margin] = Field(min_length=1)


class Calibration(Form):
    """Non-response groups and calibration margins.

    Attributes:
        minimum_respondents: fewest respondents in a response-homogeneity group before it is collapsed.
        maximum_adjustment: largest non-response adjustment of a group before it is collapsed.
    """

    minimum_respondents: int = Field(ge=2)
    maximum_adjustment: float = Field(gt=1)
    commune: UnitCalibration
    epci: UnitCalibration


class Threshold(Form):
    """Where a measure of precision stops being good enough, then stops being usable."""

    low_precision: float = Field(gt=0)
    unreliable: float = Field(gt=0)


class ThinCells(Form):
    """Below which the linearised error of a share is not trusted alone.

    Attributes:
        respondents: unweighted respondents.
        contributors: effective contributors to the estimate (Kish's number; of a share, to its rarer side).
    """

    respondents: int = Field(ge=2)
    contributors: float = Field(ge=2)


class Precision(Form):
    """Errors of thin cells, and thresholds of the quality flags.

    Attributes:
        thin: shares whose error is at least what a model of the answers expects, as those of totals are.
        cv: coefficient of variation of totals (a ratio, not per cent); more is worse.
        half_width: half the width of a share's 95 % interval (0.05 is five points); more is worse.
        effective_size: size of the simple random sample, without finite population, that would be as precise;
            fewer is worse.
    """

    thin: ThinCells
    cv: Threshold
    half_width: Threshold
    effective_size: Threshold

    @model_validator(mode="after")
    def _in_order(self) -> "Precision":
        worse = {
            "cv": self.cv.unreliable > self.cv.low_precision,
            "half_width": self.half_width.unreliable > self.half_width.low_precision,
            "effective_size": self.effective_size.unreliable < self.effective_size.low_precision,
        }
        for name, in_order in worse.items():
            if not in_order:
                raise ValueError(f"precision.{name}: unreliable must be worse than low_precision")
        return self


class AreaGroup(Form):
    """Areas that are published only together, because alone they have too few respondents.

    Attributes:
        code: code of the group in the released tables.
        label: its name.
        geography: ``region``: the régions' cells by size class are published together, their totals stay
            apart; ``departement``: the départements are published together.
        areas: official codes of the areas.
        unit_types: types of unit whose tables it concerns.
    """

    code: str = Field(pattern=r"^[A-Z0-9][A-Z0-9-]+$")
    label: Text
    geography: Literal["region", "departement"]
    areas: list[AreaCode] = Field(min_length=2)
    unit_types: list[UnitType] = Field(default=["commune", "epci"], min_length=1)


class Disclosure(Form):
    """Disclosure rules; their bounds are the least that may be asked, of a wave file and of any release.

    Attributes:
        minimum_respondents: a cell of fewer unweighted respondents is not released (status A); of two
            versions, a cell in which fewer units were corrected keeps its former number.
        dominance_share: largest share of a magnitude cell that one unit may hold (status B).
        group_threshold: below this many respondents a share of exactly 0 % or 100 % is not released.
        protection_level: half-width, as a share of the value, within which no intruder may infer a
            suppressed cell.
        recoding: areas that are published together.
    """

    minimum_respondents: int = Field(ge=3)
    dominance_share: float = Field(gt=0, le=0.85)
    group_threshold: int = Field(ge=10)
    protection_level: float = Field(ge=0.1, lt=1)
    recoding: list[AreaGroup] = Field(default=[])

    @model_validator(mode="after")
    def _each_area_in_one_group(self) -> "Disclosure":
        for unit_type in ("commune", "epci"):
            for geography in ("region", "departement"):
                groups = [g for g in self.recoding if g.geography == geography and unit_type in g.unit_types]
                listed = [area for group in groups for area in group.areas]
                twice = sorted({area for area in listed if listed.count(area) > 1})
                if twice:
                    raise ValueError(
                        f"recoding: {geography} {twice[0]} is in two groups of {unit_type} tables"
                    )
        return self


class Movement(Form):
    """By how much a national number may move from a former release.

    Attributes:
        share: difference allowed of a share (0.05 is five points).
        total: factor by which a total may rise or fall.
    """

    share: float = Field(gt=0)
    total: float = Field(gt=1)


class Drift(Form):
    """Movements allowed against the last release of the same wave, and against the former wave."""

    last_release: Movement
    former_wave: Movement


class PublishedFigure(Form):
    """A national share that the publisher has printed of this wave, to judge estimates by.

    Attributes:
        unit_type: of whom.
        indicator: code of the indicator.
        statistic: share of the units, or share of the population that lives in them.
        size_class: class of size; ``total`` is all.
        published: the printed share, between 0 and 1.
        tolerance: how far an estimate may be off beyond its sampling error: half a unit of the last printed
            digit, more where the source says "about" or "more than".
        source: where it was printed.
    """

    unit_type: UnitType
    indicator: Code
    statistic: Literal["share", "population_share"] = "share"
    size_class: Code = "total"
    published: float = Field(ge=0, le=1)
    tolerance: float = Field(gt=0, lt=0.5)
    source: str = Field(min_length=1)
