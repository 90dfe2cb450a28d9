"""The prebuilt dbt manifest: parsed once per content of ``dbt_project/``, then shared by every run.

It is stored under ``ASCO_HOME/dbt/<hash of the project>``, so a changed model is a new manifest and two
processes never disagree.
"""

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asco_dagster.durable import draft_of, sync, sync_folder
from asco_dagster.errors import ConfigurationError
from asco_dagster.installation import DBT_PROJECT
from asco_dagster.storage.places import Places
from asco_dagster.strict_json import JsonFault, read_json

_NOT_SOURCE = {"target", "logs"}


@functools.cache
def project_hash(project: Path = DBT_PROJECT) -> str:
    """Hash of every file of the dbt project but hidden ones, logs and targets."""
    digest = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        inside = path.relative_to(project)
        if path.is_file() and inside.parts[0] not in _NOT_SOURCE and not inside.name.startswith("."):
            digest.update(f"{inside.as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def manifest_folder(places: Places, project: Path = DBT_PROJECT) -> Path:
    """Folder of the manifest of the project; the manifest is built where it is missing."""
    folder = places.dbt / project_hash(project)
    if not (folder / "manifest.json").is_file():
        _build(folder, project)
    return folder


@functools.cache
def read_manifest(places: Places) -> dict[str, Any]:
    """The manifest as dbt writes it (JSON); a damaged one is rebuilt."""
    folder = manifest_folder(places)
    try:
        return dict(read_json(folder / "manifest.json"))
    except JsonFault:
        shutil.rmtree(folder)
        return dict(read_json(manifest_folder(places) / "manifest.json"))


@contextmanager
def parsed_beside(places: Places) -> Iterator[bool]:
    """Have another process parse the project, where it has changed, while this one does something else.

    Gives whether there is anything to parse. Should that process fail, whoever needs the manifest next parses
    the project itself and meets the fault.
    """
    folder = places.dbt / project_hash()
    if (folder / "manifest.json").is_file():
        yield False
        return
    command = [sys.executable, "-m", "asco_dagster.orchestration.dbt_manifest", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ):
        yield True


def _build(folder: Path, project: Path) -> None:
    """Parse into a draft folder and rename it: two processes that build at once both succeed."""
    from dbt.cli.main import dbtRunner

    draft = draft_of(folder)
    outcome = dbtRunner().invoke(
        ["parse", "--quiet", "--no-partial-parse", *common_arguments(project, draft)]
    )
    if not outcome.success:
        shutil.rmtree(draft, ignore_errors=True)
        raise ConfigurationError(
            f"the dbt project cannot be parsed: {outcome.exception}", remedy="Run “dbt parse” in dbt_project"
        )
    sync_folder(draft)
    try:
        draft.rename(folder)
        sync(folder.parent)
    except OSError:  # another process was first, with the same content
        shutil.rmtree(draft, ignore_errors=True)


def common_arguments(project: Path, target: Path) -> list[str]:
    """Arguments of every dbt call: where the project, the profile, the artefacts and the log are."""
    return [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(target), "--log-path", str(target)),
    ]


if __name__ == "__main__":
    _build(Path(sys.argv[1]), DBT_PROJECT)
