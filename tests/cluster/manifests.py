"""The Kubernetes manifests of this project, read strictly, and ways into them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
KUBERAY = PROJECT / "cluster" / "kuberay"
JOBS = ("train.yaml", "segment.yaml")
RAY_MANIFESTS = (*JOBS, "cluster.yaml")
SIZES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

Manifest = dict[str, Any]


class StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a key that is given twice, of which YAML would keep the last."""


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> Manifest:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"given twice: {', '.join(sorted(twice))}{node.start_mark}")
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(text: str) -> list[Manifest]:
    """All documents of a YAML text."""
    return list(yaml.load_all(text, StrictLoader))


def manifest(name: str) -> Manifest:
    """The only document of a file in cluster/kuberay/, fresh for every caller."""
    (document,) = read((KUBERAY / name).read_text())
    return document


def prerequisites() -> dict[tuple[str, str], Manifest]:
    """What prerequisites.yaml makes, by kind and name."""
    documents = read((KUBERAY / "prerequisites.yaml").read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def cluster_spec(document: Manifest) -> Manifest:
    """The RayClusterSpec of a RayCluster or RayJob."""
    return document["spec"] if document["kind"] == "RayCluster" else document["spec"]["rayClusterSpec"]


def groups(document: Manifest) -> list[Manifest]:
    """The head group and all worker groups."""
    spec = cluster_spec(document)
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def pods(document: Manifest) -> Iterator[Manifest]:
    """The specs of all pods, the submitter's included."""
    for group in groups(document):
        yield group["template"]["spec"]
    if "submitterPodTemplate" in document["spec"]:
        yield document["spec"]["submitterPodTemplate"]["spec"]


def ray_container(group: Manifest) -> Manifest:
    """The container of a group that runs Ray."""
    return group["template"]["spec"]["containers"][0]


def size(quantity: str) -> int:
    """Bytes of a Kubernetes quantity with a binary suffix."""
    return int(quantity[:-2]) * SIZES[quantity[-2:]]


def entry_point(document: Manifest) -> tuple[str, list[str]]:
    """The command of this project that a RayJob runs, and its words."""
    program, command, *words = shlex.split(document["spec"]["entrypoint"])
    assert program == "streamer"
    return command, words


def crd_folder() -> Path | None:
    """Where the CRDs of the operator are: STREAMER_KUBERAY_CRDS, or beside the checkout."""
    folder = Path(os.environ.get("STREAMER_KUBERAY_CRDS", PROJECT.parent / "shared" / "kuberay-crds"))
    return folder if folder.is_dir() else None


@cache
def crd_schema(kind: str) -> Manifest:
    """The JSON schema of `RayJob` or `RayCluster` in which unknown fields are errors."""
    folder = crd_folder()
    assert folder is not None
    text = (folder / f"ray.io_{kind.lower()}s.yaml").read_text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    definition = yaml.load(text, loader)  # a safe loader; the one in C where there is one, for a megabyte
    (version,) = (entry for entry in definition["spec"]["versions"] if entry["name"] == "v1")
    return _closed(version["schema"]["openAPIV3Schema"])


def _closed(schema: Manifest) -> Manifest:
    """A schema of Kubernetes as one of JSON schema; objects take the fields that they name, and no other."""
    closed = dict(schema)
    if closed.pop("x-kubernetes-int-or-string", False):
        closed.pop("type", None)
        closed["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    closed.pop("format", None)
    if "properties" in closed:
        closed["properties"] = {name: _closed(value) for name, value in closed["properties"].items()}
        if not closed.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
    if isinstance(closed.get("additionalProperties"), dict):
        closed["additionalProperties"] = _closed(closed["additionalProperties"])
    if isinstance(closed.get("items"), dict):
        closed["items"] = _closed(closed["items"])
    return closed
