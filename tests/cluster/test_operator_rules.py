"""The manifests keep the operator's rules, and every rule catches what it is for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.manifests import RAY_MANIFESTS, Manifest, cluster_spec, manifest, ray_container
from tests.cluster.operator_rules import complaints

Spoil = Callable[[Manifest], object]


def spec(job: Manifest) -> Manifest:
    return job["spec"]


def head(job: Manifest) -> Manifest:
    return cluster_spec(job)["headGroupSpec"]


def worker(job: Manifest) -> Manifest:
    return cluster_spec(job)["workerGroupSpecs"][0]


def set_head_environment(job: Manifest, name: str, value: str) -> None:
    ray_container(head(job))["env"].append({"name": name, "value": value})


def enable_autoscaler_v2(job: Manifest) -> None:
    cluster_spec(job).update(enableInTreeAutoscaling=True, autoscalerOptions={"version": "v2"})


def use_rules(job: Manifest, *rules: tuple[str, int]) -> None:
    spec(job).update(shutdownAfterJobFinishes=False, ttlSecondsAfterFinished=0)
    condition = {"jobStatus": "FAILED"}
    spec(job)["deletionStrategy"] = {
        "deletionRules": [
            {"policy": policy, "condition": condition | {"ttlSeconds": ttl}} for policy, ttl in rules
        ]
    }


def keep_rules_and_shutdown(job: Manifest) -> None:
    use_rules(job, ("DeleteCluster", 1))
    spec(job)["shutdownAfterJobFinishes"] = True


def select_a_cluster(job: Manifest) -> None:
    del spec(job)["rayClusterSpec"]
    spec(job).update(clusterSelector={"ray.io/cluster": "streamer"}, backoffLimit=0)


def drop_the_cluster(job: Manifest) -> None:
    del spec(job)["rayClusterSpec"]


def suspend_a_selected(job: Manifest) -> None:
    select_a_cluster(job)
    spec(job)["suspend"] = True


def sidecar_on_a_selected(job: Manifest) -> None:
    select_a_cluster(job)
    spec(job)["submissionMode"] = "SidecarMode"


def restarting_head_with_autoscaler_v2(job: Manifest) -> None:
    enable_autoscaler_v2(job)
    head(job)["template"]["spec"]["restartPolicy"] = "Always"


def two_ways_to_autoscaler_v2(job: Manifest) -> None:
    enable_autoscaler_v2(job)
    set_head_environment(job, "RAY_enable_autoscaler_v2", "1")


def sidecar_with_restarting_head(job: Manifest) -> None:
    spec(job)["submissionMode"] = "SidecarMode"
    head(job)["template"]["spec"]["restartPolicy"] = "Always"


def suspended_group_with_autoscaler(job: Manifest) -> None:
    cluster_spec(job)["enableInTreeAutoscaling"] = True
    worker(job)["suspend"] = True


VIOLATIONS: dict[str, tuple[Spoil, str]] = {
    "long name": (lambda job: job["metadata"].update(name="a" * 48), "more than 47"),
    "name in capitals": (lambda job: job["metadata"].update(name="Train"), "DNS-1035"),
    "name begins with a digit": (lambda job: job["metadata"].update(name="1-train"), "DNS-1035"),
    "no cluster": (drop_the_cluster, "exactly one"),
    "two clusters": (lambda job: spec(job).update(clusterSelector={"a": "b"}, backoffLimit=0), "exactly one"),
    "suspend without shutdown": (
        lambda job: spec(job).update(suspend=True, shutdownAfterJobFinishes=False, ttlSecondsAfterFinished=0),
        "suspend needs",
    ),
    "suspend a selected cluster": (suspend_a_selected, "suspend does not go with clusterSelector"),
    "deadline of zero": (lambda job: spec(job).update(activeDeadlineSeconds=0), "activeDeadlineSeconds"),
    "negative backoff": (lambda job: spec(job).update(backoffLimit=-1), "backoffLimit must not"),
    "interactive retries": (
        lambda job: spec(job).update(submissionMode="InteractiveMode"),
        "InteractiveMode",
    ),
    "negative ttl": (lambda job: spec(job).update(ttlSecondsAfterFinished=-1), "must not be negative"),
    "ttl alone": (lambda job: spec(job).update(shutdownAfterJobFinishes=False), "needs shutdownAfter"),
    "rules and shutdown": (keep_rules_and_shutdown, "deletionRules do not go"),
    "rule given twice": (
        lambda job: use_rules(job, ("DeleteCluster", 1), ("DeleteCluster", 2)),
        "two deletionRules",
    ),
    "rules out of order": (
        lambda job: use_rules(job, ("DeleteWorkers", 9), ("DeleteCluster", 1)),
        "wrong order",
    ),
    "sidecar and its template": (
        lambda job: spec(job).update(submissionMode="SidecarMode"),
        "go with submitterPodTemplate",
    ),
    "sidecar and a selected cluster": (sidecar_on_a_selected, "SidecarMode does not go with clusterSelector"),
    "sidecar and a head that restarts": (sidecar_with_restarting_head, "SidecarMode needs restartPolicy"),
    "resources twice": (lambda job: head(job).update(resources={"CPU": "0"}), "resources are given"),
    "labels among parameters": (
        lambda job: head(job)["rayStartParams"].update(labels="a=b"),
        "labels belong",
    ),
    "no container": (lambda job: worker(job)["template"]["spec"].update(containers=[]), "no container"),
    "more than maxReplicas": (lambda job: worker(job).update(replicas=99), "not between"),
    "fewer than minReplicas": (lambda job: worker(job).update(replicas=0), "not between"),
    "no host": (lambda job: worker(job).update(numOfHosts=0), "numOfHosts"),
    "suspended group": (suspended_group_with_autoscaler, "suspend does not go with the autoscaler"),
    "one name for two groups": (
        lambda job: cluster_spec(job)["workerGroupSpecs"].append(worker(job)),
        "two worker groups",
    ),
    "autoscaler v2 without autoscaler": (
        lambda job: set_head_environment(job, "RAY_enable_autoscaler_v2", "1"),
        "needs enableInTreeAutoscaling",
    ),
    "autoscaler v2 twice": (two_ways_to_autoscaler_v2, "autoscalerOptions.version"),
    "autoscaler v2 and a head that restarts": (restarting_head_with_autoscaler_v2, "the autoscaler v2 needs"),
    "tokens in an old Ray": (lambda job: cluster_spec(job).update(rayVersion="2.51.0"), "at least 2.52"),
    "tokens without a version": (lambda job: cluster_spec(job).pop("rayVersion"), "at least 2.52"),
    "tokens of Kubernetes": (
        lambda job: cluster_spec(job)["authOptions"].update(enableK8sTokenAuth=True),
        "tokens of Kubernetes",
    ),
    "Redis by environment": (
        lambda job: set_head_environment(job, "RAY_REDIS_ADDRESS", "redis:6379"),
        "needs gcsFaultToleranceOptions",
    ),
}


@pytest.mark.parametrize("name", RAY_MANIFESTS)
def test_a_manifest_keeps_the_rules(name: str) -> None:
    assert complaints(manifest(name)) == []


@pytest.mark.parametrize(("spoil", "complaint"), VIOLATIONS.values(), ids=list(VIOLATIONS))
def test_a_violation_is_found(spoil: Spoil, complaint: str) -> None:
    job = manifest("train.yaml")
    spoil(job)
    assert any(complaint in line for line in complaints(job)), complaints(job)


def test_a_job_on_a_standing_cluster_is_allowed() -> None:
    job = manifest("train.yaml")
    select_a_cluster(job)
    assert complaints(job) == []
