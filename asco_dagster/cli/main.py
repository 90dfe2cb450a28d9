"""Entry point of ``asco``: registers the subcommands and prints an error as one line.

Errors go to stderr; a traceback is shown only with ``--debug``. Exit codes: 0 done, 1 a gate refused or a
check does not hold, 2 usage or configuration, 3 failed.
"""

import errno
import importlib.metadata
import io
import os
import sys
from typing import Annotated

import typer

from asco_dagster.cli.acknowledge import acknowledge
from asco_dagster.cli.backup import backup, restore
from asco_dagster.cli.deliver import deliver
from asco_dagster.cli.demo import demo
from asco_dagster.cli.doctor import doctor
from asco_dagster.cli.kubernetes import kubernetes
from asco_dagster.cli.programs import dagster, dbt, dg
from asco_dagster.cli.prune import prune
from asco_dagster.cli.purge import purge
from asco_dagster.cli.quarantine import quarantine
from asco_dagster.cli.query import query
from asco_dagster.cli.questionnaire import questionnaire
from asco_dagster.cli.release import release
from asco_dagster.cli.releases import releases
from asco_dagster.cli.rotate_key import rotate_key
from asco_dagster.cli.run import run
from asco_dagster.cli.status import status
from asco_dagster.cli.up import up
from asco_dagster.cli.verify import verify
from asco_dagster.cli.worker import worker
from asco_dagster.errors import AscoError, ConfigurationError, GateError

# Faults of the disk and of paths, not of the code: one line is enough, wherever they occur.
_REMEDIES = {
    errno.ENOSPC: "Free some disk space, then try again",
    errno.EDQUOT: "Free some disk space or have the quota raised, then try again",
    errno.EFBIG: "Raise the limit on the size of files, then try again",
    errno.EROFS: "Have the disk mounted for writing, or set another ASCO_HOME",
    errno.ENOENT: "Create its folder, or correct the path",
    errno.ENOTDIR: "Correct the path",
    errno.EISDIR: "Name a file, not a folder",
    errno.EACCES: "Correct its permissions, or name another path",
    errno.EPERM: "Correct its permissions, or name another path",
}

app = typer.Typer(
    name="asco",
    help="The ASCO pipeline: from delivered files to gated, protected releases.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (demo, run, up, status, acknowledge, releases, query, verify, doctor):
    app.command()(command)
for program in (dbt, dagster, dg):
    app.command(context_settings={"ignore_unknown_options": True})(program)
for upkeep in (prune, purge, backup, restore, deliver, worker, kubernetes):
    app.command()(upkeep)
for group in (rotate_key, quarantine, questionnaire, release):
    app.add_typer(group)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asco {importlib.metadata.version('asco_dagster')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of every command; ``main`` reads ``--debug`` itself."""


def main() -> None:
    """Run the command line; files it writes are private unless they are published."""
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal in ISO 8859-15 has no dash and no arrow
    try:
        app()
    except AscoError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"asco: {error}", err=True)
        sys.exit(exit_code(error))
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if "--debug" in sys.argv or remedy is None:
            raise
        typer.echo(f"asco: {error.strerror}: {error.filename or 'the home'}. {remedy}.", err=True)
        sys.exit(3)


def exit_code(error: AscoError) -> int:
    """Exit code of an error."""
    if isinstance(error, ConfigurationError):
        return 2
    return 1 if isinstance(error, GateError) else 3


if __name__ == "__main__":
    main()
