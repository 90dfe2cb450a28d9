"""Kubernetes manifests: one pod with web server and daemon, each run a Job with a temporary home.

The home of a run is filled from the shared store and uploaded again, so that no volume outlives a pod.
Secrets are named and never rendered.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from asco_dagster.operations.instance import configuration

HOME = Path("/var/asco")
SECRETS = (
    *("ASCO_POSTGRES_URL", "DAGSTER_PG_URL", "ASCO_PSEUDONYM_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)
"""What the Secret must hold; also ``ASCO_DATABASE_KEY`` and settings of messages where they are used."""


@dataclass(frozen=True)
class Cluster:
    """What differs between clusters.

    Attributes:
        image: image with this code and its extra ``kubernetes``.
        store: ``s3://bucket/folder``.
        namespace: namespace of every object.
        secret: name of the Secret that holds ``SECRETS``.
        endpoint: ``https://…`` of a store other than AWS S3.
        memory: of a run, in Kubernetes' notation.
        cpu: of a run.
        disk: of a run's home.
    """

    image: str
    store: str
    namespace: str = "asco"
    secret: str = "asco-secrets"  # noqa: S105 (the name of one)
    endpoint: str | None = None
    memory: str = "8Gi"
    cpu: str = "2"
    disk: str = "20Gi"


def manifests(cluster: Cluster) -> list[dict[str, Any]]:
    """Every object of the cluster, in the order in which they are applied."""
    instance = yaml.safe_dump(instance_configuration(cluster), sort_keys=False)
    found = _filled("cluster.yaml", cluster, instance=instance, settings=settings_of(cluster))
    for one in found:
        name = one["metadata"]["name"]
        labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "asco"}
        one["metadata"] = {"name": name, "namespace": cluster.namespace, "labels": labels}
    return found


def instance_configuration(cluster: Cluster) -> dict[str, Any]:
    """``dagster.yaml`` of the cluster: that of any machine, with Kubernetes' run launcher."""
    launcher = {
        "module": "dagster_k8s.launcher",
        "class": "K8sRunLauncher",
        "config": launcher_configuration(cluster),
    }
    return configuration(HOME / "dagster", launcher)


def launcher_configuration(cluster: Cluster) -> dict[str, Any]:
    """Configuration of ``dagster_k8s.K8sRunLauncher``."""
    (found,) = _filled("launcher.yaml", cluster)
    return found


def settings_of(cluster: Cluster) -> dict[str, str]:
    """Settings of every pod that are not secret."""
    settings = {"ASCO_HOME": str(HOME), "ASCO_STORE": cluster.store, "DAGSTER_DISABLE_TELEMETRY": "1"}
    return settings | ({"AWS_ENDPOINT_URL_S3": cluster.endpoint} if cluster.endpoint else {})


def _filled(template: str, cluster: Cluster, **more: Any) -> list[dict[str, Any]]:
    """The documents of a template; JSON of a value is YAML for it."""
    values = {name: json.dumps(value) for name, value in {**asdict(cluster), **more}.items()}
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(Template(text).substitute(values)))
