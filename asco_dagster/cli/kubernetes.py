"""``asco kubernetes``: prints the manifests of a cluster."""

from typing import Annotated

import typer
import yaml

from asco_dagster.operations.services.workers.kubernetes import SECRETS, Cluster, manifests
from asco_dagster.storage.shared_store.objects import parts_of

SECRET = "asco-secrets"  # noqa: S105 (the name of one)


def kubernetes(
    image: Annotated[str, typer.Option(help="Image with this code and its extra “kubernetes”.")],
    store: Annotated[str, typer.Option(help="The shared store, s3://bucket/folder.")],
    namespace: Annotated[str, typer.Option(help="Namespace of every object.")] = "asco",
    secret: Annotated[str, typer.Option(help="Name of the Secret with keys and addresses.")] = SECRET,
    endpoint: Annotated[str | None, typer.Option(help="Endpoint of a store other than AWS S3.")] = None,
    memory: Annotated[str, typer.Option(help="Memory of a run.")] = "8Gi",
    cpu: Annotated[str, typer.Option(help="Cores of a run.")] = "2",
    disk: Annotated[str, typer.Option(help="Disk space of a run.")] = "20Gi",
) -> None:
    """Print manifests for kubectl apply -f -: web server and daemon in one pod, each run in its own pod.

    Example: asco kubernetes --image registry.example.org/asco:1 --store s3://asco/store | kubectl apply -f -
    """
    parts_of(store)
    cluster = Cluster(image, store, namespace, secret, endpoint, memory, cpu, disk)
    typer.echo(f"# The Secret {secret} of namespace {namespace} must hold {', '.join(SECRETS)}.")
    typer.echo(yaml.safe_dump_all(manifests(cluster), sort_keys=False), nl=False)
