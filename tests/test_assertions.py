"""Every test asserts something, by itself or through a helper that does: without, it could not fail."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_test_asserts() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}
    nodes = [(path, one) for path, tree in trees.items() for one in ast.walk(tree)]
    functions = [(path, one) for path, one in nodes if isinstance(one, ast.FunctionDef)]
    helpers = {one.name for _, one in functions if _asserts(one)}
    tests = [(path, one) for path, one in functions if one.name.startswith("test_")]
    silent = [
        f"{path.relative_to(TESTS)}: {one.name}"
        for path, one in tests
        if path.name.startswith("test_") and not _asserts(one) and helpers.isdisjoint(_called(one))
    ]
    assert len(tests) > 1000
    assert silent == []


def _asserts(function: ast.FunctionDef) -> bool:
    """Whether it asserts, or demands an error or a state by a function that is named so."""
    demands = any(
        name in ("raises", "warns", "fail") or name.startswith(("assert_", "require_"))
        for name in _called(function)
    )
    return demands or any(isinstance(one, ast.Assert) for one in ast.walk(function))


def _called(function: ast.FunctionDef) -> set[str]:
    """Names of the functions and methods that it calls."""
    called = [one.func for one in ast.walk(function) if isinstance(one, ast.Call)]
    names = {one.attr for one in called if isinstance(one, ast.Attribute)}
    return names | {one.id for one in called if isinstance(one, ast.Name)}
