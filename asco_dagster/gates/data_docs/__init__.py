"""Data Docs: the pages of Great Expectations, one a gate, under ``quality/<wave>/``.

Written in the step of the gate from the results at hand, by GX's own renderer and templates (``page.html.j2``
takes the place of GX's outermost page, whose styles and scripts come from the network). Only counts and keys
are shown: values of rows that failed are removed, since quality pages are read by more people than the wave's
database.
"""

import copy
import functools
import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.durable import make_folder, write_whole
from asco_dagster.errors import GateError
from asco_dagster.gates.explanation import failing_first, remedy, state
from asco_dagster.gates.history.page import PAGE as HISTORY
from asco_dagster.gates.results import read_result
from asco_dagster.gates.suite import suite_assets
from asco_dagster.layers import LAYERS, layer_of

if TYPE_CHECKING:
    from asco_dagster.gates.results import GateResult

REPORT = "report/index.html"
STATES = ("closed", "not judged", "warns", "open")
"""What the index says of a gate, the worst first."""
_MARKS = ("<!--outdated-->", "<!--/outdated-->")  # between which a page says that it is
_ASIDE = "report/.withdrawn"  # no page: it is not served
_REPORTED = re.compile(r'<summary><code>(\w+)</code> – <span class="state (\w+)">')
_TEMPLATES = Path(__file__).parent
# What GX reports of failing rows beside their number.
_VALUES = (
    *("unexpected_list", "unexpected_index_list", "unexpected_index_query", "unexpected_rows"),
    *("partial_unexpected_list", "partial_unexpected_index_list", "partial_unexpected_counts"),
)


def page_of(asset: str) -> str:
    """Path of the page of an asset's gate, below ``quality/<wave>/``."""
    return f"{layer_of(asset)}/{asset}.html"


def write_data_docs(outcome: Any, result: "GateResult", quality: Path, gates: Path) -> None:
    """Write the page of a gate and the index of the wave's gates.

    Args:
        outcome: GX's validation result.
        result: what the gate made of it.
        quality: folder of the wave's quality pages.
        gates: folder of the results of the wave's gates, for the index.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer

    shown = copy.deepcopy(outcome)
    for verdict in shown.results:
        verdict.result = {
            # GX's renderer reads a number from its representation, which NumPy's scalars do not give
            name: _escaped(value.item() if hasattr(value, "item") else value)
            for name, value in (verdict.result or {}).items()
            if name not in _VALUES
        }
        for fault in _faults(verdict.exception_info or {}):
            fault["exception_traceback"] = ""  # it says where GX's code is, and GX does not escape it
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(shown)
    # GX's own header links to a page of the suite, which this site has not; ours says what it says
    document.sections[0].content_blocks = document.sections[0].content_blocks[1:]
    target = quality / page_of(result.asset)
    words = {"verdicts": failing_first(result.verdicts), "state": state, "remedy": remedy}
    words |= {"history": HISTORY, "outdated": "".join(_MARKS), "styles": styles()}
    _write(target, _view().render(document, gate=result, **words))
    restore_report(quality, gates, result.wave)
    write_index(result.wave, gates, quality)


def _escaped(value: Any) -> Any:
    """What GX observed, as HTML: its templates escape its own texts only, and it may quote the data."""
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(one) for name, one in value.items()}
    return [_escaped(one) for one in value] if isinstance(value, list | tuple | set) else value


def _faults(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The exceptions of an expectation: one, or one a metric."""
    found = [info] if "raised_exception" in info else info.values()
    return [fault for fault in found if isinstance(fault, dict)]


def write_index(wave: str, gates: Path, quality: Path) -> None:
    """Write the index of a wave's gates, each with what it found, or that it is not judged.

    Args:
        wave: the wave.
        gates: folder of the results of the wave's gates.
        quality: folder of the wave's quality pages.
    """
    known = [_line(asset, wave, gates, quality) for asset in suite_assets()]
    lines = sorted(known, key=lambda line: STATES.index(line["state"]))
    states = [line["state"] for line in lines]
    counts = {name: states.count(name) for name in STATES}
    layers = {layer: [line for line in lines if layer_of(line["asset"]) == layer] for layer in LAYERS}
    report = REPORT if (quality / REPORT).is_file() else None
    history = HISTORY if (quality / HISTORY).is_file() else None
    template = _view().env.get_template("index.html.j2")
    links = {"report": report, "aside": (quality / _ASIDE).is_file(), "history": history}
    page = str(template.render(wave=wave, layers=layers, counts=counts, styles=styles(), **links))
    _write(quality / "index.html", page)


