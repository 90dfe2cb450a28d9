"""``asco doctor``: prints the findings of ``operations.upkeep.diagnosis``."""

import typer
from rich.console import Console


def doctor() -> None:
    """Check that this machine has what the pipeline needs, and print how to fix what is missing."""
    from asco_dagster.operations.upkeep.diagnosis import examine  # uvicorn

    # A path may hold brackets and be longer than the terminal is wide: print it as it is.
    console = Console(soft_wrap=True, markup=False, highlight=False)
    problems = 0
    for finding in examine():
        style = {"OK": "green", "note": "yellow", "problem": "bold red"}[finding.verdict]
        console.print(f"{finding.verdict:<8}", style=style, end="")
        console.print(f"{finding.subject}: {finding.text}")
        if finding.remedy:
            console.print(f"        → {finding.remedy}")
        problems += finding.verdict == "problem"
    console.print(f"{problems} problem{'s' if problems > 1 else ''} found." if problems else "No problems.")
    raise typer.Exit(2 if problems else 0)
