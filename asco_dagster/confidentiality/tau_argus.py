"""τ-Argus on one table: its files in, its secondary cells out; only the engine's traps are handled here.

The engine is ``pytauargus`` (an optional dependency, EUPL), always with OPT, in a child process with a time
limit and a folder that it alone uses, which also takes its temporary files. Primary cells are handed over as
statuses with their protection levels, codes as ASCII of one width, values as whole numbers of which the
totals are sums to the last digit. It takes the smallest and the largest value of a table for bounds that an
intruder knows, and then protects small cells downwards no more: a cell of 0 that must stay open is added.
What comes back is compared cell by cell with what went in, since some of its failures are silent. Which
tables are compared, and with what: ``cross_check``.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from asco_dagster.errors import ConfigurationError, DisclosureError
from asco_dagster.methods.disclosure.rules import TOTAL

_ALL, _NOTHING = "T0000", "Z0000"
_LARGEST = 1e8  # whole numbers up to here: fine enough for the cells, and for the solver's tolerance
_BATCH = """<OPENTABLEDATA> "cells.tab"
<OPENMETADATA> "cells.rda"
<SPECIFYTABLE> {dimensions}|"VALUE"||"LOSS"
<SAFETYRULE>
<READTABLE>
<SUPPRESS> OPT(1,{minutes})
<WRITETABLE> (1,5,SO+,"done.tab")
"""
_NUMBER = "{name}\n  {kind}\n  <DECIMALS> 6\n"
_CHILD = "from pytauargus.engine import run_batch; run_batch('table.arb')"


def optimal_suppression(cells: pd.DataFrame, folder: Path, seconds: int = 120) -> pd.Series:
    """The secondary cells of one table, of least loss, as τ-Argus finds them.

    Args:
        cells: one row per cell: ``area``, ``within`` (the area that it is a part of, "" for the whole),
            ``size_class``, ``value``, ``respondents``, ``loss`` (what is lost with it), ``sensitive``,
            ``lower`` and ``upper`` (how far a sensitive cell must be able to move). Either areas by size
            class, or, over all sizes, areas below areas.
        folder: an empty folder for its files.
        seconds: after which it is stopped.

    Returns:
        Whether each cell is suppressed beside the sensitive ones, with the index of ``cells``.

    Raises:
        ConfigurationError: pytauargus is not installed.
        DisclosureError: it failed, ran out of time, or gave back another table.
    """
    if find_spec("pytauargus") is None:
        raise ConfigurationError(
            "the cross-check needs pytauargus, which is not installed",
            remedy='Install it: uv pip install "asco_dagster[crosscheck]"',
        )
    coded = _coded(cells)
    _write(coded, folder, seconds)
    outside = {name: value for name, value in os.environ.items() if not name.startswith("ASCO_")}  # no keys
    try:
        subprocess.run(
            [sys.executable, "-c", _CHILD],
            cwd=folder,
            env={**outside, "TMPDIR": str(folder)},
            capture_output=True,
            check=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise DisclosureError(f"τ-Argus did not finish in {seconds} s", remedy="Give it more time") from error
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip().splitlines() or [f"exit {error.returncode}"])[-1]
        raise DisclosureError(f"τ-Argus failed: {why}", remedy="Look at the table that was given") from error
    return _read(coded, folder)


def _coded(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with their area, the area around it and their size in codes of one width."""
    whole = cells.loc[cells["within"] == "", "area"].iloc[0]
    areas = {area: f"A{n:04d}" for n, area in enumerate(sorted(set(cells["area"]) - {whole}), 1)}
    sizes = {size: f"S{n:04d}" for n, size in enumerate(sorted(set(cells["size_class"]) - {TOTAL}), 1)}
    return _whole_numbers(
        cells.assign(
            code=[areas.get(area, _ALL) for area in cells["area"]],
            above=[areas.get(area, _ALL) for area in cells["within"]],
            size=[sizes.get(size, _ALL) for size in cells["size_class"]],
        )
    )


