"""One list of communes from two files of different dates: the DGCL's list and INSEE's populations.

The list's geography holds. Where the populations are of another, what moved is resolved by a table of
passage, else by the list's populations, and every case is reported in a row.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from asco_dagster.errors import SourceError
from asco_dagster.territory.codes import (
    EVERY_COMMUNE_BELONGS_SINCE,
    ISLANDS_OUTSIDE_EPCI,
    MUNICIPAL_ARRONDISSEMENTS,
    OUTSIDE_THE_SURVEY,
    departement_of,
)
from asco_dagster.territory.matching import REMARKABLE, RENAMED, Growth, match_parts

KINDS = {
    "arrondissement_folded": "municipal arrondissement, counted in its commune",
    "arrondissement_beside_commune": "municipal arrondissement beside its commune, not counted again",
    "outside_survey": "commune of an overseas collectivity, which the survey does not cover",
    "listed_within": "commune of the populations that the list has as part of another",
    "counted_within": "commune of the list that the populations count within another",
    "recounted": "commune whose population changed because others left or joined it between the files",
    "outside_epci": "commune that belongs to no EPCI",
    "not_counted": "commune of the list that the populations leave out, with the list's population",
    "unplaced": "commune of the populations that no longer exists in the list; what became of it is unknown",
}
"""What a case is, by its code."""

OUT_OF_FRAME = frozenset(
    {"arrondissement_folded", "arrondissement_beside_commune", "outside_survey", "listed_within", "unplaced"}
)
"""Kinds whose commune is no unit of the frame."""

CASE_COLUMNS = (
    "kind",
    "commune_code",
    "commune_name",
    "other_code",
    "other_name",
    "listed_population",
    "counted_population",
    "population",
    "found_by",
    "in_frame",
)


@dataclass(frozen=True)
class Reconciled:
    """The communes of the frame, and what had to be decided.

    Attributes:
        communes: one row per commune by code: ``commune_code``, ``commune_name``, ``epci_siren`` (null
            outside any), ``population`` (inhabitants), ``listed_population`` and ``counted_population`` (as
            the two files have them, null where one does not), ``in_list``, ``in_populations``.
        cases: one row per case: ``kind`` (of ``KINDS``), the commune, the other commune concerned if any, its
            population in the list, in the populations and in the frame, ``found_by`` (``code``, ``passage``,
            ``populations``, ``law`` or ``files``), ``in_frame``.
    """

    communes: pd.DataFrame
    cases: pd.DataFrame


@dataclass
class _Work:
    """What is known while the two files are put together; populations by commune code."""

    listed: pd.Series
    counted: pd.Series
    names: pd.Series
    population: dict[str, int | None] = field(default_factory=dict)
    cases: list[dict[str, object]] = field(default_factory=list)

    def record(self, kind: str, code: str, *, other: str | None = None, found_by: str) -> None:
        self.cases.append({"kind": kind, "commune_code": code, "other_code": other, "found_by": found_by})

    def listed_only(self) -> list[str]:
        """Communes of the list that the populations lack and nothing has explained yet."""
        known = self._explained()
        return [code for code in self.listed.index if code not in self.counted.index and code not in known]

    def counted_only(self) -> list[str]:
        """Communes of the populations that the list lacks and nothing has explained yet."""
        known = self._explained()
        return [code for code in self.counted.index if code not in self.listed.index and code not in known]

    def _explained(self) -> set[object]:
        return {case["commune_code"] for case in self.cases}


def reconcile(
    listed: pd.DataFrame, counted: pd.DataFrame, passage: pd.DataFrame, *, list_year: int
) -> Reconciled:
    """Put the list and the populations together in the list's geography.

    Args:
        listed: members of EPCI with a tax of their own: ``commune_code`` (5 characters, each once),
            ``commune_name``, ``epci_siren``, ``population`` (municipal, nullable).
        counted: legal populations: ``commune_code``, ``commune_name``, ``population``; municipal
            arrondissements beside or in place of their commune.
        passage: ``former_code``, ``commune_code``: codes and the commune of the list's geography that holds
            them, several where one was divided; may be empty.
        list_year: year of the list.

    Returns:
        Communes and cases.

    Raises:
        SourceError: some of the municipal arrondissements of a commune are missing, and the commune too.
    """
    listed, counted = listed.set_index("commune_code"), counted.set_index("commune_code")
    names = pd.concat([counted["commune_name"], listed["commune_name"]])
    work = _Work(listed["population"], counted["population"], names[~names.index.duplicated()])
    _leave_out_collectivities(work)
    _fold_arrondissements(work)
    _resolve_by_passage(work, passage)
    alive = set(passage.loc[passage["former_code"] == passage["commune_code"], "commune_code"])
    touched = {departement_of(code) for code in (*work.listed_only(), *work.counted_only())}
    near = [code for code in listed.index.intersection(counted.index) if departement_of(code) in touched]
    renamed = _renamed(listed.loc[near, "commune_name"], counted.loc[near, "commune_name"])
    _resolve_by_populations(work, listed["epci_siren"], alive, renamed)
    _record_the_rest(work, alive, list_year)
    for case in work.cases:
        if case["kind"] == "recounted":  # the populations print the name of another date
            work.names[str(case["commune_code"])] = listed.at[case["commune_code"], "commune_name"]
    communes = _communes(work, listed["epci_siren"])
    return Reconciled(communes, _cases(work, communes, listed["population"], counted["population"]))


def _leave_out_collectivities(work: _Work) -> None:
    known = [*work.listed.index, *work.counted.index]
    outside = sorted({code for code in known if departement_of(code) in OUTSIDE_THE_SURVEY})
    for code in outside:
        work.record("outside_survey", code, found_by="code")
    work.listed = work.listed.drop(outside, errors="ignore")
    work.counted = work.counted.drop(outside, errors="ignore")


def _fold_arrondissements(work: _Work) -> None:
    parts = [code for code in work.counted.index if code in MUNICIPAL_ARRONDISSEMENTS]
    for commune in sorted({MUNICIPAL_ARRONDISSEMENTS[code] for code in parts}):
        given = [code for code in parts if MUNICIPAL_ARRONDISSEMENTS[code] == commune]
        counted = commune in work.counted.index
        expected = [code for code, whole in MUNICIPAL_ARRONDISSEMENTS.items() if whole == commune]
        missing = sorted(set(expected) - set(given))
        if missing and not counted:
            raise SourceError(
                f"the populations have {len(given)} of the {len(expected)} municipal arrondissements of "
                f"commune {commune}, and not the commune; {', '.join(missing)} missing",
                expected="all of them, or the commune",
                remedy="deliver INSEE's file of legal populations whole",
            )
        for code in given:
            kind = "arrondissement_beside_commune" if counted else "arrondissement_folded"
            work.record(kind, code, other=commune, found_by="code")
        total = work.counted[given].sum()
        work.counted = work.counted.drop(given)
        if not counted:
            work.counted = pd.concat([work.counted, pd.Series({commune: total})])


def _resolve_by_passage(work: _Work, passage: pd.DataFrame) -> None:
    """Communes tied by the table of passage share what the populations count for them together."""
    one_sided = {*work.listed_only(), *work.counted_only()}
    if not one_sided or passage.empty:
        return
    for codes in _tied(passage, {*work.listed.index, *work.counted.index}):
        if not one_sided & codes:
            continue
        listed = sorted(codes & set(work.listed.index))
        counted = sorted(codes & set(work.counted.index))
        if not listed or not counted:
            continue
        shares = _shared(int(work.counted[counted].sum()), work.listed[listed])
        _record_group(work, listed, counted, shares, "passage")


def _tied(passage: pd.DataFrame, known: set[str]) -> Iterator[set[str]]:
    """Sets of communes that the passage ties together, of those that either file knows."""
    from scipy.sparse import coo_matrix  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    pairs = passage[passage["former_code"].isin(known) & passage["commune_code"].isin(known)]
    pairs = pairs[pairs["former_code"] != pairs["commune_code"]]
    if pairs.empty:
        return
    codes = pd.Index(sorted({*pairs["former_code"], *pairs["commune_code"]}))
    ends = codes.get_indexer(pairs["former_code"]), codes.get_indexer(pairs["commune_code"])
    graph = coo_matrix((np.ones(len(pairs)), ends), shape=(len(codes), len(codes)))
    _, labels = connected_components(graph, directed=False)
    yield from (set(codes[labels == label]) for label in range(labels.max() + 1))


def _shared(total: int, weights: pd.Series) -> dict[str, int]:
    """A total shared out in proportion, in whole inhabitants that add up to it (largest remainders)."""
    weight = weights.fillna(0).to_numpy(dtype=float)
    weight = weight if weight.sum() > 0 else np.ones(len(weight))
    exact = total * weight / weight.sum()
    whole = np.floor(exact).astype("int64")
    most = np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]
    whole[most] += 1
    return {str(code): int(value) for code, value in zip(weights.index, whole, strict=True)}


def _record_group(
    work: _Work, listed: list[str], counted: list[str], population: dict[str, int], found_by: str
) -> None:
    """Set the populations of communes that belong together, and record which moved into which."""
    both = [code for code in listed if code in counted]
    largest = max(both or listed, key=lambda code: population[code])
    held = max(both or counted, key=lambda code: work.counted[code])
    for code in counted:
        if code not in listed:
            work.record("listed_within", code, other=largest, found_by=found_by)
    for code in listed:
        work.population[code] = population[code]
        if code not in counted:
            work.record("counted_within", code, other=held, found_by=found_by)
        elif population[code] != work.counted[code]:
            work.record("recounted", code, found_by=found_by)


def _renamed(listed: pd.Series, counted: pd.Series) -> set[str]:
    """Communes whose names differ between the files by more than spelling."""
    return {code for code in listed.index if _words(listed[code]) != _words(counted[code])}


def _words(name: object) -> frozenset[str]:
    letters = unicodedata.normalize("NFKD", str(name).casefold().replace("œ", "oe"))
    words = re.findall(r"[a-z]+", letters.encode("ascii", "ignore").decode())
    return frozenset({"st": "saint", "ste": "sainte"}.get(word, word) for word in words)


def _resolve_by_populations(work: _Work, bodies: pd.Series, alive: set[str], renamed: set[str]) -> None:
    """Communes whose populations differ by those of others nearby hold them in one of the two files."""
    both = [code for code in work.listed.index if code in work.counted.index and code not in work.population]
    before, after = work.listed[both].dropna().astype(float), work.counted
    after = after[before.index].astype(float)
    growth = Growth.between(before, after)
    expected = before * (1 + growth.rate)
    gaps = pd.DataFrame({"gap": after - expected, "deviation": growth.deviation(before)})
    gaps["departement"] = gaps.index.map(departement_of)
    gaps["body"] = bodies[gaps.index]
    gaps["named"] = growth.exact | gaps.index.isin(renamed)
    lost = work.listed[work.listed_only()].dropna().astype(float) * (1 + growth.rate)
    placed = _placed(lost, gaps, bodies)
    gone = work.counted[[code for code in work.counted_only() if code not in alive]].astype(float)
    gaps["gap"] = -gaps["gap"]
    gone_to = _placed(gone, gaps, None)
    for whole in sorted({*placed.values(), *gone_to.values()}):
        into = [code for code, at in placed.items() if at == whole]
        out = [code for code, at in gone_to.items() if at == whole]
        listed = [whole, *into]
        population = {code: int(work.listed[code]) for code in listed}
        _record_group(work, listed, [whole, *out], population, "populations")


def _placed(parts: pd.Series, gaps: pd.DataFrame, bodies: pd.Series | None) -> dict[str, str]:
    """The commune that each part is placed in: the surest evidence first, weaker for the rest.

    Communes merge within their EPCI more often than not, and the new one mostly has a new name; where the
    files are of one vintage the populations say it to the inhabitant and neither is needed.
    """
    departements = pd.Series(parts.index.map(departement_of), index=parts.index, dtype="object")
    renamed = gaps[gaps["named"]]
    steps = [] if bodies is None else [("body", bodies[parts.index], renamed, RENAMED)]
    steps.append(("departement", departements, renamed, RENAMED))
    if bodies is not None:
        steps.append(("body", bodies[parts.index], gaps, REMARKABLE))
    placed: dict[str, str] = {}
    for by, of, candidates, remarkable in steps:
        free = candidates[~candidates.index.isin(list(placed.values()))]
        rest = parts.drop(list(placed))
        for area, nearby in rest.groupby(of[rest.index]):
            near = free[free[by] == area]
            placed |= match_parts(nearby, near["gap"], near["deviation"], remarkable=remarkable)
    return placed


def _record_the_rest(work: _Work, alive: set[str], list_year: int) -> None:
    for code in work.listed_only():
        work.record("not_counted", code, found_by="files")
    for code in work.counted_only():
        belongs = list_year >= EVERY_COMMUNE_BELONGS_SINCE and code not in ISLANDS_OUTSIDE_EPCI
        if code in alive:
            work.record("outside_epci", code, found_by="passage")
        elif belongs:
            work.record("unplaced", code, found_by="law")
        else:
            work.record("outside_epci", code, found_by="law" if code in ISLANDS_OUTSIDE_EPCI else "files")


def _communes(work: _Work, bodies: pd.Series) -> pd.DataFrame:
    out = {case["commune_code"] for case in work.cases if case["kind"] in OUT_OF_FRAME}
    codes = pd.Index(sorted({*work.listed.index, *work.counted.index} - out), dtype="object")
    frame = pd.DataFrame(
        {
            "commune_code": codes,
            "commune_name": work.names.reindex(codes).to_numpy(),
            "epci_siren": bodies.reindex(codes).to_numpy(),
            "listed_population": work.listed.reindex(codes).astype("Int64").to_numpy(),
            "counted_population": work.counted.reindex(codes).astype("Int64").to_numpy(),
        }
    )
    decided = frame["commune_code"].map(work.population).astype("Int64")
    frame["population"] = decided.fillna(frame["counted_population"]).fillna(frame["listed_population"])
    frame["in_list"] = codes.isin(work.listed.index)
    frame["in_populations"] = codes.isin(work.counted.index)
    return frame


def _cases(work: _Work, communes: pd.DataFrame, listed: pd.Series, counted: pd.Series) -> pd.DataFrame:
    cases = pd.DataFrame(
        work.cases, columns=["kind", "commune_code", "other_code", "found_by"], dtype="object"
    )
    for name in ("commune", "other"):
        cases[f"{name}_name"] = cases[f"{name}_code"].map(work.names)
    frame = communes.set_index("commune_code")["population"]
    for name, series in (("listed_", listed), ("counted_", counted), ("", frame)):
        cases[f"{name}population"] = cases["commune_code"].map(series).astype("Int64")
    cases["in_frame"] = ~cases["kind"].isin(OUT_OF_FRAME)
    texts = ["kind", "commune_code", "commune_name", "other_code", "other_name", "found_by"]
    cases[texts] = cases[texts].astype("string")
    return cases[list(CASE_COLUMNS)].sort_values(["kind", "commune_code"], ignore_index=True)
