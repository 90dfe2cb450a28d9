"""Dagster's command lines ``dagster`` and ``dg`` with the environment of a home."""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from asco_dagster.errors import ConfigurationError
from asco_dagster.installation import CHECKOUT
from asco_dagster.operations.instance import environment, instance_of, prepare
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.postgres.address import storage

PROGRAMS = {"dagster": ("dagster", "dagster.__main__"), "dg": ("dagster_dg_cli", "dagster_dg_cli.cli")}
"""Package of each program, and the module with its ``main``."""
_TARGETS = {
    f"DAGSTER_CLI_ASSET_{command}_MODULE_NAME": "asco_dagster.definitions"
    for command in ("LIST", "MATERIALIZE")
}
"""Two commands of ``dagster`` do not read pyproject.toml; these variables replace their ``-m``."""


def run_program(program: str, arguments: Sequence[str], settings: Settings, places: Places) -> int:
    """Run one of Dagster's programs on the home's instance, in the checkout.

    Returns:
        The program's exit code.

    Raises:
        ConfigurationError: the program is not installed, or the storage is not available.
    """
    package, module = PROGRAMS[program]
    if importlib.util.find_spec(package) is None:
        raise ConfigurationError(
            f"{program} is not installed", remedy=f"Install it: pip install 'asco_dagster[{program}]'"
        )
    with storage(settings, places) as address:
        variables = prepare(settings, places, address)
        with environment(variables), instance_of(places):
            pass  # creates the tables
        code = f"import sys; from {module} import main; sys.argv[0] = {program!r}; main()"
        command = [sys.executable, "-c", code, *arguments]
        variables = {**_TARGETS, **variables}
        with subprocess.Popen(command, env=variables, cwd=CHECKOUT) as child, _passed_on(child):
            return child.wait()


@contextmanager
def _passed_on(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Leave Ctrl-C to the program, which gets it from the terminal too; pass on SIGTERM."""
    former = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
