"""What a release tells of its quality as tables beside the page: every gate's verdicts, every indicator.

A verdict says whether an expectation holds and why it is asked, never what was observed: that may be an
answer.
What does not belong here: the page (``page``), and what is counted (``indicators``).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.layers import layer_of
from asco_dagster.publication.metadata.csvw import write_description
from asco_dagster.publication.tables import write_released_table
from asco_dagster.releases.contract import ReleasedFile, described
from asco_dagster.waves import Wave

if TYPE_CHECKING:
    import pandas as pd

PLACE = "quality"
COLUMNS = Path(__file__).with_name("columns.yaml")


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

    files = []
    for stem, rows in (("gates", pd.DataFrame(verdicts(gates))), ("indicators", indicators)):
        table = described(stem, pa.Table.from_pandas(rows, preserve_index=False), COLUMNS)
        files += write_released_table(table.rows, folder, stem, table.description, place=PLACE)
        files.append(write_description(wave, table, folder, PLACE))
    return files


def verdicts(gates: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row an expectation, in the order of the gates and of their suites."""
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
