"""Sound rows of the tables that a wave may leave empty: nothing moved, was revised or was asked for."""

CELL = {
    "unit_type": "commune", "indicator": "ccas", "statistic": "share", "geography": "france",
    "area_code": "FR", "size_class": "total",
}  # fmt: skip
SOUND = {
    "sec_asco__disclosure_log": [
        {**CELL, "status": "D", "reason": "protects region × 94 × total", "published_in": None},
    ],
    "raw_insee__commune_passage": [
        {"former_code": "01001", "commune_code": "01001"},
        {"former_code": "01002", "commune_code": "01001"},
    ],
    "raw_insee__former_communes": [
        {"commune_code": "01001", "source_row": 9},
        {"commune_code": "2A004", "source_row": 10},
    ],
    "stg_territory__former_communes": [{"commune_code": "01001"}, {"commune_code": "2A004"}],
    "stg_territory__cases": [
        {"kind": "outside_epci", "commune_code": "22016"},
        {"kind": "outside_epci", "commune_code": "29083"},
    ],
    "raw_insee__census_individuals": [
        {
            "departement_code": "01", "sex": sex, "age_band": "75_79", "living": living, "records": 7,
            "population": 20.5,
        }
        for sex in "MF"
        for living in ("alone", "couple_without_children")
    ],
    "stg_census__families": [
        {
            "departement_code": code, "census_year": 2014, "families_with_children": 70000.0,
            "share_single_parent": 0.21,
        }
        for code in ("01", "2A")
    ],
    "stg_census__living_alone": [
        {
            "departement_code": "01", "sex": "T", "age_band": band, "share_alone": 0.15,
            "estimated_population": 100.0, "relative_difference": 0.01,
        }
        for band in ("75_79", "total")
    ],
    "stg_territory__movements": [
        {"former_code": "01001", "commune_code": "01001", "movement": "unchanged"},
        {"former_code": "01002", "commune_code": "01001", "movement": "merged"},
    ],
    "est_territory__movements": [
        {"geography": "france", "area_code": "FR", "former_communes": 36000, "unchanged": 35000},
        {"geography": "departement", "area_code": "01", "former_communes": 400, "unchanged": 390},
    ],
    "sec_territory__movements": [
        {"geography": "france", "area_code": "FR", "communes": 35000},
        {"geography": "departement", "area_code": "01", "communes": 395},
    ],
    "pub_asco__revisions": [
        {
            **CELL, "former_version": version, "table": "asco_cells", "quantity": "estimate",
            "change": "changed", "reason_fr": "Nouvelle livraison", "reason_en": "New delivery",
        }
        for version in ("1.0.0", "2.0.0")
    ],
}  # fmt: skip
