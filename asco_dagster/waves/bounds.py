"""Bounds of a wave: the parameters that the suites of ``expectations/`` take.

Most are the same for every wave (``defaults.yaml``), a wave file states what differs, and the rest are rules
of the wave. A bound that no suite takes would look like a check and be none.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.installation import EXPECTATIONS
from asco_dagster.waves.yaml_file import read_yaml

DEFAULTS = Path(__file__).parent / "defaults.yaml"
_PARAMETER = re.compile(r'"\$PARAMETER"\s*:\s*"([^"]+)"')


def with_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a wave file, completed by those of ``defaults.yaml`` at every depth."""
    return _merged(read_yaml(DEFAULTS), content)


def check_bounds(bounds: Mapping[str, float], by_rule: Mapping[str, str], path: Path) -> None:
    """Refuse bounds that are not the parameters of the suites.

    Args:
        bounds: those of ``defaults.yaml`` and of the wave file.
        by_rule: the key of the wave file that gives a parameter in place of a bound, by parameter.
        path: the wave file.

    Raises:
        ConfigurationError: a bound that repeats a rule, a bound that no suite takes, or a parameter of a
            suite that has no bound.
    """
    taken = suite_parameters()
    for name in bounds:
        if name in by_rule:
            raise ConfigurationError(
                f"key bounds.{name} repeats {by_rule[name]}", file=path, remedy="Remove it from the bounds"
            )
        if name not in taken:
            raise ConfigurationError(
                f"key bounds.{name}: no suite takes this parameter",
                file=path,
                expected=f"one of {', '.join(sorted(set(taken) - set(by_rule)))}",
                remedy='Correct its name, or have a suite take it ({"$PARAMETER": "' + name + '"})',
            )
    for name, suite in taken.items():
        if name not in bounds and name not in by_rule:
            raise ConfigurationError(
                f"the suite {suite} takes the parameter “{name}”, which has no bound",
                file=path,
                remedy=f"Add {name} under bounds of this file or of {DEFAULTS.name}, or correct the suite",
            )


@functools.lru_cache
def suite_parameters() -> dict[str, str]:
    """Every parameter that a suite takes, and the name of the first suite that does."""
    found: dict[str, str] = {}
    for path in sorted(EXPECTATIONS.glob("*/*.json")):
        for name in _PARAMETER.findall(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(name, path.name)
    return found


def _merged(default: Any, given: Any) -> Any:
    if not isinstance(default, dict) or not isinstance(given, Mapping):
        return given
    both = {key: _merged(value, given[key]) if key in given else value for key, value in default.items()}
    return {**both, **{key: value for key, value in given.items() if key not in default}}
