"""The graph itself: a changed asset, edge, group, check or partition is a reviewed difference.

When the change is meant, make the snapshot again: ``python tests/test_graph.py``.
"""

import json
from pathlib import Path

from asco_dagster.installation import DBT_PROJECT, EXPECTATIONS
from asco_dagster.layers import LAYERS, layer_of

SNAPSHOT = Path(__file__).with_name("graph.json")


def _graph() -> dict:
    from asco_dagster.definitions import defs

    graph = defs.resolve_asset_graph()
    return {
        key.path[-1]: {
            "group": graph.get(key).group_name,
            "reads": sorted(parent.path[-1] for parent in graph.get(key).parent_keys),
            "checks": sorted(check.name for check in graph.get(key).check_keys),
            "partitions": graph.get(key).partitions_def.get_partition_keys(),
        }
        for key in sorted(graph.get_all_asset_keys())
    }


def test_the_graph_is_the_reviewed_one() -> None:
    assert _graph() == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_folder_group_schema_and_prefix_are_one() -> None:
    for name, node in _graph().items():
        assert node["group"] == layer_of(name)


def test_data_flows_one_way() -> None:
    order = {layer: position for position, layer in enumerate(LAYERS)}
    for name, node in _graph().items():
        # the release reads no table of former layers, but waits for their gates; the report counts in them
        behind_all = ("pub_asco__release", "pub_asco__quality_report")
        for parent in node["reads"] if name not in behind_all else []:
            assert order[layer_of(parent)] <= order[layer_of(name)], f"{name} reads {parent}"
            assert order[layer_of(name)] - order[layer_of(parent)] <= 1, f"{name} skips a layer to {parent}"


def test_every_asset_has_a_gate_with_a_suite() -> None:
    from asco_dagster.gates.suite import load_suite

    for name, node in _graph().items():
        assert f"gx__{name}" in node["checks"]
        assert load_suite(name).expectations


def test_the_release_stands_behind_every_gate() -> None:
    graph = _graph()
    upstream, front = set(), {"pub_asco__release"}
    while front:
        front = {parent for name in front for parent in graph[name]["reads"]} - upstream
        upstream |= front
    behind = {name for name, node in graph.items() if "pub_asco__release" in node["reads"]}
    assert upstream == set(graph) - behind - {"pub_asco__release"}


def test_every_suite_has_an_asset() -> None:
    suites = {path.stem for path in EXPECTATIONS.rglob("*.json")}
    assert suites == set(_graph())


def test_every_model_says_its_grain_first() -> None:
    for path in (DBT_PROJECT / "models").rglob("*.sql"):
        assert path.read_text().startswith("-- One row per "), path.name
        described = path.with_suffix(".yml")
        assert described.is_file(), f"{path.name} has no .yml beside it"
        assert "description: One row per " in described.read_text(), described.name


def test_methods_import_neither_dagster_nor_duckdb() -> None:
    folder = Path(__file__).parents[1] / "asco_dagster" / "methods"
    for path in folder.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.strip().startswith(
                ("import dagster", "from dagster", "import duckdb", "from duckdb")
            )


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(_graph(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
