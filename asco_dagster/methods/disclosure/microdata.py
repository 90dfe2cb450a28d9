"""Anonymised microdata: keys recoded, answers banded, k records alike, several values of each answer.

Pure: answers in, rows out. The file holds a part of the respondents, so that nobody is known to be in it; no
weight, since weights follow the strata (département × size class) and would undo the recoding; and no exact
amount. Choices among records follow a digest of their content, never their pseudonym: the same answers give
the same rows whatever the key. How safe the rows are is measured in ``microdata_risk``.

k-anonymity: Samarati & Sweeney 1998, by local suppression of keys (as sdcMicro's ``localSuppression``, but a
key withheld is a value of its own here and matches nothing). l-diversity: Machanavajjhala et al. 2007, in its
distinct form, by withholding. Looked at: sdcMicro (R); anjana and pyCANON, which pin pandas 2.3.3 and numpy
2.0.2 exactly, and of which anjana drops whole records where a key would do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

WITHHELD = "withheld"
KEYS = ("unit_type", "region_code", "size_class", "own_body")
ROW = ("record", *KEYS, "indicator", "value")
# What is withheld of a record that too few resemble, the least first.
_STEPS = (
    ("own_body",),
    ("region_code",),
    ("region_code", "own_body"),
    ("size_class", "own_body"),
    ("region_code", "size_class", "own_body"),
)


@dataclass(frozen=True)
class MicrodataRules:
    """What the wave file asks of the research file.

    Args:
        k: fewest records alike in all that can be known of a unit from outside.
        diversity: fewest different values of an answer among them (of a yes or no: two).
        fraction: part of the respondents in the file.
        seed: of the choices among records.
    """

    k: int
    diversity: int
    fraction: float
    seed: int


def anonymised(
    units: pd.DataFrame,
    answers: pd.DataFrame,
    kinds: Mapping[tuple[str, str], str],
    own_body: Mapping[str, str],
    together: Mapping[str, Sequence[Sequence[str]]],
    rules: MicrodataRules,
) -> pd.DataFrame:
    """The rows of the research file.

    Args:
        units: respondents: ``unit_id``, ``unit_type``, ``region_code``, ``size_class``.
        answers: ``unit_id``, ``indicator``, ``value``; a missing value is a question not answered.
        kinds: (unit type, indicator) → kind, of the indicators in the file; ``binary`` answers become
            ``yes`` or ``no``, all others the decade that they lie in.
        own_body: unit type → the indicator that registers tell of every unit (has a CCAS, a CIAS); it becomes
            a key and no answer.
        together: unit type → indicators that tell one another, withheld together.
        rules: of the wave.

    Returns:
        ``ROW``, one row a record and answer; ``record`` is a number in the order of the content. Records that
        too few resemble even with every key withheld are left out.
    """
    told = answers.dropna(subset=["value"]).merge(units, on="unit_id", validate="many_to_one")
    registered = told["unit_type"].map(own_body) == told["indicator"]
    body = told[registered].set_index("unit_id")["value"].map({1.0: "yes", 0.0: "no"})
    wanted = pd.Series([pair in kinds for pair in told[["unit_type", "indicator"]].itertuples(index=False)])
    rows = told[wanted.to_numpy(bool) & ~registered.to_numpy()].reset_index(drop=True)
    rows = rows.assign(own_body=rows["unit_id"].map(body).fillna(WITHHELD))
    digest = _digests(rows, rules.seed)
    rows = rows[rows["unit_id"].isin(_drawn(rows, digest, rules.fraction))].reset_index(drop=True)
    rows["value"] = _banded(rows, kinds, rules.k)
    rows = _resembling(rows, rules.k)
    rows = _diverse(rows, together, rules)
    return _numbered(rows, digest)


def _digests(rows: pd.DataFrame, seed: int) -> pd.Series:
    """A digest of each unit's content, by unit; units of the same content are interchangeable."""
    ordered = rows.sort_values(["unit_id", "indicator"])
    answer = ordered["indicator"] + "=" + ordered["value"].map("{:.6g}".format)
    content = answer.groupby(ordered["unit_id"]).agg("|".join)
    keys = rows.drop_duplicates("unit_id").set_index("unit_id")[list(KEYS)].agg("|".join, axis=1)
    return (keys + "|" + content.reindex(keys.index)).map(
        lambda text: blake2b(f"{seed}|{text}".encode(), digest_size=16).hexdigest()
    )


