"""The forms of Kubernetes' objects, one function a kind: names in, a dictionary out.

What does not belong here: which objects there are and what they are called (``kubernetes``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

USER = 10001
PORT = 3000


def account(name: str, namespace: str) -> dict[str, Any]:
    """A service account, whose token no pod gets unless it asks."""
    return {**_object("v1", "ServiceAccount", name, namespace), "automountServiceAccountToken": False}


def role(name: str, namespace: str) -> dict[str, Any]:
    """What the launcher of runs may do: start, watch and delete Jobs, and read what their pods say."""
    jobs = ["create", "get", "list", "watch", "delete", "patch"]
    return {
        **_object("rbac.authorization.k8s.io/v1", "Role", name, namespace),
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs", "jobs/status"], "verbs": jobs},
            {
                "apiGroups": [""],
                "resources": ["pods", "pods/log", "pods/status", "events"],
                "verbs": ["get", "list", "watch"],
            },
        ],
    }


def role_binding(name: str, namespace: str) -> dict[str, Any]:
    """Gives the role to the account of the same name."""
    return {
        **_object("rbac.authorization.k8s.io/v1", "RoleBinding", name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def config_map(name: str, namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Texts that are no secret."""
    return {**_object("v1", "ConfigMap", name, namespace), "data": dict(data)}


def service(name: str, namespace: str) -> dict[str, Any]:
    """The pages, within the cluster only: Dagster has no users, so a proxy with some must stand before it."""
    return {
        **_object("v1", "Service", name, namespace),
        "spec": {
            "type": "ClusterIP",
            "selector": _labels(name),
            "ports": [{"name": "pages", "port": PORT, "targetPort": PORT}],
        },
    }


def deployment(
    name: str,
    namespace: str,
    commands: Mapping[str, Sequence[str]],
    *,
    image: str,
    environment: Sequence[Mapping[str, Any]],
    variables: Mapping[str, str],
    instance: tuple[str, str],
    home: str,
) -> dict[str, Any]:
    """One pod with a container a command, which share a home.

    Args:
        name: of the deployment, and of its account.
        namespace: where it stands.
        commands: command of each container.
        image: of all containers.
        environment: where variables come from.
        variables: variables beside them.
        instance: the config map with ``dagster.yaml``, and the folder where it is seen.
        home: folder of the home.
    """
    volume, mount = mounted_home(home, "5Gi")
    mounts = [
        mount,
        {"name": "instance", "mountPath": f"{instance[1]}/dagster.yaml", "subPath": "dagster.yaml"},
    ]
    containers: list[dict[str, Any]] = [
        {
            "name": container,
            "image": image,
            "command": list(command),
            "envFrom": list(environment),
            "env": [{"name": key, "value": value} for key, value in variables.items()],
            "volumeMounts": mounts,
            "resources": {
                "requests": {"cpu": "250m", "memory": "1Gi"},
                "limits": {"memory": "2Gi"},
            },
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        for container, command in commands.items()
    ]
    containers[0] |= {
        "ports": [{"name": "pages", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/server_info", "port": PORT}, "periodSeconds": 10},
    }
    return {
        **_object("apps/v1", "Deployment", name, namespace),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # two daemons would both launch what the queue holds
            "selector": {"matchLabels": _labels(name)},
            "template": {
                "metadata": {"labels": _labels(name)},
                "spec": {
                    "serviceAccountName": name,
                    "automountServiceAccountToken": True,
                    "securityContext": pod_security(),
                    "containers": containers,
                    "volumes": [volume, {"name": "instance", "configMap": {"name": instance[0]}}],
                },
            },
        },
    }


def mounted_home(folder: str, size: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A home that ends with its pod: the volume, and where it is mounted."""
    return {"name": "home", "emptyDir": {"sizeLimit": size}}, {"name": "home", "mountPath": folder}


def pod_security() -> dict[str, Any]:
    """No pod runs as root; its volumes are its user's."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _object(version: str, kind: str, name: str, namespace: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": _labels(name)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "asco"}
