"""Where the files are that ship with the code: beside the package in a checkout, inside it once installed."""

import importlib.metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
"""Folder that the package is in: the checkout, or site-packages."""
IN_CHECKOUT = (CHECKOUT / "dbt_project" / "dbt_project.yml").is_file()

_SHIPPED = CHECKOUT if IN_CHECKOUT else PACKAGE
DBT_PROJECT = _SHIPPED / "dbt_project"
EXPECTATIONS = _SHIPPED / "expectations"
WORKSPACE = _SHIPPED / "workspace.yaml"
LOCK = CHECKOUT / "requirements.lock"
"""Pinned packages of a checkout; an installed package is run with whatever its installer chose."""


def libraries() -> str:
    """The packages that the code runs with: the lock of a checkout, else those installed, one a line."""
    if IN_CHECKOUT and LOCK.is_file():
        return LOCK.read_text(encoding="utf-8")
    installed = {f"{one.metadata['Name']}=={one.version}" for one in importlib.metadata.distributions()}
    return "\n".join(sorted(installed, key=str.casefold)) + "\n"
