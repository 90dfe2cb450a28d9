"""The revision table: every number changed since the first version, with what it was, what it is, and why.

It is made of released tables only: the former version's and those about to be released. A cell that became
suppressed shows the number that was public and nothing new.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from asco_dagster.publication.candidate.differences import changed_files
from asco_dagster.releases.changes import changed_numbers
from asco_dagster.releases.contract import PROFILES, contract_of
from asco_dagster.releases.store import ReleaseStore, next_version, read_manifest
from asco_dagster.waves.form import Text

FORMER_CODES = {"told": "disclosed"}  # of the column "change", as versions published before 2026-12 have them


def revisions(store: ReleaseStore, later: Mapping[str, pd.DataFrame], reason: Text) -> pd.DataFrame:
    """Every revision of a wave: those of the former versions, and those that these tables make.

    Args:
        store: the wave's folders.
        later: the tables with a dbt model, as they are to be released.
        reason: why numbers changed.

    Returns:
        One row per changed number, in the declared columns; none before the second version.
    """
    known, declared = store.known(), contract_of("revisions")
    columns = [column.name for column in declared.columns]
    parts = []
    if known:
        former = store.content(known[-1])
        if (former / declared.parquet).is_file():
            parts.append(pd.read_parquet(former / declared.parquet).replace({"change": FORMER_CODES}))
        since = [
            _as_revisions(name, changed_numbers(pd.read_parquet(before), rows, table.named("key")))
            for name, rows in later.items()
            for table in [contract_of(name)]
            if (before := former / table.parquet).is_file()
        ]
        parts += [
            part.assign(former_version=known[-1], reason_fr=reason.fr, reason_en=reason.en) for part in since
        ]
    parts = [part[columns] for part in parts if len(part)]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return found.astype(
        {column.name: float if column.kind == "number" else str for column in declared.columns}
    )


def reason_of(
    store: ReleaseStore,
    reasons: Mapping[str, Text],
    inputs: Sequence[Mapping[str, Any]],
    code_version: str,
    rules: Mapping[str, Any],
) -> Text:
    """Why numbers changed: as the wave file says of the next major version, else what differs.

    Args:
        store: the wave's folders.
        reasons: reasons by version, from the wave file.
        inputs: the inputs of this run, with their sha256.
        code_version: version of this code.
        rules: disclosure rules of this run.
    """
    known = store.known()
    if not known:
        return Text(fr="Première version", en="First version")
    declared = reasons.get(next_version(known))
    if declared is not None:
        return declared
    former = read_manifest(store.content(known[-1]))
    files = [file["address"] for file in changed_files(former["inputs"], inputs)]
    fr, en = [], []
    if files:
        fr.append(f"fichiers reçus modifiés : {', '.join(files)}")
        en.append(f"delivered files changed: {', '.join(files)}")
    if dict(former["rules"]) != dict(rules):
        fr.append("règles de secret modifiées")
        en.append("disclosure rules changed")
    if former["code_version"] != code_version:
        fr.append(f"programme modifié ({former['code_version'][:12]} → {code_version[:12]})")
        en.append(f"code changed ({former['code_version'][:12]} → {code_version[:12]})")
    return Text(fr=" ; ".join(fr) or "non précisé", en="; ".join(en) or "not stated")


def _as_revisions(name: str, changed: pd.DataFrame) -> pd.DataFrame:
    """Changed numbers of one table in the columns of the revision table."""
    if name != PROFILES:
        # modelled estimates are of all sizes
        return changed.assign(table=name, **({} if "size_class" in changed else {"size_class": "total"}))
    return changed.assign(
        table=name,
        unit_type="departement",
        indicator=changed["quantity"],
        statistic="profile",
        geography="departement",
        area_code=changed["departement_code"],
        size_class="total",
        quantity="value",
    ).drop(columns="departement_code")
