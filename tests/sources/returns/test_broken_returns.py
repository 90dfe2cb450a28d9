"""Every kind of broken return is refused with its own reason; none stops the others, none is lost."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from asco_dagster.sources.returns.reading import Returns
from asco_dagster.sources.returns.refusals import reasons
from asco_testing.sources.broken_returns import Broken, corpus
from asco_testing.sources.made_returns import OTHER_UNIT, PHONE, UNIT, read, workbook, zipped


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Returns, Path]:
    """The whole corpus in one archive between two good returns, read once."""
    folder = tmp_path_factory.mktemp("corpus")
    files = {"first.xlsx": workbook(UNIT)}
    files |= {f"{number:03d}.xlsx": broken.content for number, broken in enumerate(corpus())}
    files["last.xlsx"] = workbook(OTHER_UNIT)
    quarantine = folder / "quarantine"
    quarantine.mkdir()
    return read(zipped(folder / "returns.zip", files), quarantine), quarantine


@pytest.mark.parametrize(
    ("number", "broken"), list(enumerate(corpus())), ids=lambda value: getattr(value, "kind", "")
)
def test_is_refused_with_its_reason(number: int, broken: Broken, delivered: tuple[Returns, Path]) -> None:
    returns, _ = delivered
    told = returns.returns.set_index("file").loc[f"returns.zip/{number:03d}.xlsx"]
    assert (told["status"], told["reason"]) == ("refused", broken.reason)
    if broken.tab is not None:
        assert told["tab"] == broken.tab
    if broken.cell is not None:
        assert told["cell"] == broken.cell


def test_forty_kinds_at_least_and_none_is_lost(delivered: tuple[Returns, Path]) -> None:
    returns, _ = delivered
    assert len({broken.kind for broken in corpus()}) == len(corpus()) >= 40
    assert returns.counts == {"accepted": 2, "superseded": 0, "refused": len(corpus()), "ignored": 0}
    assert len(returns.returns) == len(corpus()) + 2
    assert set(returns.returns.loc[returns.returns["status"] == "accepted", "unit_code"]) == {
        UNIT,
        OTHER_UNIT,
    }


def test_nothing_of_a_refused_return_reaches_the_answers(delivered: tuple[Returns, Path]) -> None:
    returns, _ = delivered
    assert set(returns.answers.table()["source_file"].to_pylist()) == {
        "returns.zip/first.xlsx",
        "returns.zip/last.xlsx",
    }


def test_the_quarantine_lists_each_and_where_it_lies(
    delivered: tuple[Returns, Path],
) -> None:
    _, quarantine = delivered
    entries = [json.loads(path.read_text()) for path in quarantine.glob("*.refusal.json")]
    by_file = {entry["file"]: entry for entry in entries}
    assert len(entries) == len(corpus())
    for number, broken in enumerate(corpus()):
        entry = by_file[f"returns.zip/{number:03d}.xlsx"]
        reason = reasons()[broken.reason]
        assert entry["reason"] == broken.reason
        assert entry["fr"].startswith(reason.fr)
        assert entry["en"].startswith(reason.en)
        assert entry["sha256"] == hashlib.sha256(broken.content).hexdigest()
        assert entry["remedy_fr"] == reason.remedy_fr


def test_the_quarantine_is_closed_to_others(delivered: tuple[Returns, Path]) -> None:
    _, quarantine = delivered
    assert {stat.S_IMODE(path.stat().st_mode) for path in quarantine.iterdir()} == {0o600}


def test_no_return_is_copied(delivered: tuple[Returns, Path]) -> None:
    _, quarantine = delivered
    assert {path.name[-13:] for path in quarantine.iterdir()} == {".refusal.json"}


def test_no_entry_shows_what_stood_in_a_cell(delivered: tuple[Returns, Path]) -> None:
    _, quarantine = delivered
    for path in quarantine.glob("*.refusal.json"):
        assert PHONE not in path.read_text()
        assert "environ douze" not in path.read_text()


def test_every_reason_is_reached_or_has_its_own_test() -> None:
    elsewhere = {
        *("duplicate_file", "too_large", "path_traversal", "absolute_path", "symbolic_link", "special_file"),
        *("too_slow", "reader_died", "unforeseen", "control_characters", "unreadable_delivery"),
    }
    reached = {broken.reason for broken in corpus()}
    assert set(reasons()) == reached | elsewhere
    assert not reached & elsewhere
