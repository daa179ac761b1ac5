"""A Ray session: started on this machine, or the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.errors import StreamerError

OBJECT_STORE_BYTES = 512 * 2**20
WORKER_CPUS = 1


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
def ray_session(workers: int, decode_cpus: float) -> Iterator[None]:
    """Connects to Ray for the time of the block.

    Args:
        workers: training workers, which hold one CPU each.
        decode_cpus: CPUs that each worker's decoding needs beside that.

    Raises:
        ClusterError: the cluster cannot be reached, or has too few CPUs for the request.
    """
    address = os.environ.get("RAY_ADDRESS")
    for name, value in quiet_environment(local=address is None).items():
        os.environ.setdefault(name, value)
    import ray  # after its environment is set

    needed = workers * (WORKER_CPUS + decode_cpus)
    if address is None:
        ray.init(
            num_cpus=max(os.cpu_count() or 1, int(-(-needed // 1))),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=True,  # Ray Train asks the dashboard's state API for its controller
            dashboard_host="127.0.0.1",
            logging_level=logging.WARNING,
            log_to_driver=False,  # decoders' noise; a worker's exception reaches the driver as one
        )
    else:
        try:
            ray.init(logging_level=logging.WARNING, log_to_driver=False)
        except ConnectionError as error:
            raise ClusterError(f"RAY_ADDRESS={address}: no Ray cluster answers there: {error}") from error
    try:
        there = ray.cluster_resources().get("CPU", 0)
        if there < needed:
            raise ClusterError(
                f"{workers} workers need {needed:g} CPUs with their decoding, the cluster has {there:g}: "
                "use fewer --workers"
            )
        yield
    finally:
        ray.shutdown()
