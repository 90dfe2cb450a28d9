"""``asco kubernetes``: print the manifests of a cluster (``operations.workers.kubernetes``)."""

from typing import Annotated

import typer

SECRET = "asco-secrets"  # noqa: S105 (the name of one)


def kubernetes(
    image: Annotated[str, typer.Option(help="Image with this code and its extra kubernetes.")],
    store: Annotated[str, typer.Option(help="The shared store, s3://bucket/folder.")],
    namespace: Annotated[str, typer.Option(help="Where everything stands.")] = "asco",
    secret: Annotated[str, typer.Option(help="Name of the Secret with keys and addresses.")] = SECRET,
    endpoint: Annotated[str | None, typer.Option(help="Address of a store beside AWS' own.")] = None,
    memory: Annotated[str, typer.Option(help="Memory of a run.")] = "8Gi",
    cpu: Annotated[str, typer.Option(help="Cores of a run.")] = "2",
    disk: Annotated[str, typer.Option(help="Disk of a run's home.")] = "20Gi",
) -> None:
    """Print what kubectl apply -f - takes: pages and daemon in one pod, each run in a pod of its own."""
    import yaml

    from asco_dagster.operations.workers.kubernetes import SECRETS, Wanted, manifests
    from asco_dagster.storage.shared_store.objects import parts_of

    parts_of(store)
    wanted = Wanted(image, store, namespace, secret, endpoint, memory, cpu, disk)
    typer.echo(f"# The Secret {secret} of namespace {namespace} must hold {', '.join(SECRETS)}.")
    typer.echo(yaml.safe_dump_all(manifests(wanted), sort_keys=False), nl=False)