def _drawn(rows: pd.DataFrame, digest: pd.Series, fraction: float) -> set[str]:
    """The units in the file: of each type the fraction whose digests come first."""
    drawn: set[str] = set()
    for _, units in rows.drop_duplicates("unit_id").groupby("unit_type"):
        ranked = digest.reindex(units["unit_id"]).sort_values(kind="stable")
        drawn |= set(ranked.index[: int(fraction * len(ranked))])
    return drawn


def _banded(rows: pd.DataFrame, kinds: Mapping[tuple[str, str], str], k: int) -> pd.Series:
    """Answers as text: yes or no, or the decade of a quantity, the last one holding at least k records."""
    text = pd.Series(np.where(rows["value"] != 0, "yes", "no"), index=rows.index, dtype=object)
    for key, part in rows.groupby(["unit_type", "indicator"]):
        if kinds[str(key[0]), str(key[1])] != "binary":
            text[part.index] = _decades(part["value"].to_numpy(float), k)
    return text


def _decades(values: np.ndarray, k: int) -> np.ndarray:
    """Decade of each value, 0 apart; the highest are merged until k values share the last."""
    positive = values > 0
    power = np.zeros(len(values), dtype=int)
    power[positive] = np.floor(np.log10(values[positive]) + 1e-9)
    power = np.maximum(power, -1)  # below 1 all are one
    top = int(power[positive].max(initial=-1))
    while top > -1 and (power[positive] >= top).sum() < k:
        top -= 1
    names = np.array([_band(min(int(one), top), top) for one in power], dtype=object)
    return np.where(positive, names, "0")


def _band(power: int, top: int) -> str:
    if power == top:
        return "above 0" if power < 0 else f"{10**power} and more"
    return "above 0, below 1" if power < 0 else f"{10**power} to below {10 ** (power + 1)}"


def _resembling(rows: pd.DataFrame, k: int) -> pd.DataFrame:
    """Withhold keys of the records that fewer than k resemble; those left over go."""
    records = rows.drop_duplicates("unit_id").set_index("unit_id")[list(KEYS)]
    settled, waiting = _split(records, k)
    done = [settled]
    for step in _STEPS:
        coarser = waiting.assign(**dict.fromkeys(step, WITHHELD))
        settled, _ = _split(coarser, k)
        waiting = waiting.drop(settled.index)
        done.append(settled)
    return rows.drop(columns=list(KEYS)).merge(pd.concat(done), left_on="unit_id", right_index=True)


def _split(records: pd.DataFrame, k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records that at least k resemble, themselves included, and the others."""
    alike = records.groupby(list(KEYS))["unit_type"].transform("size")
    return records[alike >= k], records[alike < k]


def _diverse(
    rows: pd.DataFrame, together: Mapping[str, Sequence[Sequence[str]]], rules: MicrodataRules
) -> pd.DataFrame:
    """Withhold each answer in the classes where too few values of it occur, and in as many others.

    Were it withheld where all agree and nowhere else, "withheld" would say that all agree.
    """
    hidden: set[tuple] = set()
    for (unit_type, indicator), part in rows.groupby(["unit_type", "indicator"], sort=True):
        values = part.groupby(list(KEYS), sort=True)["value"].nunique()
        least = min(rules.diversity, int(part["value"].nunique()))
        poor = list(values.index[(values < max(least, 2)).to_numpy()])
        rich = list(values.index.difference(poor))
        rich.sort(key=lambda key: blake2b(f"{rules.seed}|{indicator}|{key}".encode()).digest())
        linked = next((set(g) for g in together.get(str(unit_type), ()) if indicator in g), {indicator})
        hidden |= {(*key, name) for key in [*poor, *rich[: len(poor)]] for name in linked}
    keys = rows[[*KEYS, "indicator"]].itertuples(index=False, name=None)
    withheld = np.array([key in hidden for key in keys], dtype=bool)
    return rows.assign(value=rows["value"].mask(withheld, WITHHELD))


def _numbered(rows: pd.DataFrame, digest: pd.Series) -> pd.DataFrame:
    """The rows of the file, records numbered by their class and then by digest."""
    records = rows.drop_duplicates("unit_id").set_index("unit_id")[list(KEYS)]
    ordered = records.assign(digest=digest.reindex(records.index)).sort_values(
        [*KEYS, "digest"], kind="stable"
    )
    number = pd.Series(np.arange(1, len(ordered) + 1), index=ordered.index)
    numbered = rows.assign(record=rows["unit_id"].map(number).astype("int64"))
    return numbered[list(ROW)].sort_values(["record", "indicator"], ignore_index=True)
