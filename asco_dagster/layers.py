"""The five layers, in the order of the data, and the prefix of their assets' names.

A layer is at once a folder, an asset group, a DuckDB schema, a dbt folder and a suite folder.
"""

import re
from types import MappingProxyType

PREFIXES = MappingProxyType(
    {
        "sources": "raw",
        "staging": "stg",
        "estimation": "est",
        "confidentiality": "sec",
        "publication": "pub",
    }
)
LAYERS = tuple(PREFIXES)
_NAME = re.compile(rf"^({'|'.join(PREFIXES.values())})_[a-z0-9]+__[a-z0-9_]+$")


def layer_of(asset: str) -> str:
    """The layer of an asset, from its prefix.

    Raises:
        ValueError: the name is not ``{prefix}_{source}__{entity}``.
    """
    if not _NAME.match(asset):
        raise ValueError(f"“{asset}” is not an asset name of the form prefix_source__entity")
    prefix = asset.split("_", 1)[0]
    return next(layer for layer, known in PREFIXES.items() if known == prefix)


def table_of(asset: str) -> str:
    """The DuckDB table of an asset, ``layer.asset``; safe to put in SQL, since the name was checked."""
    return f"{layer_of(asset)}.{asset}"
