"""The quality of a release as tables beside the page: every gate's verdicts, every indicator.

A verdict says whether an expectation holds and why it is required, never what was observed: that may be an
answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.layers import layer_of
from asco_dagster.releases.content import Content
from asco_dagster.releases.contract import ReleasedFile, released
from asco_dagster.releases.formats import csv_international, csvw, parquet
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import pandas as pd


def write_quality(
    wave: Wave, folder: Path, gates: Sequence[Mapping[str, Any]], indicators: "pd.DataFrame"
) -> list[ReleasedFile]:
    """Write ``quality/gates`` and ``quality/indicators``, each as Parquet and CSV with its description.

    Args:
        wave: the wave.
        folder: the release folder.
        gates: results of the gates before the report, as the gates keep them.
        indicators: rows of ``pub_asco__quality_report``.
    """
    import pandas as pd
    import pyarrow as pa

    rows = {"quality_gates": pd.DataFrame(verdicts(gates)), "quality_indicators": indicators}
    tables = {
        name: released(name, pa.Table.from_pandas(frame, preserve_index=False))
        for name, frame in rows.items()
    }
    content = Content(wave, tables, {})
    return [file for one in (parquet, csv_international, csvw) for file in one.write(content, folder)]


def verdicts(gates: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row per expectation, in the order of the gates and of their suites."""
    for gate in gates:
        for number, verdict in enumerate(gate["verdicts"], start=1):
            yield {
                "layer": layer_of(gate["asset"]),
                "asset": gate["asset"],
                "number": number,
                "expectation": verdict["expectation"],
                "column": verdict["column"],
                "severity": verdict["severity"],
                "holds": "yes" if verdict["passed"] else "no",
                "reason": verdict["reason"],
            }
