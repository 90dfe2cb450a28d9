"""Names in texts exist: commands and options, make targets, files and tests, variables, assets, links.

A name that contains ``example`` stands for something that the reader is to invent.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from asco_dagster.cli.main import app
from asco_dagster.settings import DECLARED

CHECKOUT = Path(__file__).parents[1]
TEXTS = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(path for path in (CHECKOUT / "docs").rglob("*.md") if "generated" not in path.parts),
]
CODE = CHECKOUT / "asco_dagster"
GRAPH = json.loads(Path(__file__).with_name("graph.json").read_text(encoding="utf-8"))
COMMANDS = typer.main.get_command(app)
MAKEFILE = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
ROOTS = {path.name for path in CHECKOUT.iterdir() if path.name not in ("var", ".git", ".venv")}
AT_RUN_TIME = {
    *(
        "var",
        "inbox",
        "waves",
        "readable",
        "quarantine",
        "releases",
        "sealed",
        "quality",
        "dagster",
        "postgres",
    ),
    *("keys", "confidential", "public", "tables", "fr", "sdmx", "ddi"),
}
"""Folders of a home, of a release and of the shared store."""
FILE = r"[\w.<>*{}-]+(?:/[\w.<>*{}-]+)*/?"
"""A file or folder below a folder; ``<wave>`` and ``*`` stand for any name."""


def spans(text: str) -> Iterator[str]:
    """Code of a page: inline, and line by line of its blocks."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (line.split(" #")[0].strip() for line in block.splitlines() if not line.startswith("#"))
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def command_fault(words: list[str]) -> str | None:
    """What is wrong with the words behind ``asco``; None when they name a command and its options."""
    command, known = COMMANDS, {"--help", *(option for one in COMMANDS.params for option in one.opts)}
    for word in words:
        word = word.strip("[]()…,;:.")
        if word == "--":
            return None
        if word.startswith("--"):
            if word.split("=")[0] not in known:
                return f"{command.name} has no option {word}"
        elif children := getattr(command, "commands", None):
            if word not in children:
                return f"asco has no command {word}" if word and word[0].islower() else None
            command = children[word]
            known |= {option for one in command.params for option in one.opts}
    return None


def commands(text: str) -> Iterator[str | None]:
    for span in spans(text):
        for words in re.findall(r"(?:^|[|;(] ?|/bin/)asco((?: [^\s|;]+)+)", span):
            yield command_fault(words.split())


def targets(text: str) -> Iterator[str | None]:
    for span in spans(text):
        for target, variables in re.findall(r"\bmake ([a-z][a-z-]*)((?: [A-Z_]+=\S*)*)", span):
            yield None if target in TARGETS else f"there is no target {target}"
            for variable in re.findall(r"([A-Z_]+)=", variables):
                yield None if f"({variable})" in MAKEFILE else f"make {target} takes no {variable}"


def files(text: str) -> Iterator[str | None]:
    for span in spans(text):
        for word in span.split():
            name, _, test = word.strip(",.()“”").partition("::")
            root, _, _ = name.partition("/")
            in_package = re.fullmatch(r"[a-z_]+/", name) or re.fullmatch(
                r"[\w<>*/]+/[\w<>*]+\.(py|yaml|j2)", name
            )
            if not re.fullmatch(FILE, name) or "example" in name or not (root in ROOTS or in_package):
                continue
            places = [CHECKOUT] if root in ROOTS else [CHECKOUT, CODE]
            if name.rstrip("/") in AT_RUN_TIME:
                continue
            wanted = re.sub(r"<\w+>", "*", name.rstrip("/"))
            found = [path for place in places for path in place.glob(wanted)]
            yield None if found else f"there is no {name}"
            if test and found:
                yield None if f"def {test}(" in found[0].read_text(encoding="utf-8") else f"no test {word}"


def variables(text: str) -> Iterator[str | None]:
    for name in re.findall(r"\bASCO_[A-Z_]*[A-Z]\b", text):
        yield None if name in DECLARED else f"there is no setting {name}"


def assets(text: str) -> Iterator[str | None]:
    for name in re.findall(r"\b(?:raw|stg|est|sec|pub)_[a-z]+__[a-z_]+\b", text):
        yield None if name in GRAPH or "example" in name else f"there is no asset {name}"


@pytest.mark.parametrize("names", [commands, targets, files, variables, assets])
def test_names_in_texts_exist(names: Callable[[str], Iterator[str | None]]) -> None:
    faults, seen = [], 0
    for page in TEXTS:
        for fault in names(page.read_text(encoding="utf-8")):
            seen += 1
            if fault:
                faults.append(f"{page.relative_to(CHECKOUT)}: {fault}")
    assert not faults, "\n".join(sorted(set(faults)))
    assert seen > 10, "the pattern no longer finds what texts name"


def test_links_lead_to_files() -> None:
    faults = []
    for page in TEXTS:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                faults.append(f"{page.relative_to(CHECKOUT)} links to {link}")
    assert not faults, "\n".join(faults)


def test_commands_that_messages_and_docstrings_name_exist() -> None:
    faults, seen = [], 0
    for path in sorted(CODE.rglob("*.py")):
        # A message that goes on in the next line is one text.
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for words in re.findall(r"(?:“|``|: )asco ([^”`\"]+)", text):
            seen += 1
            if fault := command_fault(re.sub(r"\{[^}]*\}", "WAVE", words).split()):
                faults.append(f"{path.relative_to(CHECKOUT)}: {fault}")
    assert not faults, "\n".join(faults)
    assert seen > 10


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (commands, "`asco rum 2014`"),
        (commands, "`asco run 2014 --feesh`"),
        (commands, "```\nasco release pusch 2014\n```"),
        (targets, "`make tset`"),
        (targets, "`make docs SPEED=1`"),
        (files, "`asco_dagster/no_such_file.py`"),
        (files, "`methods/no_such_file.py`"),
        (files, "`no_such_folder/`"),
        (files, "`tests/test_names_in_texts.py::test_no_such_test`"),
        (variables, "set `ASCO_HOEM`"),
        (assets, "the table est_asco__weigths"),
    ],
)
def test_a_name_that_is_wrong_is_found(names: Callable[[str], Iterator[str | None]], text: str) -> None:
    assert [fault for fault in names(text) if fault]
