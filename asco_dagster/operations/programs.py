"""Dagster's own command lines, ``dagster`` and ``dg``, with the environment of a home.

What does not belong here: what ``asco`` has a command of its own for.
"""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from asco_dagster.errors import ConfigurationError
from asco_dagster.operations.instance import environment, instance_of, prepare
from asco_dagster.settings import CHECKOUT, Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage

PROGRAMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dagster": ("dagster", "dagster.__main__"),
        "dg": ("dagster_dg_cli", "dagster_dg_cli.cli"),
    }
)
"""Of each program: the package that it is in, and the module whose ``main`` it is."""
_TARGETS = {
    f"DAGSTER_CLI_ASSET_{command}_MODULE_NAME": "asco_dagster.definitions"
    for command in ("LIST", "MATERIALIZE")
}
"""Two commands of ``dagster`` do not read pyproject.toml; these variables stand for their ``-m``."""


def run_program(program: str, arguments: Sequence[str], settings: Settings, places: Places) -> int:
    """Run one of Dagster's programs on the home's instance, in the checkout, where the definitions are.

    Args:
        program: ``dagster`` or ``dg``.
        arguments: of the program.
        settings: the environment.
        places: the home.

    Returns:
        The program's exit code.

    Raises:
        ConfigurationError: the program is not installed, or the storage cannot be had.
    """
    package, module = PROGRAMS[program]
    if importlib.util.find_spec(package) is None:
        raise ConfigurationError(
            f"{program} is not installed", remedy=f"Install it: pip install 'asco_dagster[{program}]'"
        )
    with storage(settings, places) as address:
        told = prepare(settings, places, address)
        with environment(told), instance_of(places):
            pass  # the tables are there, and they are PostgreSQL's
        code = f"import sys; from {module} import main; sys.argv[0] = {program!r}; main()"
        command = [sys.executable, "-c", code, *arguments]
        with subprocess.Popen(command, env={**_TARGETS, **told}, cwd=CHECKOUT) as child, _passed_on(child):
            return child.wait()


@contextmanager
def _passed_on(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Leave Ctrl-C to the program, which gets it from the terminal too; hand on a request to end."""
    former = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
