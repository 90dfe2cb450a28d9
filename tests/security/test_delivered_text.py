"""What was delivered is shown as it is, and does nothing: in Dagster's pages, Data Docs, messages, terminals.

Dagster's own pages are looked at in ``tests/operations/services/test_second_origin.py``.
"""

import ast
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
import requests
from typer.testing import CliRunner

from asco_dagster.errors import SourceError
from asco_dagster.escaping import in_chat, in_markdown, on_one_line
from asco_dagster.gates.data_docs import write_data_docs
from asco_dagster.gates.suite import Suite
from asco_dagster.gates.validation import judge, run_suite
from asco_dagster.operations.monitoring.notices import Notice, redacted, send
from asco_dagster.settings import Settings
from asco_dagster.waves import load_wave

CODE = Path(__file__).parents[2] / "asco_dagster"
HOSTILE = (
    "<img src=x onerror=alert(1)> $x ${y} 5 $ [a](http://evil.example) ![p](http://evil.example/p.png) **b**"
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Saint-Étienne  du\n Rouvray\t", "Saint-Étienne du Rouvray"),
        ("\x1b[2J\x1b]0;title\x07x", r"\x1b[2J\x1b]0;title\x07x"),
        ("a\rb\x08c\x7f", r"a b\x08c\x7f"),
        ("gnp.\u202efdp.exe", r"gnp.\u202efdp.exe"),
        ("zero\u200bwidth\ufeff\u2066", r"zero\u200bwidth\ufeff\u2066"),
        ("\udc80\x9b31m", r"\udc80\x9b31m"),
        ("Cœur “d’Essonne” 5 €", "Cœur “d’Essonne” 5 €"),
    ],
)
def test_nothing_invisible_reaches_a_terminal(text: str, shown: str) -> None:
    assert on_one_line(text) == shown
    assert (
        SourceError("it is empty", file=f"{text.strip()}.csv").sentence() == f"file {shown}.csv: it is empty."
    )


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("27 unexpected of 61", "27 unexpected of 61"),
        ("0.25 (5.5 %), Île", "0.25 (5.5 %), Île"),
        ("", ""),
        ("[Errno 28] No space left on device. It’s full.", "[Errno 28] No space left on device. It’s full."),
        ("- a", "`- a`"),
        ("[a]: http", "`[a]: http`"),
        ("&lt;", "`&lt;`"),
        ("![p](http://e.x/p.png)", "`![p](http://e.x/p.png)`"),
        ("www.evil.example", "`www.evil.example`"),
        ("a`b``c", "```a`b``c```"),
        ("`", "`` ` ``"),
        ("a\n\n# b\x1b", r"`a # b\x1b`"),
        ("a_b_c", "`a_b_c`"),
    ],
)
def test_what_markdown_would_read_is_code(text: str, markdown: str) -> None:
    assert in_markdown(text) == markdown


def test_a_message_has_no_link_picture_mention_or_markup_of_what_was_delivered() -> None:
    told = in_chat(f"{HOSTILE} <!channel> @all <@U123> www.evil.example [r]: x mailto:a@b.c & <http://e.x|y>")
    assert "<" not in told
    assert ">" not in told
    for active in ("](", "://e", "@a", "@U", "@b", "www.e", "]: ", "mailto:a"):
        assert active not in told
    assert told.replace("\u200b", "").startswith(
        "&lt;img src=x onerror=alert(1)&gt; $x ${y} 5 $ [a](http://evil"
    )
    assert in_chat("46 of 61 tables; “Île-de-France”: 5 %") == "46 of 61 tables; “Île-de-France”: 5 %"


def test_a_hook_gets_the_reason_without_active_parts_and_the_link_as_it_is(monkeypatch) -> None:
    sent = []

    def post(address: str, *, json: object, **_: object) -> object:
        sent.append(json)
        return SimpleNamespace(status_code=204)

    monkeypatch.setattr(requests, "post", post)
    settings = Settings(home=Path("home"), webhook_url="https://chat.example/hook")
    reason = redacted(f"file {HOSTILE}\x1b[2J.csv: it is empty.", settings)
    send(
        [Notice("run_failed", "2014", "raw_a__b", "", reason, "r1", "https://asco.example/runs/r1")], settings
    )
    (body,) = sent
    assert "https://asco.example/runs/r1" in body["text"]
    assert "&lt;img src=x" in body["text"]
    assert "](http" not in body["text"]
    assert "\x1b" not in json.dumps(body, ensure_ascii=False)


