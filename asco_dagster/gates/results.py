"""What the gates found, one JSON file an asset under ``waves/<wave>/gates``.

Whatever reports on a gate reads its file and Dagster's event log, and trusts them where they agree. A file
that is damaged, of another run, or that says that its table is being made counts as "not judged"; the next
run makes and judges the table again.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.errors import GateError
from asco_dagster.strict_json import JsonFault, read_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

JUDGED_IN = "judged in run"
"""Metadata of a gate's check: the run whose file holds the result; checks that are reused keep it."""
SHOWN = 5  # gates that are not judged, named in a summary
_REMEDY = "Run the wave again (“Materialize” or “Re-execute all”): the table is made and judged again"


@dataclass(frozen=True)
class Verdict:
    """What one expectation found.

    Attributes:
        expectation: GX's type, for example ``expect_column_values_to_be_unique``.
        column: the column or columns concerned; empty for the whole table.
        severity: ``critical`` or ``warning``.
        passed: whether it held.
        observed: what was seen, as text.
        unexpected_share: share of rows that failed, between 0 and 1; None where it has no meaning.
        reason: why it is expected, from the suite.
        offending: keys of some rows that failed.
        fault: message of an expectation that could not be evaluated at all; counts as critical.
        expected: what it allows, as text with the numbers of the wave, such as “at least 0.5”.
        bound: names of the wave's bounds that it takes, separated by commas.
        value: the number observed; None where it is no number.
        low: lowest number allowed; None without such a limit.
        high: highest number allowed; None without such a limit.
    """

    expectation: str
    column: str
    severity: str
    passed: bool
    observed: str
    unexpected_share: float | None
    reason: str
    offending: list[str]
    fault: str | None = None
    expected: str = ""
    bound: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def closes(self) -> bool:
        """Whether this verdict closes the gate."""
        return not self.passed and (self.severity == "critical" or self.fault is not None)


@dataclass(frozen=True)
class GateResult:
    """What a gate found on one asset of one wave.

    Attributes:
        asset: the asset.
        wave: the wave.
        rows: rows of the table.
        verdicts: what the expectations found.
        expectations: number of expectations of the suite; a result without it is not trusted.
        run: identifier of the run that judged.
        at: when, ISO 8601 in UTC.
        data_version: fingerprint of the table that was judged.
    """

    asset: str
    wave: str
    rows: int
    verdicts: list[Verdict]
    expectations: int = 0
    run: str = ""
    at: str = ""
    data_version: str = ""

    @property
    def closed(self) -> bool:
        """Whether anything critical failed, or an expectation has no verdict."""
        return len(self.verdicts) < self.expectations or any(verdict.closes for verdict in self.verdicts)

    @property
    def warned(self) -> bool:
        """Whether something failed that does not close the gate."""
        return any(not verdict.passed and not verdict.closes for verdict in self.verdicts)

    def write(self, folder: Path) -> None:
        """Keep the result as ``<asset>.json`` in ``folder``, replacing the former one whole."""
        make_folder(folder)
        kept = {**asdict(self), "closed": self.closed}
        write_whole(folder / f"{self.asset}.json", json.dumps(kept, ensure_ascii=False, indent=1))


def mark_unjudged(folder: Path, asset: str, wave: str, run: str) -> None:
    """Replace the result of a gate, whose table is about to be made, by a note of that.

    Args:
        folder: the wave's results.
        asset: of the gate.
        wave: the wave.
        run: identifier of the run that makes the table.
    """
    note = {"asset": asset, "wave": wave, "run": run, "judged": False}
    write_whole(make_folder(folder) / f"{asset}.json", json.dumps(note))