def mark_page_outdated(quality: Path, asset: str, why: str) -> None:
    """Say on the page of a gate, and in place of the report that quotes it, that its data were rebuilt since.

    Args:
        quality: folder of the wave's quality pages.
        asset: of the gate.
        why: a sentence; empty takes the mark away.
    """
    page = quality / page_of(asset)
    if page.is_file():
        content = page.read_text(encoding="utf-8")
        shown = f'<p class="outdated">Outdated: {html.escape(why)}</p>' if why else ""
        before, begin, rest = content.partition(_MARKS[0])
        _, end, after = rest.partition(_MARKS[1])
        if begin and end:
            _write(page, f"{before}{begin}{shown}{end}{after}")
    if why:
        _put_report_aside(quality, asset)


def withdraw_page(quality: Path, asset: str) -> None:
    """Remove the page of a gate that is not judged any more; put aside the quality report that quotes it.

    Args:
        quality: folder of the wave's quality pages.
        asset: of the gate.
    """
    (quality / page_of(asset)).unlink(missing_ok=True)
    _put_report_aside(quality, asset)


def _put_report_aside(quality: Path, asset: str) -> None:
    report = quality / REPORT
    if report.is_file() and asset in _reported_states(report):
        report.replace(quality / _ASIDE)


def write_report_page(quality: Path, page: str) -> Path:
    """Write the quality report among the quality pages; one that was put aside goes.

    Args:
        quality: folder of the wave's quality pages.
        page: the report.

    Returns:
        Its file.
    """
    _write(quality / REPORT, page)
    (quality / _ASIDE).unlink(missing_ok=True)
    return quality / REPORT


def restore_report(quality: Path, gates: Path, wave: str) -> None:
    """Put the quality report back if every gate is judged again and is what the report says."""
    aside = quality / _ASIDE
    if not aside.is_file():
        return
    for asset, reported in _reported_states(aside).items():
        try:
            gate = read_result(gates, asset, wave)
        except GateError:
            return
        if reported != ("closed" if gate.closed else "warned" if gate.warned else "passed"):
            return
    aside.replace(quality / REPORT)


def _reported_states(report: Path) -> dict[str, str]:
    """What a quality report says of each gate."""
    return dict(_REPORTED.findall(report.read_text(encoding="utf-8")))


def _line(asset: str, wave: str, gates: Path, quality: Path) -> dict[str, Any]:
    """A gate as the index shows it; a page that is not there is not linked."""
    page = page_of(asset) if (quality / page_of(asset)).is_file() else None
    try:
        gate = read_result(gates, asset, wave)
    except GateError as error:
        return {"asset": asset, "page": None, "state": "not judged", "failed": 0, "why": error.what}
    failed = sum(not verdict.passed for verdict in gate.verdicts)
    state = "closed" if gate.closed else "warns" if failed else "open"
    return {
        "asset": asset,
        "page": page,
        "state": state,
        "failed": failed,
        "expectations": gate.expectations,
        "rows": gate.rows,
        "run": gate.run,
        "at": gate.at,
        "data_version": gate.data_version,
    }


@functools.cache
def _view() -> Any:
    from great_expectations.render.view import DefaultJinjaPageView

    class Page(DefaultJinjaPageView):
        """GX's view with this project's outermost page."""

        _template = "page.html.j2"

    return Page(custom_views_directory=str(_TEMPLATES))


@functools.cache
def styles() -> str:
    """The styles of the quality pages."""
    return (_TEMPLATES / "styles.css").read_text(encoding="utf-8")


def _write(target: Path, page: str) -> None:
    make_folder(target.parent)
    write_whole(target, page)
