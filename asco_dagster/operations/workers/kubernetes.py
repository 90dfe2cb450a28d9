"""What a Kubernetes cluster is told: Dagster's configuration with its run launcher, and its manifests.

Pure: names in, dictionaries out. One pod holds the pages and the daemon; each run is a Job with an empty
home of its own, filled from the store and stored again, so that nothing needs a volume that outlives a pod.
Secrets are named and never rendered. What does not belong here: printing (``cli/kubernetes.py``), the
image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asco_dagster.operations.instance import configuration
from asco_dagster.operations.workers.manifests import (
    account,
    config_map,
    deployment,
    mounted_home,
    pod_security,
    role,
    role_binding,
    service,
)

HOME = Path("/var/asco")
DAGSTER_HOME = "/opt/dagster/dagster_home"
INSTANCE, SETTINGS, UP, RUN = "asco-instance", "asco-settings", "asco-up", "asco-run"
SECRETS = (
    *("ASCO_POSTGRES_URL", "DAGSTER_PG_URL", "ASCO_PSEUDONYM_KEY"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)
"""What the Secret must hold; ``ASCO_DATABASE_KEY`` and those of messages where they are used."""


@dataclass(frozen=True)
class Wanted:
    """What differs from one cluster to the next.

    Attributes:
        image: image with this code and its extra ``kubernetes``.
        store: ``s3://bucket/folder``.
        namespace: where everything stands.
        secret: name of the Secret that holds ``SECRETS``.
        endpoint: of a store beside AWS' own, ``https://…``.
        memory: of a run, as Kubernetes writes it.
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


def manifests(wanted: Wanted) -> list[dict[str, Any]]:
    """Every object of the cluster, in the order in which they are applied.

    Args:
        wanted: what differs from one cluster to the next.
    """
    instance = yaml.safe_dump(instance_configuration(wanted), sort_keys=False)
    return [
        account(UP, wanted.namespace),
        account(RUN, wanted.namespace),
        role(UP, wanted.namespace),
        role_binding(UP, wanted.namespace),
        config_map(INSTANCE, wanted.namespace, {"dagster.yaml": instance}),
        config_map(SETTINGS, wanted.namespace, settings_of(wanted)),
        deployment(
            UP,
            wanted.namespace,
            {
                "pages": ["python", "-m", _WEBSERVER, "-h", "0.0.0.0", "-p", "3000", *_CODE],  # noqa: S104
                "daemon": ["dagster-daemon", "run", *_CODE],
            },
            image=wanted.image,
            environment=_environment(wanted),
            variables={"DAGSTER_HOME": DAGSTER_HOME},
            instance=(INSTANCE, DAGSTER_HOME),
            home=str(HOME),
        ),
        service(UP, wanted.namespace),
    ]


def instance_configuration(wanted: Wanted) -> dict[str, Any]:
    """``dagster.yaml`` of the cluster: the one of any machine, with Kubernetes' launcher."""
    launcher = {
        "module": "dagster_k8s.launcher",
        "class": "K8sRunLauncher",
        "config": launcher_configuration(wanted),
    }
    return configuration(HOME / "dagster", launcher)


def launcher_configuration(wanted: Wanted) -> dict[str, Any]:
    """Configuration of ``dagster_k8s.K8sRunLauncher``: a pod a run, without rights in the cluster."""
    volume, mount = mounted_home(str(HOME), wanted.disk)
    return {
        "service_account_name": RUN,
        "job_image": wanted.image,
        "job_namespace": wanted.namespace,
        "instance_config_map": INSTANCE,
        "dagster_home": DAGSTER_HOME,
        "env_config_maps": [SETTINGS],
        "env_secrets": [wanted.secret],
        "volumes": [volume],
        "volume_mounts": [mount],
        "labels": {"app.kubernetes.io/name": RUN},
        "fail_pod_on_run_failure": True,
        "resources": {
            "requests": {"cpu": wanted.cpu, "memory": wanted.memory},
            "limits": {"memory": wanted.memory},
        },
        "security_context": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "run_k8s_config": {
            "pod_spec_config": {"automountServiceAccountToken": False, "securityContext": pod_security()},
            # Dagster retries a run itself, and a run that is over explains itself in the pages
            "job_spec_config": {"backoffLimit": 0, "ttlSecondsAfterFinished": 86400},
        },
    }


def settings_of(wanted: Wanted) -> dict[str, str]:
    """Settings of every pod that are no secret."""
    told = {"ASCO_HOME": str(HOME), "ASCO_STORE": wanted.store, "DAGSTER_DISABLE_TELEMETRY": "1"}
    return told | ({"AWS_ENDPOINT_URL_S3": wanted.endpoint} if wanted.endpoint else {})


def _environment(wanted: Wanted) -> list[Mapping[str, Any]]:
    return [{"configMapRef": {"name": SETTINGS}}, {"secretRef": {"name": wanted.secret}}]


_WEBSERVER = "asco_dagster.operations.dagster_webserver"
_CODE = ["-m", "asco_dagster.definitions", "-a", "defs"]
