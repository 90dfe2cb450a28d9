"""Codes of communes: their département, municipal arrondissements, collectivities outside the survey.

Source: INSEE, *Code officiel géographique*.
"""

COMMUNE = r"(?:\d\d|2[AB])\d{3}"
"""A commune code from end to end: 01001, 2A004, 97101."""

MUNICIPAL_ARRONDISSEMENTS = {
    **{str(code): "75056" for code in range(75101, 75121)},
    **{str(code): "69123" for code in range(69381, 69390)},
    **{str(code): "13055" for code in range(13201, 13217)},
}
"""The 45 municipal arrondissements of Paris, Lyon and Marseille, and their commune."""

OUTSIDE_THE_SURVEY = frozenset({"975", "977", "978", "984", "986", "987", "988", "989"})
"""Overseas collectivities: INSEE and the DGCL print some of them, but the survey covers départements only."""

ISLANDS_OUTSIDE_EPCI = frozenset({"22016", "29083", "29155", "85113"})
"""Bréhat, Sein, Ouessant and Yeu: since 2017 the only communes that the law exempts from belonging to an EPCI
(CGCT, article L5210-1-1, V)."""

EVERY_COMMUNE_BELONGS_SINCE = 2017
"""First list of the DGCL in which all other communes belong to an EPCI."""


def departement_of(commune_code: str) -> str:
    """Département (or overseas collectivity) of a commune code of five characters."""
    return commune_code[:3] if commune_code[:2] in ("97", "98") else commune_code[:2]
