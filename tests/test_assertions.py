"""Every test asserts something, by itself or through a helper that does: without, it could not fail."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_test_asserts() -> None:
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("*.py")}
    nodes = [(path, one) for path, tree in trees.items() for one in ast.walk(tree)]
    functions = [(path, one.name, *_does(one)) for path, one in nodes if isinstance(one, ast.FunctionDef)]
    helpers = {name for _, name, asserts, _ in functions if asserts}
    tests = [one for one in functions if one[1].startswith("test_")]
    silent = [
        f"{path.relative_to(TESTS)}: {name}"
        for path, name, asserts, called in tests
        if path.name.startswith("test_") and not asserts and helpers.isdisjoint(called)
    ]
    assert len(tests) > 1000
    assert silent == []


def _does(function: ast.FunctionDef) -> tuple[bool, set[str]]:
    """Whether it asserts, or demands an error or a state by a function that is named so; what it calls."""
    nodes = list(ast.walk(function))
    calls = [one.func for one in nodes if isinstance(one, ast.Call)]
    called = {one.attr for one in calls if isinstance(one, ast.Attribute)}
    called |= {one.id for one in calls if isinstance(one, ast.Name)}
    demands = any(
        name in ("raises", "warns", "fail") or name.startswith(("assert_", "require_")) for name in called
    )
    return demands or any(isinstance(one, ast.Assert) for one in nodes), called
