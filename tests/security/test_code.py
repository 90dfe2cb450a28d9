"""What the code may not do: build SQL of names, parse unsafely, run a shell, repeat a secret.

These read the code itself, so that what is added later is held to the same.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
CODE = CHECKOUT / "asco_dagster"
SQL = {"execute", "executemany", "sql", "query", "copy_expert"}
# What may stand in a statement: checked names, escaped literals, fixed lists of this project; reviewed one
# by one, and nothing else.
ALLOWED = {
    ("warehouse.py", "table_of(asset)"),  # checked against the form of an asset's name
    ("warehouse.py", "layer"),  # of layers.LAYERS
    ("encryption.py", "literal(str(_extension()))"),
    ("encryption.py", "literal(str(path))"),
    ("encryption.py", "literal(str(path.parent / SPILL))"),
    ("encryption.py", "name"),  # checked: small letters only
    ("encryption.py", "chosen"),  # fixed words, and a hash as a literal
    ("address.py", "DATABASE"),  # a constant
    ("fingerprints.py", "_TABLE"),  # a constant
    ("nonresponse.py", "_AID"),  # a constant
    ("fingerprints.py", "_KEYED"),  # a constant
    ("assets.py", "_LABELS"),  # a constant of the quality report
    ("indicators.py", "_COUNTS.read_text(encoding='utf-8')"),  # counts.sql beside it
    ("wave_executor.py", "plan_context"),  # the method of Dagster's executor: no SQL
    ("duckdb_engine.py", "query"),  # statements that SQLAlchemy builds, with their values as parameters
    ("run_history.py", "SQL(text).format(*map(Identifier, names))"),  # psycopg2 quotes the identifiers
    ("run_history.py", "_copy(table, columns, 'from stdin')"),  # the same: names of Dagster's own tables
    ("run_history.py", "_copy(table, columns, 'to stdout')"),
    ("purge.py", "name"),  # DuckDB's own ColumnExpression, which quotes
    ("contents.py", "_TABLE"),  # a constant
    ("readable.py", "sql"),  # what the user asks of a read-only copy, without access to any other file
    ("store.py", "table"),  # of two names in the code
    # statements that SQLAlchemy builds, with their values as parameters
    ("release_guard.py", "select(AssetCheckExecutionsTable).where(columns.id.in_(latest))"),
    ("release_guard.py", "select(func.max(columns.id))"),
    ("pruning.py", "AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(some))"),
    ("pruning.py", "text('vacuum (full, analyze)' if full else 'vacuum (analyze)')"),  # fixed words
    ("pruning.py", "text(_FORMER_OBSERVATIONS)"),  # a constant
    ("pruning.py", "text(statement)"),  # of two constants
    ("record.py", "_TABLE"),  # a constant
}
UNSAFE_CALLS = {
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "pickle.load", "pickle.loads"),
    *("marshal.loads", "shelve.open", "eval", "exec", "os.system", "os.popen", "tempfile.mktemp"),
    *("pandas.read_pickle", "pd.read_pickle", "lxml.etree.parse", "minidom.parse", "minidom.parseString"),
}
# The readers of returned workbooks parse XML only after the inspection has refused every DTD.
XML_READERS = {"workbook_inspection.py", "workbook_cells.py"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(CODE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def constant(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return constant(node.body) and constant(node.orelse)
    return isinstance(node, ast.Constant)


def parts_of(call: ast.Call) -> list[str]:
    """What is put into the statement of a call, beside its fixed words."""
    statement = call.args[0]
    if constant(statement):
        return []
    if isinstance(statement, ast.JoinedStr):
        return [ast.unparse(v.value) for v in statement.values if isinstance(v, ast.FormattedValue)]
    return [ast.unparse(statement)]


def test_sql_is_built_from_checked_names_only() -> None:
    found = {
        (path.name, part)
        for path, tree in modules()
        for call in calls(tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr in SQL and call.args
        for part in parts_of(call)
    }
    assert found <= ALLOWED, f"not reviewed: {sorted(found - ALLOWED)}"
    assert found == ALLOWED, f"reviewed and gone: {sorted(ALLOWED - found)}"


@pytest.mark.parametrize("code", ['x.execute(f"drop {name}")', 'x.sql("drop " + name)', "x.execute(text)"])
def test_the_search_for_sql_sees_what_it_must(code: str) -> None:
    assert any(parts_of(call) for call in calls(ast.parse(code)))


def test_nothing_is_parsed_unsafely_and_no_shell_is_run() -> None:
    for path, tree in modules():
        for call in calls(tree):
            assert ast.unparse(call.func) not in UNSAFE_CALLS, f"{path.name} line {call.lineno}"
            for keyword in call.keywords:
                shell = keyword.arg == "shell" and not (
                    isinstance(keyword.value, ast.Constant) and not keyword.value.value
                )
                assert not shell, f"{path.name} line {call.lineno} runs a shell"


def test_xml_is_parsed_only_behind_the_inspection() -> None:
    parsers = re.compile(r"\b(ElementTree|ET)\.(fromstring|parse|iterparse|XML)\(")
    found = {path.name for path, _ in modules() if parsers.search(path.read_text(encoding="utf-8"))}
    assert found <= XML_READERS


def test_an_archive_is_unpacked_only_with_the_filter_of_python() -> None:
    for path, tree in modules():
        for call in calls(tree):
            if isinstance(call.func, ast.Attribute) and call.func.attr in {"extractall", "extract"}:
                told = {k.arg: ast.unparse(k.value) for k in call.keywords}
                pandas = ast.unparse(call.func).endswith("str.extract")
                assert pandas or told.get("filter") == "'data'", f"{path.name} line {call.lineno}"


def test_no_secret_lies_in_the_repository() -> None:
    """Keys, tokens and passwords in an address, in every file that git would take."""
    import subprocess

    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    # addresses with a password are allowed in tests alone, where they are planted to be looked for
    patterns = {
        "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        "an access key": re.compile(
            rb"\b(AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}|xox[abp]-[0-9A-Za-z-]{20,})"
        ),
        "a password in an address": re.compile(rb"[a-z]+://[^\s/:@'\"{}<>*]+:[^\s/@'\"{}<>*]{6,}@"),
    }
    for name in filter(None, listed.decode().split("\0")):
        path = CHECKOUT / name
        if not path.is_file() or path.suffix in {".parquet", ".xlsx"}:
            continue
        content = path.read_bytes()
        for what, pattern in patterns.items():
            hit = pattern.search(content)
            documented = name.startswith("tests/") or (hit and b"user:password@" in hit.group())
            assert hit is None or documented, f"{name} holds {what}"


def test_every_claim_of_security_md_names_a_test_that_exists() -> None:
    text = (CHECKOUT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 20
    for path, test in named:
        body = (CHECKOUT / path).read_text(encoding="utf-8") if (CHECKOUT / path).is_file() else ""
        assert re.search(rf"^def {test}\(", body, re.MULTILINE), f"{path}::{test} is not there"
    tables = text.split("## Settings that hold secrets")[0]
    claims = [row for row in tables.splitlines() if row.startswith("| ") and not row.startswith("| claim")]
    assert all("`tests/" in row for row in claims), [row for row in claims if "`tests/" not in row]
