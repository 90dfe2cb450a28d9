"""Errors that a person can act on: what is wrong, where, what was expected, what to do.

Every error that this project raises on purpose is one of these; the command line prints them as one line.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import PurePath

from asco_dagster.escaping import on_one_line


class AscoError(Exception):
    """A failure, reported as a sentence.

    Args:
        what: what is wrong, in plain words, without a final full stop.
        file: name or path of the file concerned; only its name is shown.
        sheet: sheet (or tab) of a workbook.
        row: row in the file, counted from 1 as a spreadsheet shows it.
        column: column name or letter.
        expected: what should have been there.
        remedy: what the reader should do; a separate sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        file: str | PurePath | None = None,
        sheet: str | None = None,
        row: int | None = None,
        column: str | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.file = PurePath(file).name if file is not None else None
        self.sheet = sheet
        self.row = row
        self.column = column
        self.expected = expected
        self.remedy = remedy
        super().__init__(self.sentence())

    def __reduce__(self) -> tuple[partial["AscoError"], tuple[str]]:
        """Pickle the parts, so that a worker process of a pool can raise the same error here."""
        parts = {key: vars(self)[key] for key in ("file", "sheet", "row", "column", "expected", "remedy")}
        return partial(type(self), **parts), (self.what,)

    def place(self) -> str:
        """Where it is, from the largest to the smallest: file, sheet, row, column."""
        parts = [
            f"file {self.file}" if self.file else "",
            f"sheet “{self.sheet}”" if self.sheet is not None else "",
            f"row {self.row}" if self.row is not None else "",
            f"column {self.column}" if self.column is not None else "",
        ]
        return ", ".join(part for part in parts if part)

    def sentence(self) -> str:
        """The whole message on one line."""
        place = self.place()
        text = f"{place}: {self.what}" if place else self.what
        if self.expected:
            text += f"; expected {self.expected}"
        text += "."
        if self.remedy:
            text += f" {self.remedy[:1].upper()}{self.remedy[1:].rstrip('.')}."
        return on_one_line(text)


class ConfigurationError(AscoError):
    """A setting, a wave file or the machine is not as it must be."""


class SourceError(AscoError):
    """A delivered file was refused; nothing of it was loaded."""


class OutOfReachError(SourceError):
    """A delivered file that the system cannot read: a fault of a disk, a share or a permission."""

    @classmethod
    def from_os_error(cls, fault: OSError, path: PurePath) -> "OutOfReachError":
        """The error of a file that the system could not read; whoever sent the file cannot fix that."""
        return cls(
            f"it cannot be read ({fault.strerror})",
            file=path,
            remedy="check its disk or share and who may read it, then run again",
        )


class GateError(AscoError):
    """A quality gate is closed, missing, or older than the data it should check."""


class EstimationError(AscoError):
    """The sample, the weights or the margins do not allow an estimate."""


class DisclosureError(AscoError):
    """A table cannot be protected, or its protection does not hold."""


class ReleaseError(AscoError):
    """A release is incomplete, altered, or cannot be written."""


def is_sentence(name: str | None) -> bool:
    """Whether this is the class name, as a run stores it, of one of these errors."""
    return name in {kind.__name__ for kind in _kinds(AscoError)}


def _kinds(of: type[AscoError]) -> Iterator[type[AscoError]]:
    yield of
    for kind in of.__subclasses__():
        yield from _kinds(kind)
