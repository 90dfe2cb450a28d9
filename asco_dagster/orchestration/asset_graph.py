"""The whole graph of assets as a step sees it, whichever part of it its run materialises."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from asco_dagster.errors import ConfigurationError
from asco_dagster.orchestration.checks import gate_name


def whole_graph(context: dg.AssetExecutionContext) -> Any:
    """The graph of the definitions that the run was made of: Dagster's ``AssetGraph``.

    The job of a run knows only what it materialises; its graph was selected from this one.
    """
    graph = context.job_def.asset_layer.asset_graph
    while graph.source_asset_graph is not graph:
        graph = graph.source_asset_graph
    return graph


def upstream(graph: Any, asset: str) -> list[str]:
    """Names of all assets that an asset depends on, directly or not.

    Args:
        graph: result of ``whole_graph``.
        asset: the name.

    Raises:
        ConfigurationError: the definitions leave some of them out, so that the list would be incomplete.
    """
    keys = graph.get_ancestor_asset_keys(dg.AssetKey(asset))
    unknown = sorted(key.path[-1] for key in keys if not graph.get(key).is_materializable)
    if unknown:
        raise ConfigurationError(
            f"the definitions of this run lack {', '.join(unknown)}, on which {asset} depends",
            remedy="Start it from asco_dagster.definitions, which has every layer",
        )
    return sorted(key.path[-1] for key in keys)


def downstream(graph: Any, assets: Sequence[str]) -> list[str]:
    """Names of all other assets that depend on some assets, directly or not."""
    found: set[dg.AssetKey] = set()
    waiting = [dg.AssetKey(name) for name in assets]
    while waiting:
        new = graph.get(waiting.pop()).child_keys - found
        found |= new
        waiting += new
    return sorted({key.path[-1] for key in found} - set(assets))


def dbt_tests_of(graph: Any, assets: Sequence[str]) -> list[dg.AssetCheckKey]:
    """The checks of assets besides their gates: dbt's tests."""
    checks = graph.get_check_keys_for_assets({dg.AssetKey(name) for name in assets})
    return sorted(check for check in checks if check.name != gate_name(check.asset_key.path[-1]))
