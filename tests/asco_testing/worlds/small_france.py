"""The smallest France that still releases: a few communes a département, four indicators protected.

Every layer, gate, attack and released file is the real one; only the deliveries are few and the tables that
are protected are fewer, so that a run takes seconds and hundreds of deaths can be tried. What does not belong
here: running or killing anything.
"""

import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from asco_testing import SHIPPED_WAVES

WAVES = ("2014", "2025")
SCALE = "0.02"
SIZES = (350, 500, 1500, 5000, 10000)  # of each département the two communes that are just larger
PROTECTED = ("any_action", "sectors_1_6", "sectors_7_plus", "competence")
# Files of which the gates demand every département of France.
NATIONAL = (
    "write_age_sex",
    "write_census",
    "write_aid_beneficiaries",
    "write_aid_spending",
    "write_aid_staff",
)
REASON = {"fr": "Réponses corrigées par les communes", "en": "Answers corrected by the communes"}
# Counts and precisions of a small territory; every rule of what is right or protected is the shipped one.
BOUNDS = {
    "communes_min": 400,
    "epci_min": 200,
    "population_min": 1000000,
    "frame_units_min": 600,
    "frame_regions_min": 15,
    "frame_departements_min": 95,
    "released_departements_min": 94,
    "frame_census_min": -1.0,
    "frame_census_worst_min": -1.0,
    "sample_units_min": 100,
    "weight_max": 5000,
    "population_excess_max": 1000,  # its weights are calibrated on size classes alone
    "cv_france_share_max": 0.6,
    "cv_france_total_max": 1.5,
}


def write_waves(folder: Path) -> Path:
    """Write the wave files for ``ASCO_WAVES``; to be done before anything of the package is imported."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in WAVES:
        wave = yaml.safe_load((SHIPPED_WAVES / f"{name}.yaml").read_text(encoding="utf-8"))
        wave["bounds"] = {**wave.get("bounds", {}), **BOUNDS}
        wave["published"] = []
        # The communes that were merged lead to some that the small world does not have.
        for source in ("former_communes", "commune_passage"):
            wave["sources"].pop(source, None)
        design = wave["sampling"]["commune"]
        design["strata"] = ["region_code", "size_class"]
        if "area" in design["allocation"]:
            design["allocation"]["area"] = "region_code"
        wave["calibration"]["minimum_respondents"] = 2
        for unit_type in ("commune", "epci"):
            wave["calibration"][unit_type]["margins"] = [{"total": "units", "by": ["size_class"]}]
        # Declared before anything is revised: a wave file that changed would have every table made again.
        wave["release"] |= {"reasons": {"2.0.0": REASON}, "approval": "automatic"}
        text = yaml.safe_dump(wave, allow_unicode=True, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def shrink() -> None:
    """Make this process deliver and protect the small world; its forked children inherit that."""
    from asco_dagster.confidentiality import assets
    from asco_dagster.demonstration import deliveries
    from asco_dagster.methods.disclosure import spread

    invented, read = deliveries.invented_territory, assets.read_table

    def few_communes(wave: Any, seed: int) -> Any:
        whole = invented(wave, seed)
        kept = _few(whole.populations)
        return replace(
            whole,
            members=whole.members[whole.members["commune_code"].isin(kept)].reset_index(drop=True),
            populations=whole.populations[whole.populations["commune_code"].isin(kept)].reset_index(
                drop=True
            ),
        )

    def few_indicators(database: Any, asset: str, columns: Any = None) -> Any:
        table = read(database, asset, columns)
        return table[table["indicator"].isin(PROTECTED)] if asset == "est_asco__indicators" else table

    # Spawned workers would each import everything again; forked ones live and die the same way.
    spread.get_context = lambda _method: multiprocessing.get_context("fork")
    deliveries.invented_territory = few_communes
    for name in NATIONAL:
        setattr(deliveries, name, _of_all_france(getattr(deliveries, name), invented))
    assets.read_table = few_indicators


def _of_all_france(write: Any, invented: Any) -> Any:
    def whole(path: Path, *, territory: Any, seed: int, **more: Any) -> None:
        from asco_dagster.waves import load_wave

        write(path, territory=invented(load_wave(path.parent.name.split("-")[0]), seed), seed=seed, **more)

    return whole


def _few(populations: Any) -> set[str]:
    """Codes of a few communes of each département, of each size one or two."""
    kept = set()
    for _, communes in populations.groupby("departement_code"):
        ordered = communes.sort_values(["population", "commune_code"])
        for size in SIZES:
            kept |= set(ordered.loc[ordered["population"] >= size, "commune_code"].head(2))
    return kept
