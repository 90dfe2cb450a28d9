"""Legal forms (*natures*) of intermunicipal bodies: every spelling that publishers use, in one vocabulary.

Sources: DGCL, BANATIC (*nature juridique*), INSEE. A form that is missing here is refused by the reader that
meets it, so that no body is lost without a word.
"""

import re
import unicodedata
from typing import Literal, NamedTuple

Kind = Literal["own_tax", "territory", "other"]
"""``own_tax``: an EPCI with a tax of its own, of which a commune has one at most; ``territory``: inside the
métropole du Grand Paris, of which a commune has one beside the métropole; ``other``: syndicates, poles."""


class Nature(NamedTuple):
    """A legal form: its code here and its kind."""

    code: str
    kind: Kind


_SPELLINGS: dict[Nature, tuple[str, ...]] = {
    Nature("CC", "own_tax"): ("CC", "Communauté de communes"),
    Nature("CA", "own_tax"): ("CA", "Communauté d'agglomération"),
    Nature("CU", "own_tax"): ("CU", "Communauté urbaine"),
    Nature("METRO", "own_tax"): (
        "METRO",
        "ME",
        "MET",
        "METR",
        "MGP",
        "Métropole",
        "Métropole de droit commun",
        "Métropole à statut particulier",
        "Métropole du Grand Paris",
        "Métropole d'Aix-Marseille-Provence",
    ),
    Nature("MET69", "own_tax"): (
        "MET69",
        "METRO69",
        "METLYON",
        "ML",
        "Métropole de Lyon",
        "Collectivité à statut particulier",
    ),
    Nature("SAN", "own_tax"): ("SAN", "Syndicat d'agglomération nouvelle"),
    Nature("CV", "own_tax"): ("CV", "Communauté de villes"),
    Nature("DISTRICT", "own_tax"): ("DISTRICT", "District urbain"),
    Nature("EPT", "territory"): ("EPT", "Établissement public territorial"),
    Nature("SIVU", "other"): ("SIVU", "Syndicat intercommunal à vocation unique"),
    Nature("SIVOM", "other"): (
        "SIVOM",
        "Syndicat intercommunal à vocation multiple",
        "Syndicat intercommunal à vocations multiples",
    ),
    Nature("SMF", "other"): ("SMF", "SM fermé", "Syndicat mixte fermé"),
    Nature("SMO", "other"): ("SMO", "SM ouvert", "Syndicat mixte ouvert"),
    Nature("SM", "other"): ("SM", "Syndicat mixte"),
    Nature("POLEM", "other"): ("POLEM", "PM", "Pôle métropolitain"),
    Nature("PETR", "other"): ("PETR", "Pôle d'équilibre territorial et rural"),
    Nature("EPTB", "other"): ("EPTB", "Établissement public territorial de bassin"),
    Nature("EPAGE", "other"): (
        "EPAGE",
        "Établissement public d'aménagement et de gestion des eaux",
        "Établissement public d'aménagement et de gestion de l'eau",
    ),
    Nature("EPCC", "other"): ("EPCC", "Établissement public de coopération culturelle"),
    Nature("AUTRE", "other"): ("AUTRE", "Entente", "Entente interdépartementale", "Institution"),
}
_PLURALS = re.compile(r"(?<=[A-Z]{2})S\b")
_NOT_A_WORD = re.compile(r"[^A-Z0-9]+")


def nature_of(text: str) -> Nature | None:
    """The legal form that a publisher's text names; None for one that the vocabulary lacks.

    Case, accents, punctuation, plural and anything in brackets do not count: ``Communautés d’agglomération``,
    ``CA`` and ``Communauté d'agglomération (CA)`` are one form.
    """
    return _BY_SPELLING.get(_plain(text)) or _BY_SPELLING.get(_plain(text.split("(")[0]))


def known_natures() -> str:
    """Every code of the vocabulary, for a message."""
    return ", ".join(nature.code for nature in _SPELLINGS)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().upper()
    words = _NOT_A_WORD.sub(" ", letters).strip()
    return _PLURALS.sub("", words) if " " in words or len(words) > 6 else words


_BY_SPELLING = {
    _plain(spelling): nature for nature, spellings in _SPELLINGS.items() for spelling in spellings
}
