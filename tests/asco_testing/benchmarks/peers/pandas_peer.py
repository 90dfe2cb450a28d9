"""The survey's work as it is written today with pandas, openpyxl and numpy; nothing of this project is used.

``pandas_peer.py read FOLDER``: every workbook of FOLDER/returns into FOLDER/answers.csv, with the words of
FOLDER/words.csv. ``pandas_peer.py estimate FOLDER``: calibrated weights (logit, Newton) of FOLDER/units.csv
and the released estimates with their standard errors, by domain and indicator one after the other, as R's
``survey`` defines them. Both print the seconds that the work took, imports left out.
"""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

FRONT = 3  # tabs that hold no question


def read(folder: Path) -> None:
    """Code in column A, answer in C, from row 4; the unit's code on the hidden sheet."""
    words = pd.read_csv(folder / "words.csv", dtype=str).set_index(["question", "word"])["value"].to_dict()
    found = []
    for path in sorted((folder / "returns").glob("*.xlsx")):
        sheets = pd.read_excel(path, sheet_name=None, header=None, engine="openpyxl")
        about = dict(zip(sheets["_asco"][0], sheets["_asco"][1], strict=True))
        tabs = [sheet for name, sheet in sheets.items() if name != "_asco"][FRONT:]
        for sheet in tabs:
            answers = sheet.iloc[3:].reindex(columns=[0, 2]).dropna()
            for question, answer in answers.itertuples(index=False):
                value = words.get((question, str(answer)), answer)
                found.append((about["unit_code"], question, value))
    table = pd.DataFrame(found, columns=["unit_code", "question", "value"])
    table.to_csv(folder / "answers.csv", index=False)


def calibrated(units: pd.DataFrame, margins: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    """Weights under the logit distance (Deville and Särndal 1992), by Newton's method."""
    start, totals = units["nonresponse_weight"].to_numpy(), margins["total"].to_numpy()
    low, high = margins["low"].iloc[0], margins["high"].iloc[0]
    steep = (high - low) / ((1 - low) * (high - 1))
    multipliers = np.zeros(x.shape[1])
    for _ in range(100):
        power = np.exp(np.clip(steep * (x @ multipliers), -500, 500))
        below, above = high - 1, 1 - low
        factor = (low * below + high * above * power) / (below + above * power)
        gap = totals - x.T @ (start * factor)
        if np.abs(gap / np.maximum(np.abs(totals), 1)).max() < 1e-12:
            break
        slope = steep * (factor - low) * (high - factor) / (high - low)
        multipliers += np.linalg.solve(x.T @ (x * (start * slope)[:, None]), gap)
    return start * factor


class Variance:
    """Stratified variance of calibration residuals."""

    def __init__(self, units: pd.DataFrame, weights: np.ndarray, x: np.ndarray) -> None:
        self.weights, self.half = weights, np.sqrt(units["nonresponse_weight"].to_numpy())
        self.basis, _ = np.linalg.qr(x * self.half[:, None])
        self.strata = units["variance_stratum"]
        self.size = units.groupby("variance_stratum")["variance_population"].first()

    def error(self, z: np.ndarray) -> float:
        """Standard error of the weighted total of z."""
        own = self.half * z
        residual = (own - self.basis @ (self.basis.T @ own)) / self.half
        grouped = pd.Series(self.weights * residual).groupby(self.strata.to_numpy())
        count = grouped.count()
        parts = (1 - count / self.size) * count * grouped.var(ddof=1)
        return float(np.sqrt(parts.where(count > 1, 0.0).sum()))


def estimate(folder: Path) -> None:
    """Weights and estimates, in the form of the R peer."""
    units = pd.read_csv(folder / "units.csv", dtype={"variance_stratum": str})
    margins, indicators = pd.read_csv(folder / "margins.csv"), pd.read_csv(folder / "indicators.csv")
    began = time.perf_counter(), time.process_time()
    x = units[list(margins["column"])].to_numpy()
    weights = calibrated(units, margins, x)
    weighed = time.perf_counter(), time.process_time()
    variance, population = Variance(units, weights, x), units["population"].to_numpy()
    rows = []
    for partition in [name for name in units if name.startswith("partition_")]:
        for domain, members in units.groupby(partition).groups.items():
            inside = units.index.isin(members)
            for name, kind in indicators.itertuples(index=False):
                for statistic, value, error in _statistics(
                    units[name].to_numpy(), kind, inside, weights, population, variance
                ):
                    rows.append((partition, statistic, name, domain, value, error))
    ended = time.perf_counter(), time.process_time()
    names = ["partition", "statistic", "indicator", "domain", "estimate", "standard_error"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "estimates.csv", index=False, float_format="%.15g")
    pd.DataFrame({"weight": weights}).to_csv(folder / "weights.csv", index=False, float_format="%.15g")
    spent = [weighed[0] - began[0], weighed[1] - began[1], ended[0] - weighed[0], ended[1] - weighed[1]]
    (folder / "seconds.txt").write_text(" ".join(map(str, spent)))


def _statistics(y, kind, inside, weights, population, variance):
    """Name, estimate and standard error of each statistic of one indicator in one domain."""
    known = inside & ~np.isnan(y)
    y = np.where(known, y, 0.0)
    if not known.any():
        return
    if kind == "amount":
        yield "total", float(weights @ y), variance.error(y)
    wanted = [("share", np.ones(len(y))), ("population_share", population)]
    for statistic, size in wanted if kind == "share" else [("mean", np.ones(len(y)))]:
        whole = float(weights @ (size * known))
        ratio = float(weights @ (size * y)) / whole
        yield statistic, ratio, variance.error(known * size * (y - ratio) / whole)


if __name__ == "__main__":
    start = time.perf_counter()
    {"read": read, "estimate": estimate}[sys.argv[1]](Path(sys.argv[2]))
    print(time.perf_counter() - start)
