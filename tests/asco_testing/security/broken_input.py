"""One broken or hostile input: what it is, how it is made, and what must be said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Broken:
    """A case of the table of broken inputs.

    Attributes:
        name: how it is broken.
        make: makes it; what it takes and gives is the matter of its kind.
        told: parts of its sentence: the file, the place in it, what was expected, the remedy.
    """

    name: str
    make: Callable[..., Any]
    told: tuple[str, ...]
