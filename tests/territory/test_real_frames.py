"""The frames of both waves on the publishers' real files, to the last commune and inhabitant."""

import pandas as pd
import pytest

from asco_dagster.demonstration.frame import commune_frame, epci_frame, real_territory
from asco_dagster.demonstration.passage_file import passage_pairs
from asco_dagster.territory.vintages import Reconciled, reconcile
from asco_dagster.waves import load_wave
from asco_testing import REAL

pytestmark = pytest.mark.real
COUNTS = {
    "2014": (36_664, 65_564_700, 2_145),
    # INSEE counts 34,935 communes on 1 January 2024.
    "2025": (34_935, 67_664_570, 1_255),
}


def _real(name: str, with_passage: bool) -> Reconciled:
    if not REAL.is_dir():
        pytest.skip("the publishers' real files are not beside this checkout (../shared/data/real)")
    wave = load_wave(name)
    territory = real_territory(wave, REAL)
    none = pd.DataFrame({"former_code": [], "commune_code": []}, dtype="object")
    return reconcile(
        territory.members.rename(columns={"listed_population": "population"}),
        territory.populations,
        passage_pairs(territory) if with_passage else none,
        list_year=wave.sources.epci_members[0].vintage,
    )


@pytest.mark.parametrize(("name", "with_passage"), [("2014", False), ("2025", False), ("2025", True)])
def test_communes_inhabitants_and_epci(name: str, with_passage: bool) -> None:
    communes = _real(name, with_passage).communes
    found = len(communes), int(communes["population"].sum()), communes["epci_siren"].nunique()
    assert found == COUNTS[name]


def test_with_and_without_a_passage_the_list_of_2024_is_the_same_territory() -> None:
    both = [_real("2025", with_passage) for with_passage in (False, True)]
    pd.testing.assert_frame_equal(*(found.communes.drop(columns="commune_name") for found in both))
    kinds = [found.cases["kind"].value_counts().to_dict() for found in both]
    assert kinds[0] == kinds[1]
    assert kinds[0] == {
        "arrondissement_folded": 45,
        "counted_within": 3,
        "listed_within": 13,
        "not_counted": 17,
        "outside_epci": 4,
        "recounted": 13,
    }


def test_the_demonstration_draws_from_the_same_frame() -> None:
    if not REAL.is_dir():
        pytest.skip("the publishers' real files are not beside this checkout (../shared/data/real)")
    wave = load_wave("2025")
    territory = real_territory(wave, REAL)
    communes = commune_frame(territory, wave, passage_pairs(territory))
    assert (len(communes), int(communes["population"].sum())) == COUNTS["2025"][:2]
    assert len(epci_frame(communes, territory, wave)) == COUNTS["2025"][2]
