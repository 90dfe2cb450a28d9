"""Building blocks of the files that describe a wave: closed forms, codes, numbers, texts in two languages."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
UnitType = Literal["commune", "epci"]
UNIT_TYPES: tuple[UnitType, ...] = get_args(UnitType)


def _number(value: Any) -> Any:
    """A number as it is; YAML reads yes and no as true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is expected, not {value!r}")
    return value


Bound = Annotated[float, BeforeValidator(_number), AllowInfNan(False)]


class Form(BaseModel):
    """A part of a wave file: an unknown key is an error, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Text(Form):
    """A published text in both languages."""

    fr: str
    en: str
