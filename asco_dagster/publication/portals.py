"""Data portals that take a release: which kind an address belongs to.

``portal`` is what all kinds share, ``udata`` and ``opendatasoft`` are the kinds.
"""

from pathlib import Path

from asco_dagster.errors import ConfigurationError
from asco_dagster.publication import opendatasoft, udata
from asco_dagster.publication.destinations import Pushed
from asco_dagster.publication.portal import FORMS, Portal

_SAFE = ("https://", "http://127.0.0.1", "http://localhost")


def push_to_portal(release: Path, dataset: str, key: str) -> Pushed:
    """Upload the tables and metadata of a release to a dataset of a portal; its address shows which kind.

    Args:
        release: the release folder.
        dataset: API address of the dataset, in one of ``FORMS``.
        key: the API key.

    Raises:
        ConfigurationError: the address is neither https nor this machine's, or of no known kind.
        ReleaseError: the portal refuses, cannot be reached, or holds another release under this version.
    """
    if not dataset.startswith(_SAFE):
        raise ConfigurationError("the portal's address is not https", expected=FORMS)
    for kind in (udata, opendatasoft):
        if kind.PLACE in dataset:
            with Portal(dataset, kind.header(key)) as portal:
                return kind.push(release, portal)
    raise ConfigurationError(
        f"{dataset} is the address of no dataset in a known kind of portal",
        expected=FORMS,
        remedy="Take the address from the documentation of the portal's API",
    )
