"""Made-up respondents of true size on the public territory, and small tables written by hand."""

import itertools

import numpy as np
import pandas as pd

from asco_dagster.methods.disclosure.areas import AreaGroup, Areas
from asco_dagster.methods.disclosure.contributions import contributions

DEPARTEMENTS = {
    "01": "971", "02": "972", "03": "973", "04": "974", "06": "976",
    "11": "75 77 78 91 92 93 94 95",
    "24": "18 28 36 37 41 45",
    "27": "21 25 39 58 70 71 89 90",
    "28": "14 27 50 61 76",
    "32": "02 59 60 62 80",
    "44": "08 10 51 52 54 55 57 67 68 88",
    "52": "44 49 53 72 85",
    "53": "22 29 35 56",
    "75": "16 17 19 23 24 33 40 47 64 79 86 87",
    "76": "09 11 12 30 31 32 34 46 48 65 66 81 82",
    "84": "01 03 07 15 26 38 42 43 63 69 73 74",
    "93": "04 05 06 13 83 84",
    "94": "2A 2B",
}  # fmt: skip
REGIONS = {departement: region for region, row in DEPARTEMENTS.items() for departement in row.split()}
OVERSEAS = AreaGroup("OM", "region", ("01", "02", "03", "04", "06"))
PARIS = AreaGroup("PPC", "departement", ("75", "92", "93", "94"))
AREAS = {
    "commune": Areas(REGIONS, (OVERSEAS, PARIS)),
    "epci": Areas(REGIONS, (OVERSEAS,)),
}
CLASSES = ("1_lt500", "2_500_1499", "3_1500_4999", "4_5000_9999", "5_ge10000")


def survey(seed=7, indicators=40, communes=6370, epci=1100):
    """Respondents (units with weights) and their answers: yes/no, amounts, staff; rare and universal ones."""
    rng = np.random.default_rng(seed)
    frames = []
    for unit_type, size in (("commune", communes), ("epci", epci)):
        mass = rng.gamma(2.0, 1.0, len(REGIONS))
        mass[[list(REGIONS).index(code) for code in ("75", "90", "976", "973", "92", "93", "94", "972")]] = (
            0.04
        )
        departements = rng.choice(list(REGIONS), size, p=mass / mass.sum())
        classes = rng.choice(5, size, p=[0.35, 0.27, 0.2, 0.09, 0.09])
        floor = np.array([80, 500, 1500, 5000, 10000])[classes]
        frames.append(
            pd.DataFrame(
                {
                    "unit_id": [f"{unit_type}{number:05d}" for number in range(size)],
                    "unit_type": unit_type,
                    "departement_code": departements,
                    "region_code": [REGIONS[code] for code in departements],
                    "size_class": np.array(CLASSES)[classes],
                    "population": (floor * (1 + rng.gamma(0.7, 1.0, size))).astype(int),
                    "weight": np.where(
                        classes == 4, 1.0, 1.0 + rng.gamma(2.0, 2.0, size) * (5 - classes) / 4
                    ),
                }
            )
        )
    units = pd.concat(frames, ignore_index=True)
    level = units["size_class"].str[0].astype(int).to_numpy()
    answers = []
    for number in range(indicators):
        base = rng.normal(0.0, 2.0)
        yes = rng.random(len(units)) < 1 / (1 + np.exp(-(base + 0.9 * (level - 2))))
        if number % 5 == 4:
            value = yes * np.round(rng.lognormal(1.0, 1.2, len(units)) * units["population"].to_numpy() / 10)
        else:
            value = yes.astype(float)
        kind = "amount" if number % 5 == 4 else "binary"
        answers.append(
            pd.DataFrame(
                {"unit_id": units["unit_id"], "indicator": f"I{number:02d}", "value": value, "kind": kind}
            )
        )
    return units, pd.concat(answers, ignore_index=True)


def composed(units, answers, areas):
    """The composition of both types of unit; ``areas`` by type."""
    parts = [contributions(rows, answers[answers["unit_id"].isin(rows["unit_id"])], areas[str(unit_type)])
             for unit_type, rows in units.groupby("unit_type")]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def estimates(cells):
    """Estimate and stand-in precision columns beside the contributions."""
    share = cells["numerator"] / cells["denominator"]
    value = share.where(cells["statistic"] != "total", cells["numerator"])
    return cells.assign(
        estimate=value, standard_error=value * 0.05, ci_low=value * 0.9, ci_high=value * 1.1, cv=0.05
    )


def table(values, respondents=None, units=None, regions=None, statistic="total", indicator="X"):
    """A hand-made two-way table: {area: [values by class]} with margins and, by ``regions``, départements.

    ``values`` has one row per région and one column per class; ``regions`` gives départements' values per
    région: {région: [values]}. Respondents default to 50, units to 100 everywhere.
    """
    values = np.asarray(values, float)
    respondents = np.full(values.shape, 50.0) if respondents is None else np.asarray(respondents, float)
    units = np.full(values.shape, 100.0) if units is None else np.asarray(units, float)
    rows = []
    for i, j in itertools.product(range(values.shape[0]), range(values.shape[1])):
        rows.append(("region", f"r{i}", f"c{j}", values[i, j], respondents[i, j], units[i, j]))
    for i in range(values.shape[0]):
        rows.append(("region", f"r{i}", "total", values[i].sum(), respondents[i].sum(), units[i].sum()))
    for j in range(values.shape[1]):
        rows.append(("france", "FR", f"c{j}", values[:, j].sum(), respondents[:, j].sum(), units[:, j].sum()))
    rows.append(("france", "FR", "total", values.sum(), respondents.sum(), units.sum()))
    for i, parts in (regions or {}).items():
        for k, (value, count, unit) in enumerate(parts):
            rows.append(("departement", f"{i}{k}", "total", value, count, unit))
    frame = pd.DataFrame(
        rows, columns=["geography", "area_code", "size_class", "numerator", "respondents", "weighted_units"]
    )
    frame = frame[frame["respondents"] > 0]
    return estimates(
        frame.assign(
            unit_type="commune",
            indicator=indicator,
            statistic=statistic,
            denominator=frame["weighted_units"],
            positive_respondents=np.where(frame["numerator"] > 0, np.maximum(frame["respondents"] - 1, 1), 0),
            largest=frame["numerator"] / 10,
            largest_weighted=frame["numerator"] / 10,
            second_largest=frame["numerator"] / 20,
        ).reset_index(drop=True)
    )
