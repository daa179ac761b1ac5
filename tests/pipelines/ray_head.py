"""A Ray head of a test's own, as `ray start --head` makes it, for jobs that are submitted to it."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.pipelines.processes import MARK, await_true, marked

CPUS = 4
OBJECT_STORE_BYTES = 128 * 2**20
RAY = [sys.executable, "-m", "ray.scripts.scripts"]
RAY_ON_A_LINE = """
import sys
from ray.scripts.scripts import main
sys.stdin.readline()
sys.exit(main())
"""


@dataclass(frozen=True)
class RayHead:
    """A head that runs.

    Attributes:
        address: of its dashboard, where jobs are submitted.
        gcs_address: where drivers and other nodes join.
        environment: what a process needs to talk to it.
        mark: is in the environment of all its processes.
    """

    address: str
    gcs_address: str
    environment: Mapping[str, str]
    mark: str

    def ray(self, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs a command of Ray's, as `ray WORD...` does; all that it prints is its output."""
        process = self.start(*words, cwd=cwd)
        output, _ = process.communicate("\n")
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def start(self, *words: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Starts a command of Ray's, which waits for a line of input once Ray is imported."""
        return subprocess.Popen(
            [sys.executable, "-c", RAY_ON_A_LINE, *words],
            env=dict(self.environment),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@contextmanager
def ray_head(home: Path) -> Iterator[RayHead]:
    """Starts a head on the loopback, with ports, folders and a token of its own, and ends all its processes.

    `ray stop` would end those of other people too.

    Args:
        home: what its processes take for the user's home.
    """
    port, dashboard_port, agent_port = free_ports(3)
    mark = uuid.uuid4().hex
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))},
        MARK: mark,
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"]]
        ),  # of the jobs' python
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": uuid.uuid4().hex,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # or else Ray takes another address for 127.0.0.1
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    head = RayHead(f"http://127.0.0.1:{dashboard_port}", f"127.0.0.1:{port}", environment, mark)
    with TemporaryDirectory(prefix="h") as folder:  # holds sockets, whose paths must be short
        words = [
            *("start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--temp-dir", folder),
            *("--port", str(port), "--dashboard-port", str(dashboard_port)),
            *("--dashboard-agent-listen-port", str(agent_port)),
            *("--min-worker-port", "0", "--max-worker-port", "0"),
            *("--num-cpus", str(CPUS), "--object-store-memory", str(OBJECT_STORE_BYTES)),
        ]
        with (home / "head.log").open("w") as log:
            process = subprocess.Popen([*RAY, *words], env=environment, stdout=log, stderr=log)
        try:
            await_true(lambda: process.poll() is not None or _takes_jobs(head), "the head takes jobs")
            assert process.poll() is None, (home / "head.log").read_text()
            yield head
        finally:
            end_marked(mark)
            process.wait()


def free_ports(number: int) -> list[int]:
    """Different ports of this machine that nobody listens on."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def end_marked(mark: str) -> None:
    """Ends all processes whose environment carries `mark`, those included that others start meanwhile."""

    def ended() -> bool:
        found = marked(mark)
        for process_id in found:
            with suppress(ProcessLookupError):  # has ended by itself
                os.kill(process_id, signal.SIGKILL)
        return not found

    await_true(ended, f"the processes with {mark} have ended")


def _takes_jobs(head: RayHead) -> bool:
    """Whether the dashboard answers and has an agent that can start jobs."""
    token = {"Authorization": f"Bearer {head.environment['RAY_AUTH_TOKEN']}"}
    request = Request(f"{head.address}/api/version", headers=token)
    with suppress(URLError, ConnectionError), urlopen(request) as answer:
        return answer.status == 200
    return False
