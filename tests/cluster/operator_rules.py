"""What KubeRay's operator refuses although the schema allows it, and what makes a manifest hang there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.cluster.manifests import Manifest, cluster_spec, groups, ray_container

LONGEST_NAME = {"RayJob": 47, "RayCluster": 53}
OLDEST_WITH_TOKENS = (2, 52)
RESOURCE_PARAMETERS = {"num-cpus", "num-gpus", "memory", "resources"}
DELETION_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
AUTOSCALER_V2 = "RAY_enable_autoscaler_v2"


def complaints(document: Manifest) -> list[str]:
    """Every rule that a RayJob or RayCluster breaks, in one line each."""
    found = list(_name(document))
    if document["kind"] == "RayJob":
        found += _job(document["spec"])
    if document["kind"] == "RayCluster" or "rayClusterSpec" in document["spec"]:
        found += _cluster(document)
    return found


def _name(document: Manifest) -> Iterator[str]:
    name, limit = document["metadata"]["name"], LONGEST_NAME[document["kind"]]
    if len(name) > limit:
        yield f"name has more than {limit} characters"
    if not re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name):
        yield "name is no DNS-1035 label"


def _job(spec: Manifest) -> Iterator[str]:
    mode = spec.get("submissionMode", "K8sJobMode")
    selects = bool(spec.get("clusterSelector"))
    if selects == ("rayClusterSpec" in spec):
        yield "exactly one of rayClusterSpec and clusterSelector is needed"
    if spec.get("suspend") and not spec.get("shutdownAfterJobFinishes"):
        yield "suspend needs shutdownAfterJobFinishes"
    if spec.get("suspend") and selects:
        yield "suspend does not go with clusterSelector"
    if spec.get("activeDeadlineSeconds", 1) <= 0:
        yield "activeDeadlineSeconds must be positive"
    if spec.get("backoffLimit", 0) < 0:
        yield "backoffLimit must not be negative"
    if spec.get("backoffLimit", 0) > 0 and (mode == "InteractiveMode" or selects):
        yield "backoffLimit does not go with InteractiveMode or clusterSelector"
    yield from _deletion(spec)
    if mode == "SidecarMode":
        yield from _sidecar(spec, selects)


def _sidecar(spec: Manifest, selects: bool) -> Iterator[str]:
    if selects:
        yield "SidecarMode does not go with clusterSelector"
    for field in ("submitterPodTemplate", "submitterConfig"):
        if field in spec:
            yield f"SidecarMode does not go with {field}"
    head = spec.get("rayClusterSpec", {}).get("headGroupSpec", {}).get("template", {}).get("spec", {})
    if head.get("restartPolicy", "Never") != "Never":
        yield "SidecarMode needs restartPolicy Never on the head"


def _deletion(spec: Manifest) -> Iterator[str]:
    shutdown, ttl = spec.get("shutdownAfterJobFinishes", False), spec.get("ttlSecondsAfterFinished", 0)
    if ttl < 0:
        yield "ttlSecondsAfterFinished must not be negative"
    if ttl > 0 and not shutdown:
        yield "ttlSecondsAfterFinished needs shutdownAfterJobFinishes"
    rules = spec.get("deletionStrategy", {}).get("deletionRules", [])
    if rules and shutdown:
        yield "deletionRules do not go with shutdownAfterJobFinishes"
    seen: dict[tuple[str, str], int] = {}
    for rule in rules:
        condition = rule["condition"]
        key = (condition.get("jobStatus", condition.get("jobDeploymentStatus")), rule["policy"])
        if key in seen:
            yield f"two deletionRules for {key[0]} and {key[1]}"
        seen[key] = condition.get("ttlSeconds", 0)
    for status in sorted({status for status, _ in seen}):
        times = [seen[status, policy] for policy in DELETION_ORDER if (status, policy) in seen]
        if times != sorted(times):
            yield f"deletionRules for {status} delete in the wrong order"


def _cluster(document: Manifest) -> Iterator[str]:
    spec = cluster_spec(document)
    for group in groups(document):
        yield from _group(group)
    for worker in spec["workerGroupSpecs"]:
        name, replicas = worker["groupName"], worker.get("replicas", 0)
        if not worker["minReplicas"] <= replicas <= worker["maxReplicas"]:
            yield f"{name}: replicas are not between minReplicas and maxReplicas"
        if worker.get("numOfHosts", 1) < 1:
            yield f"{name}: numOfHosts must be at least 1"
        if worker.get("suspend") and spec.get("enableInTreeAutoscaling"):
            yield f"{name}: suspend does not go with the autoscaler"
    names = [worker["groupName"] for worker in spec["workerGroupSpecs"]]
    if len(set(names)) < len(names):
        yield "two worker groups have one name"
    yield from _autoscaler(document, spec)
    yield from _tokens(document, spec)
    redis = "RAY_REDIS_ADDRESS" in _environment(ray_container(spec["headGroupSpec"]))
    if redis and "gcsFaultToleranceOptions" not in spec:
        yield "RAY_REDIS_ADDRESS needs gcsFaultToleranceOptions"


def _group(group: Manifest) -> Iterator[str]:
    name, parameters = group.get("groupName", "head"), group.get("rayStartParams", {})
    if group.get("resources") and RESOURCE_PARAMETERS & set(parameters):
        yield f"{name}: resources are given in rayStartParams too"
    if "labels" in parameters:
        yield f"{name}: labels belong to the group, not into rayStartParams"
    if not group["template"]["spec"].get("containers"):
        yield f"{name}: no container"


def _autoscaler(document: Manifest, spec: Manifest) -> Iterator[str]:
    enabled = spec.get("enableInTreeAutoscaling", False)
    variable = _environment(ray_container(spec["headGroupSpec"])).get(AUTOSCALER_V2)
    version = spec.get("autoscalerOptions", {}).get("version")
    if not enabled and variable in ("1", "true"):
        yield f"{AUTOSCALER_V2} needs enableInTreeAutoscaling"
    if enabled and version and variable is not None:
        yield f"{AUTOSCALER_V2} does not go with autoscalerOptions.version"
    if enabled and (version == "v2" or variable in ("1", "true")):
        for group in groups(document):
            if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
                yield "the autoscaler v2 needs restartPolicy Never"


def _tokens(document: Manifest, spec: Manifest) -> Iterator[str]:
    options = spec.get("authOptions", {})
    if options.get("mode") == "token":
        version = re.match(r"(\d+)\.(\d+)", spec.get("rayVersion", ""))
        if version is None or (int(version[1]), int(version[2])) < OLDEST_WITH_TOKENS:
            yield "token authentication needs a rayVersion of at least 2.52"
    if options.get("enableK8sTokenAuth") and document["kind"] == "RayJob":
        yield "tokens of Kubernetes do not go with a RayJob"


def _environment(container: Manifest) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}
