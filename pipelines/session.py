"""A Ray session: started on this machine, or the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from streamer.errors import StreamerError

OBJECT_STORE_BYTES = 512 * 2**20
WORKER_CPUS = 1
DECODE_CPUS = 0.5  # per decoder
KNOCK_SECONDS = 10.0  # for a TCP connection to a cluster


class ClusterError(StreamerError):
    """A Ray cluster that cannot do what is asked."""


def quiet_environment(*, local: bool) -> dict[str, str]:
    """Environment variables that keep Ray to itself; they must be set before Ray is imported.

    Args:
        local: whether the session is this machine's own, and so listens on the loopback only and needs no
            token.
    """
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
        "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    if local:
        settings |= {
            "RAY_AUTH_MODE": "disabled",
            # Ray takes the loopback as the node's address, as it does on macOS and Windows.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "GLOO_SOCKET_IFNAME": "lo",
            "RAY_DISABLE_IMPORT_WARNING": "1",
        }
    return settings


@contextmanager
def ray_session(workers: int, decode_cpus: float, gpus: int = 0) -> Iterator[None]:
    """Connects to Ray for the time of the block.

    A connection that this process holds already is used as it is, and left open.

    Args:
        workers: training workers, which hold one CPU each.
        decode_cpus: CPUs that the decoding for each worker needs beside that.
        gpus: GPUs that the workers need altogether.

    Raises:
        ClusterError: the cluster cannot be reached, or has too few CPUs or GPUs for the request.
    """
    address = os.environ.get("RAY_ADDRESS") or "local"
    for name, value in quiet_environment(local=address == "local").items():
        os.environ.setdefault(name, value)
    import ray  # after its environment is set

    cpus = workers * (WORKER_CPUS + decode_cpus)
    connected = ray.is_initialized()
    if not connected and address == "local":
        _start(cpus)
    elif not connected:
        _connect(address)
    try:
        _check_resources(workers, cpus, gpus)
        yield
    finally:
        if not connected:
            ray.shutdown()


def _start(cpus: float) -> None:
    """Starts a session on this machine."""
    import ray

    ray.init(
        address="local",  # or else Ray would join whatever cluster was last started on this machine
        num_cpus=max(own_cpus(), math.ceil(cpus)),
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=True,  # Ray Train asks the dashboard's state API for its controller
        dashboard_host="127.0.0.1",
        logging_level=logging.WARNING,
        log_to_driver=False,  # decoders' noise; a worker's exception reaches the driver as one
    )


def own_cpus() -> int:
    """CPUs that this process may use: in a job of a scheduler those of the job, not of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _connect(address: str) -> None:
    """Joins the cluster at `address`."""
    import ray

    try:
        _knock(address)
        ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ClusterError(
            f"RAY_ADDRESS={address}: no Ray cluster can be used there: {reason}: "
            "correct the address, or unset it to run on this machine"
        ) from error


def _knock(address: str) -> None:
    """Makes sure that somebody listens, since Ray itself tries for minutes and then ends the process.

    Raises:
        OSError: nobody does.
        ValueError: the port is no number.
    """
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname is not None and place.port is not None:
        socket.create_connection((place.hostname, place.port), timeout=KNOCK_SECONDS).close()


def _check_resources(workers: int, cpus: float, gpus: int) -> None:
    import ray

    there = ray.cluster_resources()
    if (has := there.get("CPU", 0)) < cpus:
        raise ClusterError(
            f"{workers} workers need {cpus:g} CPUs with their decoding, the cluster has {has:g}: "
            "use fewer --workers or --lanes"
        )
    if (has := there.get("GPU", 0)) < gpus:
        raise ClusterError(
            f"--device cuda needs a GPU for each of {workers} workers, the cluster has {has:g}: "
            "use fewer --workers, or --device cpu"
        )