def mark_outdated(folder: Path, asset: str, wave: str, run: str, rebuilt: str) -> str:
    """Put aside the result of a gate below a table that is about to be rebuilt.

    Args:
        folder: the wave's results.
        asset: of the gate.
        wave: the wave.
        run: identifier of the run that rebuilds the table.
        rebuilt: the asset of that table.

    Returns:
        Why it does not count any more; empty where it did not count before.
    """
    try:
        former = read_result(folder, asset, wave)
    except GateError:
        return ""
    kept = {**asdict(former), "closed": former.closed}
    why = f"run {run[:8]} rebuilt {rebuilt}, on which it depends, and did not judge it"
    note = {"asset": asset, "wave": wave, "run": run, "judged": False, "why": why, "former": kept}
    write_whole(folder / f"{asset}.json", json.dumps(note, ensure_ascii=False, indent=1))
    return why


def restore_result(folder: Path, asset: str) -> bool:
    """Take back a result that was put aside, whose data proved to be the same; whether there was one."""
    path = folder / f"{asset}.json"
    former = _put_aside(path)
    if former is None:
        return False
    write_whole(path, json.dumps(former, ensure_ascii=False, indent=1))
    return True


def _put_aside(path: Path) -> Any:
    """The result that was put aside in a file; None where none was."""
    try:
        content = read_json(path)
    except (OSError, JsonFault):
        return None
    return content.get("former") if isinstance(content, dict) else None


def read_result(folder: Path, asset: str, wave: str) -> GateResult:
    """The result of a gate as it was kept.

    Args:
        folder: the wave's results.
        asset: of the gate.
        wave: the wave.

    Raises:
        GateError: the gate is not judged: there is no file, a damaged one, one of something else, or a note
            that the table is being made.
    """
    path = folder / f"{asset}.json"
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise not_judged(path, "there is no result", asset) from None
    except OSError as error:
        raise not_judged(path, f"it cannot be read ({error.strerror})", asset) from error
    except JsonFault as error:
        raise not_judged(path, error.what, asset) from error
    if isinstance(content, dict) and content.get("judged") is False:
        run = str(content.get("run"))[:8]
        why = content.get("why") or f"run {run} began to make its table and did not judge it"
        raise not_judged(path, str(why), asset)
    result, fault = _parsed(content, asset, wave)
    if result is None or fault:
        raise not_judged(path, fault, asset)
    return result


def unjudged(folder: Path, wave: str) -> Iterator[GateError]:
    """Of each file among a wave's results that is not one, why; gates below a rebuilt table come last."""
    below = []
    for path in sorted(folder.glob("*.json")):
        try:
            read_result(folder, path.stem, wave)
        except GateError as error:
            if _put_aside(path) is None:
                yield error
            else:
                below.append(error)
    yield from below


def shortened(faults: Iterable[str]) -> list[str]:
    """The first few sentences and how many there are more: a wave may have a fault in every gate."""
    found = list(faults)
    more = len(found) - SHOWN
    return [*found[:SHOWN], f"… and {more} more gates that are not judged"] if more > 0 else found


def not_judged(path: Path, why: str, asset: str) -> GateError:
    """The error of a gate whose result cannot be trusted, with the file of its result."""
    return GateError(f"the gate of {asset} is not judged: {why}", file=path, remedy=_REMEDY)


def _parsed(content: Any, asset: str, wave: str) -> tuple[GateResult | None, str]:
    """A result, and why it is none of this gate."""
    from pydantic import ValidationError

    try:
        # as JSON, in which a whole number is a number and a text is none
        result = _form().validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        return None, f"{place}: {first['msg'].lower()}"
    if (result.asset, result.wave) != (asset, wave):
        return result, f"it is the result of {result.asset} of wave {result.wave}"
    if len(result.verdicts) != result.expectations or not result.expectations:
        return result, f"it holds {len(result.verdicts)} verdicts of {result.expectations} expectations"
    if content.get("closed") is not result.closed:
        return result, f"it says closed: {content.get('closed')}, its verdicts say {result.closed}"
    return result, ""


@functools.cache
def _form() -> "TypeAdapter[GateResult]":
    from pydantic import TypeAdapter

    return TypeAdapter(GateResult)
