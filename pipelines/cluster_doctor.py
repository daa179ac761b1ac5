"""What `doctor --cluster` asks of a Ray cluster: every node by a task of its own, answers judged together."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from pipelines.config import DoctorConfig
from pipelines.doctor import Finding, check_decoder, nearest_folder
from pipelines.session import DECODE_CPUS, WORKER_CPUS, ray_session
from pipelines.wording import counted
from streamer.atomic import atomic_write
from streamer.errors import StreamerError
from streamer.sources import Decoder

NODE_SECONDS = 120.0  # that a node has to answer: Python starts slowly from a cold network file system
CLOCK_SECONDS = 5.0  # that clocks may differ
PACKAGES = ("ray", "torch", "av", "numpy", "pyarrow")
DECODERS: tuple[Decoder, ...] = ("pyav", "decord")
LOCK_FILE = "lock"
SAME_IMAGE = "use one image, or one environment, on every node"
SAME_STORAGE = "mount the same storage on every node, or choose another --out"


@dataclass(frozen=True)
class Node:
    """A node that lives.

    Attributes:
        node_id: as Ray knows it.
        name: as people know it; unlike that of any other node.
        cpus: that it offers to tasks.
        gpus: likewise.
    """

    node_id: str
    name: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Request:
    """What a run will ask of the cluster.

    Attributes:
        workers: how many there will be.
        lanes: of each.
        device: where models shall compute.
    """

    workers: int
    lanes: int
    device: Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class NodeReport:
    """What a node tells of itself.

    Attributes:
        versions: of Python, of packages, and of this software's own files, by name.
        decoders: what is wrong with a decoder, by its name; those that work are absent.
        cuda: whether its PyTorch can compute on CUDA.
    """

    versions: Mapping[str, str]
    decoders: Mapping[str, str]
    cuda: bool


@dataclass
class Answers:
    """What nodes answered, by their names.

    Attributes:
        given: answers.
        missing: why there is none.
    """

    given: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def check_cluster(
    config: DoctorConfig, folder: Path, patience_s: float = NODE_SECONDS
) -> Iterator[tuple[str, Finding]]:
    """Makes all checks of a cluster.

    Args:
        config: what a run will ask of it.
        folder: where runs will be written.
        patience_s: seconds that nodes have to answer.

    Yields:
        What was checked, and what was found.
    """
    request = Request(config.workers or 1, config.lanes or 1, config.device or "auto")
    # A session on this machine makes room for what is asked of it; a cluster has the room that it has.
    local = not os.environ.get("RAY_ADDRESS")
    room = (request.workers, request.lanes * DECODE_CPUS) if local else (0, 0.0)
    try:
        with ray_session(*room):
            nodes = living_nodes()
            reports = ask(nodes, report_node, patience_s=patience_s)
            yield "nodes", judge_nodes(nodes, reports.missing)
            if not reports.given:
                return
            yield "request", judge_request(nodes, request, reports.given)
            yield "versions", judge_versions(reports.given)
            yield "decoders", judge_decoders(reports.given)
            answering = [node for node in nodes if node.name in reports.given]
            storage, clocks = check_storage(answering, folder, patience_s)
            yield "storage", storage
            if clocks is not None:
                yield "clocks", clocks
    except StreamerError as error:
        yield "Ray", Finding(False, str(error))


def living_nodes() -> list[Node]:
    """The nodes of the cluster, by name."""
    import ray

    found = [node for node in ray.nodes() if node["Alive"]]
    hosts = Counter(node["NodeManagerHostname"] for node in found)
    nodes = []
    for node in found:
        node_id, host, resources = node["NodeID"], node["NodeManagerHostname"], node["Resources"]
        name = host if hosts[host] == 1 else f"{host}/{node_id[:6]}"
        nodes.append(Node(node_id, name, resources.get("CPU", 0), resources.get("GPU", 0)))
    return sorted(nodes, key=lambda node: node.name)


def ask(nodes: Sequence[Node], question: Callable[..., Any], *arguments: Any, patience_s: float) -> Answers:
    """Calls `question(*arguments)` once on every node, all at the same time.

    A node that is dead, dying or very slow costs its own answer only.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(question)
    asked = {}
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        asked[task.options(scheduling_strategy=there).remote(*arguments)] = node.name
    answers = Answers()
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=patience_s)
    for reference in ready:
        _take(reference, asked[reference], answers)
    for reference in late:
        ray.cancel(reference, force=True)
        answers.missing[asked[reference]] = f"did not answer within {patience_s:g} s"
    return answers


def _take(reference: Any, name: str, answers: Answers) -> None:
    import ray
    from ray.exceptions import RayError

    try:
        answers.given[name] = ray.get(reference)
    except RayError as error:
        answers.missing[name] = _reason(error)


