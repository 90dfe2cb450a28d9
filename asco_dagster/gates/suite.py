"""A suite file: GX's own JSON, one file per asset, and what this project asks of it.

Every expectation carries GX's ``severity`` and a ``meta.reason`` in plain words; the suite's ``meta.key``
names the columns that identify an offending row (never contact data). A suite is checked when it is loaded,
so that none judges less than it says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.gates.suite_faults import (
    Fault,
    argument_faults,
    bound_faults,
    form_faults,
    nearest,
    parameters_of,
    unknown_bounds,
    unknown_columns,
    unknown_types,
)
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.layers import layer_of
from asco_dagster.strict_json import JsonFault, read_json
from asco_dagster.waves import Wave


@dataclass(frozen=True)
class Suite:
    """A suite as read.

    Attributes:
        asset: the asset that it gates.
        content: GX's JSON.
    """

    asset: str
    content: Mapping[str, Any]

    @property
    def expectations(self) -> list[dict[str, Any]]:
        """The expectations, in the order of the file."""
        return list(self.content["expectations"])

    @property
    def key(self) -> list[str]:
        """Columns that identify an offending row."""
        return list(self.content.get("meta", {}).get("key", []))

    def parameters(self) -> set[str]:
        """Names of the wave's bounds that the suite takes."""
        return set(parameters_of(self.content["expectations"]))


def suite_path(asset: str, folder: Path = EXPECTATIONS) -> Path:
    """Path of the suite of an asset."""
    return folder / layer_of(asset) / f"{asset}.json"


def suite_assets(folder: Path = EXPECTATIONS) -> list[str]:
    """Assets that have a suite file, in alphabetical order of their layer and name."""
    return [path.stem for path in sorted(folder.glob("*/*.json"))]


def read_suite(asset: str, folder: Path = EXPECTATIONS) -> Suite:
    """Read an asset's suite and check its form; needs no import of GX.

    Raises:
        ConfigurationError: no file, not JSON, no expectation, a wrong type or key, an expectation without
            severity or reason or given twice; names the file and the number of the expectation.
    """
    path = suite_path(asset, folder)
    try:
        content = read_json(path)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"asset {asset} has no suite",
            expected=f"expectations/{layer_of(asset)}/{asset}.json",
            remedy="Write the suite: an asset without a gate is never published",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"it cannot be read ({error.strerror})", file=path, remedy="Check the file and its permissions"
        ) from error
    except JsonFault as error:
        raise ConfigurationError(error.what, file=path, row=error.row, remedy="Correct the suite") from error
    _refuse(path, form_faults(content, asset))
    return Suite(asset, content)


def load_suite(asset: str, folder: Path = EXPECTATIONS) -> Suite:
    """Read an asset's suite and check it against Great Expectations, which is imported, slowly, for that.

    Raises:
        ConfigurationError: as :func:`read_suite`, or an unknown expectation, an unknown or missing argument,
            a value that an argument cannot have, or an expectation that holds whatever the data are.
    """
    suite = read_suite(asset, folder)
    _refuse(suite_path(asset, folder), argument_faults(suite.expectations))
    return suite


def require_fit(suite: Suite, wave: Wave, columns: Iterable[str]) -> None:
    """Check that a suite fits the table that it judges and the bounds of the wave.

    Args:
        suite: the suite.
        wave: the wave, for its bounds.
        columns: names of the table's columns.

    Raises:
        ConfigurationError: a column that the table does not have, a bound that the wave does not give, or
            bounds with which an expectation has no meaning.
    """
    path, own = suite_path(suite.asset), suite.expectations
    _refuse(path, unknown_columns(own, suite.key, list(columns)))
    _refuse(path, bound_faults(own, wave.bounds, f"{wave.wave}.yaml"))


def require_suite_files(assets: Iterable[str], waves: Sequence[Wave], folder: Path = EXPECTATIONS) -> None:
    """Check, without importing GX, that each asset has a suite of the right form, and each suite an asset.

    Args:
        assets: every asset of the pipeline.
        waves: those that are going to be judged, for their bounds.
        folder: the suites.

    Raises:
        ConfigurationError: as :func:`read_suite`, an expectation of an unknown type, a bound that a wave does
            not give, a suite of no asset.
    """
    known = sorted(assets)
    for asset in known:
        own, path = read_suite(asset, folder).expectations, suite_path(asset, folder)
        _refuse(path, unknown_types(own))
        for wave in waves:
            _refuse(path, unknown_bounds(own, wave.bounds, f"{wave.wave}.yaml"))
    for asset in suite_assets(folder):
        if asset not in known:
            raise ConfigurationError(
                f"there is no asset {asset} that this suite could judge",
                file=f"{asset}.json",
                expected=nearest(asset, known) or "the name of an asset",
                remedy="Rename the suite, or remove it",
            )


def require_sound_suites(assets: Iterable[str], wave: Wave) -> None:
    """Check that the suites of some assets are sound and can be judged with the bounds of the wave.

    Raises:
        ConfigurationError: as :func:`load_suite`, or bounds with which an expectation has no meaning.
    """
    for asset in assets:
        own = load_suite(asset).expectations
        _refuse(suite_path(asset), bound_faults(own, wave.bounds, f"{wave.wave}.yaml"))


def _refuse(path: Path, faults: Iterable[Fault]) -> None:
    found = list(faults)
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    first = found[0]
    raise ConfigurationError(f"{first.what}{more}", file=path, expected=first.expected, remedy=first.remedy)
