"""What every form of a questionnaire file shares: unknown keys are refused, texts come in two languages.

What does not belong here: the forms themselves (``codebook``, ``edits``).
"""

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """A part of a file, which cannot be changed once read and takes no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(Form):
    """A text in French and English."""

    fr: str
    en: str
