"""A cluster of several Ray nodes on this machine, on which a training runs while nodes die and join.

    python -m tests.pipelines.several_nodes OUT INPUTS...

is a process of its own, because a process can be part of one Ray session only; `MARK` must be in its
environment. It prints a line of JSON: the nodes on which training workers have run, in order, by the process
ids of their raylets, and the command's exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipelines.checkpoints import latest
from pipelines.run_folder import RunFolder
from pipelines.session import quiet_environment
from tests.pipelines.conftest import MODEL
from tests.pipelines.processes import MARK, PROC, await_true, marked

WORKERS = 2
CPUS = 3  # of a node: two workers and the decoding of both, and no third worker's


def start_cluster() -> Any:
    """A head on which nothing can run but the driver, and one node for the workers."""
    os.environ.update(quiet_environment(local=True))
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 * 2**20}
    )
    add_node(cluster)
    os.environ["RAY_ADDRESS"] = str(cluster.address)
    return cluster


def add_node(cluster: Any) -> Any:
    """Another node for the workers."""
    return cluster.add_node(num_cpus=CPUS, object_store_memory=100 * 2**20)


def raylet(node: Any) -> int:
    """Process id of a node's raylet, whose children are what runs on the node."""
    [process] = node.all_processes["raylet"]
    return process.process.pid


def raylets_of_workers() -> set[int]:
    """Raylets on whose nodes training workers run."""
    found = set()
    for number, line in marked(os.environ[MARK]).items():
        if "RayTrainWorker" in line:
            with contextlib.suppress(OSError):  # ended meanwhile
                status = (PROC / str(number) / "status").read_text()
                found.add(int(status.split("PPid:")[1].split()[0]))
    return found


def replace_node(cluster: Any, folder: RunFolder) -> list[list[int]]:
    """When the training has come some way, kills the node of its workers and adds another.

    Returns:
        Where its workers ran before and after.
    """
    await_true(lambda: latest(folder.checkpoints) is not None, "a checkpoint")
    before = raylets_of_workers()
    for node in [node for node in cluster.worker_nodes if raylet(node) in before]:
        cluster.remove_node(node, allow_graceful=False)
    joined = raylet(add_node(cluster))
    await_true(lambda: joined in raylets_of_workers(), "workers on the node that joined")
    return [sorted(before), sorted(raylets_of_workers())]


def run(out: Path, inputs: list[str]) -> None:
    """Trains while a node is lost and one joins."""
    cluster = start_cluster()
    words = ["train", *inputs, "--out", out, "--workers", WORKERS, "--checkpoint_every_s", 0.5, *MODEL]
    driver = subprocess.Popen([sys.executable, "-m", "pipelines", *map(str, words)])
    seen = replace_node(cluster, RunFolder(out))
    code = driver.wait()
    cluster.shutdown()
    print(json.dumps({"code": code, "nodes": seen}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
