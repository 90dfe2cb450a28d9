"""What users expect of any command line: version, help with examples, JSON, sentences, no tracebacks."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from asco_dagster.cli.main import app, exit_code
from asco_dagster.errors import ConfigurationError, GateError, SourceError

RUNNER = CliRunner()
COMMANDS = typer.main.get_command(app)


def leaves(command=COMMANDS, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield names, command
    else:
        for name, child in children.items():
            yield from leaves(child, (*names, name))


def asco(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, as a shell starts it, with pipes for output."""
    environment = {**os.environ, "ASCO_HOME": str(home), **variables}
    return subprocess.run(
        [sys.executable, "-m", "asco_dagster.cli.main", *arguments], env=environment, capture_output=True
    )


def test_the_version_is_printed() -> None:
    done = RUNNER.invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout.startswith("asco 0.")


@pytest.mark.parametrize("names", [names for names, _ in leaves()], ids=" ".join)
def test_help_has_an_example_of_the_very_command(names) -> None:
    short, long = (RUNNER.invoke(app, [*names, option]) for option in ("-h", "--help"))
    assert short.exit_code == long.exit_code == 0
    assert short.stdout == long.stdout
    command = dict(leaves())[names]
    example = command.help.partition("Example: ")[2].splitlines()[0]
    words = shlex.split(example.partition(" | ")[0].partition(" > ")[0])
    begin = words.index("asco") + 1
    assert tuple(words[begin : begin + len(names)]) == names
    options = {option for parameter in command.params for option in parameter.opts}
    passed_on = words.index("--") if "--" in words else len(words)
    given = [word for word in words[begin:passed_on] if word.startswith("--")]
    assert set(given) <= options


def test_completion_is_offered() -> None:
    assert "--install-completion" in RUNNER.invoke(app, ["--help"]).stdout


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("x"), 2), (GateError("x"), 1), (SourceError("x"), 3)]
)
def test_exit_codes(error, code) -> None:
    assert exit_code(error) == code


def test_doctor_and_verify_print_json(tmp_path: Path) -> None:
    done = asco(tmp_path / "home", "doctor", "--json")
    assert {finding["verdict"] for finding in json.loads(done.stdout)} <= {"OK", "note", "problem"}
    assert "Python" in {finding["subject"] for finding in json.loads(done.stdout)}


def test_a_path_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    done = asco(tmp_path / "home", "backup", str(tmp_path / "none" / "backup.tar"))
    assert done.returncode in (2, 3)
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert done.stderr.decode().startswith("asco: ")


def test_a_terminal_without_unicode_survives(tmp_path: Path) -> None:
    done = asco(tmp_path / "home", "releases", "2014", PYTHONIOENCODING="iso-8859-15")
    assert done.returncode == 0, done.stderr
    bad = asco(tmp_path / "home", "run", "1999", PYTHONIOENCODING="iso-8859-15")
    assert bad.returncode == 2
    assert b"there is no wave" in bad.stderr


@pytest.mark.slow  # starts PostgreSQL
def test_tables_do_not_wrap_in_a_pipe(tmp_path: Path) -> None:
    done = asco(tmp_path / "home", "status", PYTHONIOENCODING="iso-8859-15")
    lines = [line for line in done.stdout.decode("iso-8859-15").splitlines() if "2014" in line]
    assert done.returncode == 0, done.stderr
    assert len(lines) == 1
    assert "never" in lines[0]