def _whole_numbers(cells: pd.DataFrame) -> pd.DataFrame:
    """Values and levels as whole numbers; a total is the sum of the cells that have no parts."""
    scale = _LARGEST / max(float(cells["value"].max()), 1e-9)
    whole = cells.assign(**{name: (cells[name] * scale).round() for name in ("value", "lower", "upper")})
    by_size = (whole["size"] != _ALL).any()
    parts = whole[~whole["code"].isin(whole["above"]) & ((whole["size"] != _ALL) | (not by_size))]
    sums = []
    for area, size in whole[["code", "size"]].itertuples(index=False, name=None):
        within = (area == _ALL) | (parts["code"] == area) | (parts["above"] == area)
        sums.append(parts.loc[within & ((size == _ALL) | (parts["size"] == size)), "value"].sum())
    return whole.assign(value=sums, lower=whole["lower"].clip(upper=pd.Series(sums, index=whole.index)))


def _write(cells: pd.DataFrame, folder: Path, seconds: int) -> None:
    by_size = (cells["size"] != _ALL).any()
    lines = []
    for row in cells.to_dict("records"):
        codes = [row["code"], *([row["size"]] if by_size else [])]
        numbers = [f"{row['value']:.0f}", f"{row['respondents']:.0f}", f"{max(row['loss'], 1e-6):.6f}"]
        levels = [f"{row[name] if row['sensitive'] else 0:.0f}" for name in ("lower", "upper")]
        lines.append(";".join([*codes, *numbers, "U" if row["sensitive"] else "S", *levels]))
    sizes = ([_ALL], [min(cells["size"])]) if by_size else ([],)
    lines += [";".join([_NOTHING, *size, "0", "1", "1", "P", "0", "0"]) for size in sizes]
    (folder / "cells.tab").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "areas.hrc").write_text(_hierarchy(cells), encoding="ascii")
    (folder / "cells.rda").write_text(_metadata(bool(by_size)), encoding="ascii")
    dimensions = '"AREA""SIZE"' if by_size else '"AREA"'
    batch = _BATCH.format(dimensions=dimensions, minutes=max(1, seconds // 60))
    (folder / "table.arb").write_text(batch, encoding="ascii")


def _hierarchy(cells: pd.DataFrame) -> str:
    """Areas below the whole, each followed by those below it."""
    known = cells[["code", "above"]].drop_duplicates().sort_values("code")
    lines = []
    for area in known.loc[(known["above"] == _ALL) & (known["code"] != _ALL), "code"]:
        lines += [area, *("@" + part for part in known.loc[known["above"] == area, "code"])]
    return "\n".join([*lines, _NOTHING]) + "\n"


def _metadata(by_size: bool) -> str:
    total = f'  <RECODABLE>\n  <TOTCODE> "{_ALL}"\n'
    return "".join(
        [
            '<SEPARATOR> ";"\n<SAFE> "S"\n<UNSAFE> "U"\n<PROTECT> "P"\n',
            f'AREA\n{total}  <HIERARCHICAL>\n  <HIERCODELIST> "areas.hrc"\n  <HIERLEADSTRING> "@"\n',
            f"SIZE\n{total}" if by_size else "",
            _NUMBER.format(name="VALUE", kind="<NUMERIC>"),
            "FREQ\n  <FREQUENCY>\n",
            _NUMBER.format(name="LOSS", kind="<NUMERIC> <COSTVAR>"),
            "STATE\n  <STATUS>\n",
            _NUMBER.format(name="LOWER", kind="<NUMERIC> <LOWERPL>"),
            _NUMBER.format(name="UPPER", kind="<NUMERIC> <UPPERPL>"),
        ]
    )


def _read(cells: pd.DataFrame, folder: Path) -> pd.Series:
    """Secondary cells of the result, once it is seen to be the table that was given."""
    keys = ["code", "size"] if (cells["size"] != _ALL).any() else ["code"]
    names = [*keys, "given", "n", "loss", "status", "lower", "upper"]
    done = pd.read_csv(folder / "done.tab", sep=";", header=None, names=names).set_index(keys)
    back = done.reindex(pd.MultiIndex.from_frame(cells[keys]) if len(keys) > 1 else cells[keys[0]])
    back = back.set_axis(cells.index)
    off = (back["given"] - cells["value"]).abs() > 0.5
    lost = cells["sensitive"] & (back["status"] != "U")
    if off.any() or back["given"].isna().any() or lost.any():
        raise DisclosureError(
            f"τ-Argus gave back another table: {int(off.sum() + back['given'].isna().sum())} values differ, "
            f"{int(lost.sum())} sensitive cells are not",
            remedy="Do not trust this comparison; look at the files that it was given",
        )
    return back["status"] == "M"
