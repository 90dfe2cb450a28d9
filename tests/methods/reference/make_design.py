"""Make the synthetic design that R's survey and this project's methods are both run on.

A made-up territory of the survey's shape (régions, départements, size classes; about 1,400 respondents in
about 100 variance strata, 60 indicators, item non-response in the last six shares), seeded. Run once; its
output ``design.csv.gz`` and ``totals.csv`` are committed. Does not belong here: any estimate.
"""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
CLASSES = ["1_lt500", "2_500_1499", "3_1500_4999", "4_5000_9999", "5_ge10000"]
COUNTS = [96, 50, 25, 9, 6]  # communes of a département by size class
RATES = [0.27, 0.4, 0.65, 0.9, 1.0]
BOUNDS = [(30, 500), (500, 1500), (1500, 5000), (5000, 10000), (10000, 120000)]


def territory(generator: np.random.Generator) -> pd.DataFrame:
    """Seven régions of three départements: 126 cells of France, région × size and département × size."""
    rows = []
    for departement in range(1, 22):
        for rank, (size, count, (low, high)) in enumerate(zip(CLASSES, COUNTS, BOUNDS, strict=True)):
            n = round(count * generator.uniform(0.7, 1.3))
            population = np.exp(generator.uniform(np.log(low), np.log(high), n)).astype(int)
            rows.append(
                pd.DataFrame(
                    {
                        "region_code": f"{10 + (departement - 1) // 3}",
                        "departement_code": f"{departement:02d}",
                        "size_class": size,
                        "rank": rank,
                        "population": population,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def respondents(frame: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """A stratified draw with non-response; weights are those of respondents as a sample of their stratum."""
    frame = frame.assign(stratum=frame["departement_code"] + "|" + frame["size_class"])
    chosen = []
    for _, units in frame.groupby("stratum", sort=True):
        rate = RATES[int(units["rank"].iloc[0])]
        n = max(2, round(len(units) * rate * generator.uniform(0.65, 0.95)))
        n = min(n, len(units))
        take = units.iloc[generator.permutation(len(units))[:n]]
        chosen.append(take.assign(stratum_population=len(units), initial_weight=len(units) / n))
    return pd.concat(chosen, ignore_index=True)


def answers(units: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Forty-eight shares, the last six with missing answers, and twelve amounts."""
    n, columns = len(units), {}
    log_population = np.log(units["population"].to_numpy())
    for k in range(48):
        middle, slope = generator.uniform(4.5, 11), generator.uniform(0.2, 1.2)
        chance = 1 / (1 + np.exp(-slope * (log_population - middle)))
        columns[f"share_{k + 1:02d}"] = (generator.random(n) < chance).astype(float)
        if k >= 42:
            columns[f"share_{k + 1:02d}"][generator.random(n) < 0.07] = np.nan
    for k in range(12):
        per_head = np.exp(generator.normal(1.5, 0.8, n)) * (generator.random(n) < 0.8)
        columns[f"amount_{k + 1:02d}"] = np.round(per_head * units["population"].to_numpy(), 2)
    return pd.DataFrame(columns)


def main() -> None:
    """Write the design and its calibration totals."""
    generator = np.random.Generator(np.random.PCG64(2014))
    frame = territory(generator)
    units = respondents(frame, generator)
    table = pd.concat([units.drop(columns="rank"), answers(units, generator)], axis=1)
    table.insert(0, "unit_id", [f"u{i:05d}" for i in range(len(table))])
    cells = frame.groupby(["region_code", "size_class"]).size().rename("total").reset_index()
    people = frame.groupby("region_code")["population"].sum().rename("total").reset_index()
    totals = pd.concat([cells.assign(margin="units"), people.assign(margin="population", size_class="")])
    with gzip.GzipFile(HERE / "design.csv.gz", "wb", mtime=0) as file:
        file.write(table.to_csv(index=False, lineterminator="\n").encode())
    totals[["margin", "region_code", "size_class", "total"]].to_csv(
        HERE / "totals.csv", index=False, lineterminator="\n"
    )


if __name__ == "__main__":
    main()
