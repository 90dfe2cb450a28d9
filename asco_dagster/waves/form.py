"""What every part of a wave file is made of: a closed form, codes, texts in two languages."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
UnitType = Literal["commune", "epci"]


class Form(BaseModel):
    """A part of a wave file: an unknown key is an error, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Form):
    """A published text in both languages."""

    fr: str
    en: str
