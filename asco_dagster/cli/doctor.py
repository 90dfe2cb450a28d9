"""``asco doctor``: what is missing on this machine. What is looked at is in ``operations/diagnosis.py``."""

import typer


def doctor() -> None:
    """Look whether this machine has what the pipeline needs, and say how to mend what it lacks."""
    from rich.console import Console

    from asco_dagster.operations.diagnosis import examine

    # A path may hold brackets and be longer than the terminal is wide: print it as it is.
    console = Console(soft_wrap=True, markup=False, highlight=False)
    problems = 0
    for finding in examine():
        style = {"OK": "green", "note": "yellow", "problem": "bold red"}[finding.verdict]
        console.print(f"{finding.verdict:<8}", style=style, end="")
        console.print(f"{finding.subject}: {finding.told}")
        if finding.remedy:
            console.print(f"        → {finding.remedy}")
        problems += finding.verdict == "problem"
    console.print(f"{problems} problem{'s' if problems > 1 else ''}." if problems else "All is well.")
    raise typer.Exit(2 if problems else 0)