def _reason(error: Exception) -> str:
    """In a few words; Ray tells of a task's exception with its traceback."""
    cause = getattr(error, "cause", None) or error
    lines = str(cause).strip().splitlines() or [""]
    return f"failed: {type(cause).__name__}: {lines[0]}"


def report_node() -> NodeReport:
    """Runs on a node."""
    checks = {decoder: check_decoder(decoder) for decoder in DECODERS}
    return NodeReport(
        versions={
            "Python": platform.python_version(),
            **{package: _version(package) for package in PACKAGES},
            "streamer": f"{_version('streamer-ray')} (files {_checksum():08x})",
        },
        decoders={name: finding.text for name, finding in checks.items() if not finding.works},
        cuda=torch.backends.cuda.is_built(),
    )


def _version(package: str) -> str:
    """Without what tells builds for CPUs and for CUDA apart: both may be in one cluster."""
    try:
        return version(package).split("+")[0]
    except PackageNotFoundError:
        return "not installed"


def _checksum() -> int:
    """Of the Python files of this software, as this process runs it."""
    root = Path(__file__).parents[1]
    checksum = 0
    for path in sorted([*root.glob("pipelines/**/*.py"), *root.glob("streamer/**/*.py")]):
        checksum = zlib.crc32(path.relative_to(root).as_posix().encode(), checksum)
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum


def judge_nodes(nodes: Sequence[Node], missing: Mapping[str, str]) -> Finding:
    """Whether all nodes answer, and what they have."""
    if missing:
        return Finding(False, f"{_list(missing)}: look at these nodes, or take them out of the cluster")
    kinds = Counter((node.cpus, node.gpus) for node in nodes)
    parts = [
        f"{counted(number, 'node')} with {cpus:g} CPUs and {gpus:g} GPUs"
        for (cpus, gpus), number in sorted(kinds.items(), reverse=True)
    ]
    return Finding(True, ", ".join(parts))