def expectation(kind: str, **arguments: object) -> dict:
    return {"type": kind, "kwargs": arguments, "severity": "critical", "meta": {"reason": "because"}}


@pytest.mark.parametrize("place", ["observed", "nested", "fault"])
def test_data_docs_show_what_was_observed_as_text(place: str, tmp_path: Path) -> None:
    asked = [
        expectation("expect_column_values_to_be_in_set", column="code", value_set=["a"]),
        expectation("expect_column_values_to_be_unique", column="absent"),
    ]
    suite, wave = (
        Suite("stg_x__y", {"name": "stg_x__y", "meta": {"key": ["code"]}, "expectations": asked}),
        "2014",
    )
    with duckdb.connect() as database:
        database.execute("create schema staging")
        database.execute("create table staging.stg_x__y as select ? as code", [HOSTILE])
        outcome, _ = run_suite(suite, database, load_wave(wave))
    for one in outcome.results:
        if place == "observed":
            one.result = {**(one.result or {}), "observed_value": HOSTILE}
        elif place == "nested":
            one.result = {**(one.result or {}), "observed_value": [{HOSTILE: (HOSTILE, {HOSTILE})}]}
        else:
            fault = {"raised_exception": True, "exception_message": HOSTILE, "exception_traceback": HOSTILE}
            one.exception_info = fault
    result = judge(suite, outcome, load_wave(wave), 1)
    result.write(tmp_path / "gates")
    write_data_docs(outcome, result, tmp_path / "quality", tmp_path / "gates")
    page = (tmp_path / "quality" / "staging" / "stg_x__y.html").read_text()
    own_report = page.split("Great Expectations' own report")[1]
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in own_report


def test_offending_rows_are_a_table_since_markdown_would_come_alive() -> None:
    from asco_dagster.gates.validation import GateResult, Verdict
    from asco_dagster.orchestration.checks import _check_result

    verdict = Verdict(
        *(
            "expect_column_values_to_be_in_set",
            "code",
            "critical",
            False,
            HOSTILE,
            1.0,
            "because",
        ),
        offending=[f"code={HOSTILE}\x1b[2J"],
        fault=None,
        expected="one of a, b",
    )
    told = _check_result(GateResult("stg_x__y", "2014", 1, [verdict]), Settings(home=Path("home")), {}, 0.1)
    shown = f"code: because (expected one of a, b; observed `{HOSTILE}`). "
    assert told.description is not None and told.description.startswith(shown)
    (row,) = [record.data for record in told.metadata["failing rows"].records]
    assert row == {"column": "code", "row": rf"code={HOSTILE}\x1b[2J", "reason": "because"}


def test_markdown_is_made_of_pictures_only() -> None:
    """Dagster's pages make links and pictures of Markdown: nothing delivered may be part of it."""
    pictures = {"as_markdown", "chart.as_markdown"}
    seen = 0
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("MetadataValue.md"):
                seen += 1
                (shown,) = node.args
                called = ast.unparse(shown.func) if isinstance(shown, ast.Call) else ast.unparse(shown)
                drawn = called in pictures or "](data:image/" in called or called == "'\\n\\n'.join"
                assert drawn, f"{path.name}:{node.lineno} shows {called}"
    assert seen >= 4


def test_the_quarantine_shows_a_file_name_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from asco_dagster.cli import quarantine
    from asco_dagster.sources.returns.quarantine import Entry

    fields = dict.fromkeys(Entry.__dataclass_fields__, "")
    name = "[red]x[/] [/] \x1b[2J\u202e.xlsx"
    entry = replace(Entry(**fields), id="1", row=None, file=name, en=f"file {name} is empty")
    monkeypatch.setattr(quarantine.Quarantine, "entries", lambda _: [entry])
    done = CliRunner().invoke(quarantine.quarantine, ["list", "2014"])
    assert done.exit_code == 0, done.exception
    assert r"[red]x[/] [/] \x1b[2J\u202e.xlsx" in done.stdout
    assert "\x1b" not in done.stdout
