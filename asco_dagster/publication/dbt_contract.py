"""dbt's contract of each released model, written from the contract of the released tables.

``python -m asco_dagster.publication.dbt_contract`` writes the files again after a change of the declaration.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from asco_dagster.installation import DBT_PROJECT
from asco_dagster.releases.contract import Column, Table, tables

HEADER = (
    "# Written from asco_dagster/releases/tables.yaml by “python -m asco_dagster.publication.dbt_contract”.\n"
)


def contract_files() -> Iterator[tuple[Path, str]]:
    """The file of each released model and what it holds."""
    for table in tables().values():
        if table.grain is not None:
            text = yaml.safe_dump(_model(table), sort_keys=False, allow_unicode=True, width=110)
            yield DBT_PROJECT / "models" / "publication" / f"{table.asset}.yml", HEADER + text


def _model(table: Table) -> dict[str, Any]:
    single = len(table.named("key")) == 1
    return {
        "version": 2,
        "models": [
            {
                "name": table.asset,
                "description": table.grain,
                "config": {"contract": {"enforced": True}},
                "columns": [_column(column, single) for column in table.columns],
            }
        ],
    }


def _column(column: Column, single: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "description": column.label.en,
        "data_type": column.type,
        "config": {"meta": {"role": column.role, **({"unit": column.unit} if column.unit else {})}},
    }
    if column.is_required:
        unique = ["unique"] if single and column.role == "key" else []
        described["data_tests"] = [*unique, "not_null"]
    return described


def main() -> None:
    """Write every file."""
    for path, text in contract_files():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
