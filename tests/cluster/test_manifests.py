"""The manifests fit the operator's schema, what Kubernetes asks of safe pods, and their own entry points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipelines.cli import parse
from tests.cluster.manifests import (
    JOBS,
    RAY_MANIFESTS,
    Manifest,
    cluster_spec,
    crd_folder,
    crd_schema,
    entry_point,
    groups,
    manifest,
    pods,
    prerequisites,
    ray_container,
    read,
    size,
)

DECODER_CPUS = 0.5
GPU = "nvidia.com/gpu"

needs_crds = pytest.mark.skipif(
    crd_folder() is None, reason="no CRDs: set STREAMER_KUBERAY_CRDS to the folder of KubeRay's crd/bases"
)
every_manifest = pytest.mark.parametrize("name", RAY_MANIFESTS)


def schema_errors(document: Manifest) -> list[str]:
    validator = Draft202012Validator(crd_schema(document["kind"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def misspell_shutdown(job: Manifest) -> None:
    job["spec"]["shutdownAfterJobFinish"] = job["spec"].pop("shutdownAfterJobFinishes")


def misplace_mounts(job: Manifest) -> None:
    template = groups(job)[1]["template"]["spec"]
    template["volumeMounts"] = template["containers"][0].pop("volumeMounts")


def number_as_parameter(job: Manifest) -> None:
    groups(job)[0]["rayStartParams"]["num-cpus"] = 0


def forget_group_name(job: Manifest) -> None:
    del groups(job)[1]["groupName"]


def list_as_environment_value(job: Manifest) -> None:
    ray_container(groups(job)[0])["env"][-1]["value"] = ["60"]


@needs_crds
@every_manifest
def test_it_fits_the_schema_of_the_operator(name: str) -> None:
    assert schema_errors(manifest(name)) == []


@needs_crds
@pytest.mark.parametrize(
    "spoil",
    [
        misspell_shutdown,
        misplace_mounts,
        number_as_parameter,
        forget_group_name,
        list_as_environment_value,
    ],
)
def test_the_schema_catches_a_slip(spoil: Callable[[Manifest], None]) -> None:
    job = manifest("train.yaml")
    spoil(job)
    assert schema_errors(job)


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="given twice: a"):
        read("{a: 1, b: {a: 1}, a: 2}")


@every_manifest
def test_every_pod_may_run_where_the_restricted_profile_is_enforced(name: str) -> None:
    for pod in pods(manifest(name)):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all("hostPath" not in volume for volume in pod.get("volumes", []))
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


@every_manifest
def test_every_container_gets_exactly_what_it_asks_for(name: str) -> None:
    for pod in pods(manifest(name)):
        for container in pod["containers"]:
            resources = container["resources"]
            assert resources["requests"] == resources["limits"]
            assert {"cpu", "memory"} <= set(resources["limits"])


@every_manifest
def test_shared_memory_holds_the_object_store_and_counts_within_the_memory(name: str) -> None:
    for group in groups(manifest(name)):
        (shm,) = (v["emptyDir"] for v in group["template"]["spec"]["volumes"] if v["name"] == "shm")
        assert shm["medium"] == "Memory"
        memory = size(ray_container(group)["resources"]["limits"]["memory"])
        assert int(group["rayStartParams"]["object-store-memory"]) < size(shm["sizeLimit"]) < memory / 2


@every_manifest
def test_all_nodes_see_the_same_folders_and_cannot_write_videos(name: str) -> None:
    claims = {claim for kind, claim in prerequisites() if kind == "PersistentVolumeClaim"}
    mounts = [ray_container(group)["volumeMounts"] for group in groups(manifest(name))]
    assert all(mount == mounts[0] for mount in mounts)
    by_path = {mount["mountPath"]: mount for mount in mounts[0]}
    assert by_path["/videos"]["readOnly"] is True
    assert not by_path["/runs"].get("readOnly")
    for group in groups(manifest(name)):
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        assert set(volumes) == {mount["name"] for mount in mounts[0]}
        used = {v["persistentVolumeClaim"]["claimName"] for v in volumes.values() if "emptyDir" not in v}
        assert used == claims
        assert group["template"]["spec"]["securityContext"]["fsGroup"] == 1000


def test_the_volumes_can_be_mounted_on_many_nodes() -> None:
    claims = [d for (kind, _), d in prerequisites().items() if kind == "PersistentVolumeClaim"]
    assert claims
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in claims)


@every_manifest
def test_the_driver_learns_of_mlflow_from_a_secret_that_may_be_absent(name: str) -> None:
    environment = {entry["name"]: entry for entry in ray_container(groups(manifest(name))[0])["env"]}
    reference = environment["MLFLOW_TRACKING_URI"]["valueFrom"]["secretKeyRef"]
    assert reference["optional"] is True
    assert reference["key"] in prerequisites()["Secret", reference["name"]]["stringData"]


@every_manifest
def test_no_work_lands_on_the_head(name: str) -> None:
    assert groups(manifest(name))[0]["rayStartParams"]["num-cpus"] == "0"


@every_manifest
def test_startup_probes_leave_the_other_probes_to_the_operator(name: str) -> None:
    for group in groups(manifest(name)):
        container = ray_container(group)
        assert "wget" in container["startupProbe"]["exec"]["command"][-1]
        assert not {"livenessProbe", "readinessProbe"} & set(container)


@every_manifest
def test_pods_with_gpus_tolerate_the_taint_of_gpu_nodes_and_others_do_not(name: str) -> None:
    for group in groups(manifest(name)):
        tolerated = {entry["key"] for entry in group["template"]["spec"].get("tolerations", [])}
        assert (GPU in tolerated) == (GPU in ray_container(group)["resources"]["limits"])


@every_manifest
def test_everything_lies_in_the_namespace_of_the_prerequisites(name: str) -> None:
    ((_, namespace),) = (key for key in prerequisites() if key[0] == "Namespace")
    others = [d for (kind, _), d in prerequisites().items() if kind != "Namespace"]
    assert {d["metadata"]["namespace"] for d in [manifest(name), *others]} == {namespace}


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_cleans_up_and_retries(name: str) -> None:
    spec = manifest(name)["spec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert 0 < spec["ttlSecondsAfterFinished"] <= 3600
    assert 0 < spec["preRunningDeadlineSeconds"] < spec["activeDeadlineSeconds"]
    assert spec["backoffLimit"] > 0


@pytest.mark.parametrize("name", JOBS)
def test_a_retry_goes_on_with_the_run_on_the_shared_volume(name: str) -> None:
    command, words = entry_point(manifest(name))
    config = parse(command, words)
    assert config.fresh is False, "a retry would start over"
    assert config.out.startswith("/runs/")
    assert config.inputs == ["/videos"]
    assert config.cache is None or config.cache.startswith("/runs/")


def test_segmentation_uses_the_run_that_training_makes() -> None:
    trained, segmented = (parse(*entry_point(manifest(name))) for name in JOBS)
    assert segmented.model == trained.out
    assert segmented.out != trained.out


def cluster_total(document: Manifest, resource: str) -> float:
    """Of all worker groups; the head offers none."""
    return sum(
        group["replicas"] * float(ray_container(group)["resources"]["limits"].get(resource, 0))
        for group in cluster_spec(document)["workerGroupSpecs"]
    )


def decoding_cpus(config: Any) -> float:
    return DECODER_CPUS * config.lanes * config.decoders


def test_training_fits_its_cluster() -> None:
    document = manifest("train.yaml")
    config = parse(*entry_point(document))
    assert config.workers == cluster_total(document, GPU)
    assert config.workers * (1 + decoding_cpus(config)) <= cluster_total(document, "cpu")


def test_segmentation_fits_its_cluster() -> None:
    document = manifest("segment.yaml")
    config = parse(*entry_point(document))
    assert config.workers * config.gpus_per_worker <= cluster_total(document, GPU)
    cpus = config.workers * (config.cpus_per_worker + decoding_cpus(config))
    assert cpus <= cluster_total(document, "cpu")
