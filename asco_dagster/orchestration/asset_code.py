"""Hash of what an asset is made by: its code, near and far, the data files beside it, and its suite.

A change elsewhere, of a command for example, leaves every table up to date. The import graph is grimp's (the
library under import-linter), which reads imports statically, those inside functions too.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asco_dagster.gates.suite import suite_path
from asco_dagster.installation import CHECKOUT, DBT_PROJECT

_PACKAGE = "asco_dagster"
_DBT_FILES = ("dbt_project.yml", "profiles.yml")
# Wave files and questionnaires count by what they declare, which is part of every fingerprint
# (``base_fingerprint``), and of those only what belongs to the wave.
_WAVES = CHECKOUT / _PACKAGE / "waves"
_QUESTIONNAIRES = CHECKOUT / _PACKAGE / "questionnaires"
_VOLATILE = {"created_at", "build_path", "compiled_path"}  # of a node in dbt's manifest: not its content


def python_code_hash(asset: str, module: str) -> str:
    """Hash of an asset that a Python function makes.

    Args:
        asset: its name.
        module: dotted name of the function's module; one outside the package depends on all of it.

    Returns:
        64 hexadecimal digits, over the module, every module of the package that it imports directly or not,
        the data files of their folders, and the asset's suite.
    """
    return _hash([module_hash(module), _suite(asset)])


def dbt_code_hash(manifest: Mapping[str, Any], node: Mapping[str, Any], runner: str) -> str:
    """Hash of an asset that dbt makes.

    Args:
        manifest: dbt's.
        node: the model or seed.
        runner: dotted name of the module that runs it.

    Returns:
        64 hexadecimal digits, over the node with its columns and contract, its tests, the macros and settings
        of the project, the runner's code, and the asset's suite.
    """
    tests = [test for test in manifest["nodes"].values() if test.get("attached_node") == node["unique_id"]]
    project = manifest["metadata"]["project_name"]
    macros = [macro for macro in manifest["macros"].values() if macro["package_name"] == project]
    return _hash(
        [
            module_hash(runner),
            _suite(node["name"]),
            json.dumps([_content(found) for found in [node, *tests]], sort_keys=True),
            *sorted(macro["macro_sql"] for macro in macros),
            *((DBT_PROJECT / name).read_text(encoding="utf-8") for name in _DBT_FILES),
        ]
    )


@functools.cache
def module_hash(module: str) -> str:
    """Hash of a module, of all that it imports of the package, and of the data files beside these."""
    graph = _import_graph()
    inside = module in graph.modules
    modules = {module, *graph.find_upstream_modules(module)} if inside else set(graph.modules)
    files = sorted({path for name in modules for path in _files_of(name)})
    contents = (
        hashlib.sha256(f"{path.relative_to(CHECKOUT).as_posix()}\0".encode() + path.read_bytes())
        for path in files
    )
    return _hash([content.hexdigest() for content in contents])


@functools.cache
def _import_graph() -> Any:
    import grimp

    return grimp.build_graph(_PACKAGE, cache_dir=None)


def _files_of(module: str) -> Iterable[Path]:
    """A module's file, the packages that it is in, and the data files of its folder."""
    path = CHECKOUT.joinpath(*module.split("."))
    if path.is_dir():
        yield path / "__init__.py"
        folder = path
    else:
        yield path.with_suffix(".py")
        folder = path.parent
    for package in [folder, *folder.parents]:
        if package == CHECKOUT:
            break
        yield package / "__init__.py"
    yield from _data_files(folder)


@functools.cache
def _data_files(folder: Path) -> tuple[Path, ...]:
    """Files of a folder that are no Python, and those of folders below it that are no packages."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            apart = folder == _QUESTIONNAIRES or (path / "__init__.py").is_file()
            found += () if apart else _data_files(path)
        elif path.suffix not in (".py", ".pyc") and path.parent != _WAVES:
            found.append(path)
    return tuple(found)


def _suite(asset: str) -> str:
    path = suite_path(asset)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _content(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name not in _VOLATILE}


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
