"""``asco doctor``: prints the findings of ``operations.upkeep.diagnosis``."""

from dataclasses import asdict

import typer
from rich.console import Console

from asco_dagster.cli.arguments import AsJson, print_json


def doctor(json_: AsJson = False) -> None:
    """Check that this machine has what the pipeline needs, and print how to fix what is missing.

    Example: asco doctor
    """
    from asco_dagster.operations.upkeep.diagnosis import examine  # uvicorn

    findings = examine()
    if json_:
        found = list(findings)
        print_json([asdict(finding) for finding in found])
        raise typer.Exit(2 if any(finding.verdict == "problem" for finding in found) else 0)
    # A path may hold brackets and be longer than the terminal is wide: print it as it is.
    console = Console(soft_wrap=True, markup=False, highlight=False)
    problems = 0
    for finding in findings:
        style = {"OK": "green", "note": "yellow", "problem": "bold red"}[finding.verdict]
        console.print(f"{finding.verdict:<8}", style=style, end="")
        console.print(f"{finding.subject}: {finding.text}")
        if finding.remedy:
            console.print(f"        → {finding.remedy}")
        problems += finding.verdict == "problem"
    console.print(f"{problems} problem{'s' if problems > 1 else ''} found." if problems else "No problems.")
    raise typer.Exit(2 if problems else 0)