def judge_request(nodes: Sequence[Node], request: Request, reports: Mapping[str, NodeReport]) -> Finding:
    """Whether all workers and what decodes for them fit into the cluster."""
    workers = request.workers
    needed = workers * (WORKER_CPUS + request.lanes * DECODE_CPUS)
    cpus = sum(node.cpus for node in nodes)
    asked = f"{counted(workers, 'worker')} with {counted(request.lanes, 'lane')} each"
    if cpus < needed:
        return Finding(
            False,
            f"{asked}: {needed:g} CPUs needed with decoding, the cluster has {cpus:g}: "
            "use fewer --workers or --lanes",
        )
    # A worker cannot be spread over nodes.
    seats = sum(int(node.cpus // WORKER_CPUS) for node in nodes)
    if seats < workers:
        return Finding(False, f"{asked}: the nodes have whole CPUs for {seats} of them: use fewer --workers")
    on_gpus = [node for node in nodes if node.gpus >= 1]
    gpu_seats = sum(int(min(node.cpus // WORKER_CPUS, node.gpus)) for node in on_gpus)
    cuda = request.device == "cuda" or (request.device == "auto" and gpu_seats >= workers)
    if cuda and gpu_seats < workers:
        return Finding(
            False,
            f"{asked}: --device cuda needs a GPU for each, and a CPU beside it, the nodes have {gpu_seats}: "
            "use fewer --workers, or --device cpu",
        )
    without = [node.name for node in on_gpus if node.name in reports and not reports[node.name].cuda]
    if cuda and without:
        return Finding(
            False,
            f"PyTorch is one for CPUs on {', '.join(without)}, with GPUs: install the one for CUDA there",
        )
    device = "GPUs" if cuda else "CPUs"
    return Finding(True, f"{asked}: {needed:g} of {cpus:g} CPUs, models compute on {device}")


def judge_versions(reports: Mapping[str, NodeReport]) -> Finding:
    """Whether every node runs the same software; at least one node has answered."""
    names = sorted({name for report in reports.values() for name in report.versions})
    differing = []
    for name in names:
        found: dict[str, list[str]] = {}
        for node, report in sorted(reports.items()):
            found.setdefault(report.versions.get(name, "unknown"), []).append(node)
        if len(found) > 1:
            parts = [f"{value} on {' '.join(there)}" for value, there in found.items()]
            differing.append(f"{name} is {', '.join(parts)}")
    if differing:
        return Finding(False, f"{'; '.join(differing)}: {SAME_IMAGE}")
    versions = next(iter(reports.values())).versions
    told = ", ".join(f"{name} {value}" for name, value in versions.items())
    return Finding(True, f"the same on {counted(len(reports), 'node')}: {told}")


def judge_decoders(reports: Mapping[str, NodeReport]) -> Finding:
    """Whether every node can decode."""
    troubles = {
        name: "; ".join(f"{decoder} {text}" for decoder, text in report.decoders.items())
        for name, report in reports.items()
        if report.decoders
    }
    if troubles:
        return Finding(False, _list(troubles))
    return Finding(True, f"work on {counted(len(reports), 'node')}")


def check_storage(nodes: Sequence[Node], folder: Path, patience_s: float) -> tuple[Finding, Finding | None]:
    """Whether all nodes see the folder of runs as one; and whether their clocks agree, where they do.

    The driver makes a folder there and holds a lock in it. Every node writes a file into it and replaces
    that by another, then reads those of all others and tries to take the lock.
    """
    there = nearest_folder(folder)
    token = uuid.uuid4().hex
    try:
        with _shared_folder(there) as shared:
            written = ask(nodes, write_token, str(shared), token, patience_s=patience_s)
            troubles = {**written.missing, **{name: text for name, text in written.given.items() if text}}
            if troubles:
                return Finding(False, f"{there}: {_list(troubles)}: {SAME_STORAGE}"), None
            before = time.time()
            seen = ask(nodes, look_around, str(shared), token, len(nodes), patience_s=patience_s)
            clocks = judge_clocks({name: at for name, (_, at) in seen.given.items()}, before, time.time())
    except OSError as error:
        return Finding(False, f"{there} cannot be used: {error.strerror}: choose another --out"), None
    troubles = {**seen.missing, **{name: text for name, (text, _) in seen.given.items() if text}}
    if troubles:
        return Finding(False, f"{there}: {_list(troubles)}: {SAME_STORAGE}"), clocks
    return Finding(True, f"{there} is one folder for {counted(len(nodes), 'node')}, locks included"), clocks


@contextmanager
def _shared_folder(there: Path) -> Iterator[Path]:
    """A folder below `there` with a locked file in it, for the time of the block."""
    import fcntl  # not on Windows, where Ray's clusters do not run either

    shared = there / f".streamer-doctor-{uuid.uuid4().hex}"
    shared.mkdir()
    try:
        with (shared / LOCK_FILE).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield shared
    finally:
        shutil.rmtree(shared)


def write_token(shared: str, token: str) -> str | None:
    """Runs on a node: writes a file of its own, and replaces it; returns what went wrong."""
    path = Path(shared) / uuid.uuid4().hex
    if not path.parent.is_dir():
        return "does not see the folder that the driver has just made there"
    try:
        for content in ("first", token):
            with atomic_write(path) as temporary:
                temporary.write_text(content)
    except OSError as error:
        return f"cannot write there ({error.strerror})"
    return None


def look_around(shared: str, token: str, number: int) -> tuple[str | None, float]:
    """Runs on a node: reads what all nodes wrote and tries the lock.

    Returns:
        What went wrong, and the time by the node's clock.
    """
    now = time.time()
    try:
        files = [path for path in Path(shared).iterdir() if path.name != LOCK_FILE]
        seen = sum(path.read_text() == token for path in files)
        if seen != number:
            return f"sees what {seen} of {number} nodes wrote", now
        return _try_lock(Path(shared) / LOCK_FILE), now
    except OSError as error:
        return f"cannot read or lock there ({error.strerror})", now


def _try_lock(path: Path) -> str | None:
    import fcntl

    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # the driver's lock is seen
            return None
    return "does not see a lock that the driver holds, so that two runs could write into one folder"


def judge_clocks(times: Mapping[str, float], before: float, after: float) -> Finding:
    """Whether the nodes' clocks agree with the driver's.

    Args:
        times: at which nodes answered, each by its own clock.
        before: when they were asked, by the driver's clock.
        after: when all had answered.
    """
    wrong = {}
    for name, at in times.items():
        if (seconds := max(before - at, at - after)) > CLOCK_SECONDS:
            wrong[name] = f"is {'behind' if at < before else 'ahead'} by {seconds:.0f} s or more"
    if wrong:
        text = f"{_list(wrong)}: times in run.json and MLflow will mislead, set the clocks (NTP)"
        return Finding(True, text, warns=True)
    return Finding(True, f"agree within {CLOCK_SECONDS + after - before:.0f} s")


def _list(texts: Mapping[str, str], shown: int = 5) -> str:
    """Nodes with what is to be told of each."""
    parts = [f"{name} {text}" for name, text in sorted(texts.items())]
    more = [f"and {counted(len(parts) - shown, 'more node')}"] if len(parts) > shown else []
    return "; ".join([*parts[:shown], *more])
