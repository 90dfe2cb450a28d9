"""What Kubernetes receives holds by dagster-k8s's own schema and by Kubernetes' own, offline."""

import json
from typing import Any

import kubernetes_validate
import pytest
import yaml
from dagster import DagsterRun
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher
from typer.testing import CliRunner

from asco_dagster.cli.main import app
from asco_dagster.operations.services.workers.kubernetes import (
    SECRETS,
    Cluster,
    instance_configuration,
    launcher_configuration,
    manifests,
    settings_of,
)
from asco_dagster.settings import DECLARED

WANTED = Cluster("registry.example/asco:1.0.0", "s3://office/asco", endpoint="https://s3.example")
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "manifest", manifests(WANTED), ids=lambda own: f"{own['kind']}-{own['metadata']['name']}"
)
def test_every_manifest_holds_by_kubernetes_schema(manifest: dict[str, Any], version: str) -> None:
    judged_by = kubernetes_validate.validate(manifest, version, strict=True)  # raises where it does not hold
    assert version.startswith(judged_by)


def test_the_schema_refuses_what_is_wrong() -> None:
    broken = json.loads(json.dumps(manifests(WANTED)[-2]))
    broken["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, NEWEST, strict=True)


def test_the_launcher_holds_by_dagsters_schema() -> None:
    schema = resolve_to_config_type(K8sRunLauncher.config_type())
    assert process_config(schema, launcher_configuration(WANTED)).success
    broken = process_config(schema, {**launcher_configuration(WANTED), "job_imagee": "x"})
    assert not broken.success


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_pod_of_a_run_is_what_dagster_makes_of_it(monkeypatch, version: str) -> None:
    import kubernetes
    from dagster_k8s.job import construct_dagster_k8s_job

    monkeypatch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: None)
    launcher = K8sRunLauncher(**launcher_configuration(WANTED))
    context = launcher.get_container_context_for_run(DagsterRun("wave_job", "1" * 32, tags={}))
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config(None, launcher),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run-1",
        pod_name="dagster-run-1",
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    told = kubernetes.client.ApiClient().sanitize_for_serialization(job)
    kubernetes_validate.validate(told, version, strict=True)
    pod = told["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {"secretRef": {"name": "asco-secrets"}} in container["envFrom"]
    assert any(volume.get("emptyDir") for volume in pod["volumes"])
    assert told["spec"]["backoffLimit"] == 0


def test_nothing_needs_a_volume_that_outlives_a_pod_and_no_secret_is_rendered() -> None:
    text = yaml.safe_dump_all(manifests(WANTED))
    assert "PersistentVolume" not in text
    assert "kind: Secret" not in text
    values = [value for own in manifests(WANTED) if own["kind"] == "ConfigMap" for value in own["data"]]
    assert not {*values} & {*SECRETS}


def test_every_setting_is_one_that_is_declared() -> None:
    named = [name for name in (*settings_of(WANTED), *SECRETS) if name.startswith("ASCO_")]
    assert not [name for name in named if name not in DECLARED]


def test_the_storage_is_the_one_of_the_secret() -> None:
    told = instance_configuration(WANTED)
    assert told["storage"] == {"postgres": {"postgres_url": {"env": "DAGSTER_PG_URL"}}}
    assert told["run_launcher"]["class"] == "K8sRunLauncher"
    assert "DAGSTER_PG_URL" in SECRETS


def test_the_command_prints_what_kubectl_takes() -> None:
    done = CliRunner().invoke(app, ["kubernetes", "--image", WANTED.image, "--store", WANTED.store])
    assert done.exit_code == 0, done.output
    kinds = [own["kind"] for own in yaml.safe_load_all(done.output)]
    assert kinds.count("Deployment") == 1
    assert done.output.startswith("# The Secret asco-secrets of namespace asco must hold ASCO_POSTGRES_URL")
