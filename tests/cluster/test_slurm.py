"""The batch scripts, run on a node of stubs: how they call SLURM, Ray and the driver, and how they end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import parse
from tests.cluster.stubs import SCRIPTS, Node

BATCH_SCRIPTS = ("train.sbatch", "segment.sbatch")
WORKER_PORTS = range(10_002, 20_000)  # that Ray gives its workers
FIRST_EPHEMERAL_PORT = 32_768

both = pytest.mark.parametrize("script", BATCH_SCRIPTS)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a", "b", "c"):
        (videos / f"{name}.mp4").touch()
    node.environment |= {
        "STREAMER_VIDEOS": str(videos),
        "STREAMER_SHARES": "1",
        "SLURM_ARRAY_TASK_ID": "0",
        "STREAMER_MODEL": "/shared/model.pt",
    }
    return node


def part(node: Node, index: int = 0) -> Path:
    return node.out / f"part-{index:05d}"


def directives(script: str) -> dict[str, str]:
    found = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", (SCRIPTS / script).read_text(), re.MULTILINE)
    return dict(found)


def driver_config(node: Node) -> Any:
    """What the driver was asked to do, understood by the project's own command line."""
    (call,) = node.calls("streamer")
    return parse(call.words[0], call.words[1:])


def option(words: list[str], name: str) -> str:
    """The value of `--name value` or `--name=value`."""
    for place, word in enumerate(words):
        if word.startswith(f"--{name}="):
            return word.split("=", 1)[1]
        if word == f"--{name}":
            return words[place + 1]
    raise AssertionError(f"--{name} is not in {words}")


@both
def test_bash_and_shellcheck_find_nothing(script: str) -> None:
    subprocess.run(["bash", "-n", str(SCRIPTS / script)], check=True)
    beside = Path(sys.executable).parent  # where the environment has not been activated
    shellcheck = shutil.which("shellcheck", path=f"{beside}:{os.environ['PATH']}")
    assert shellcheck is not None, "no shellcheck: pip install -e '.[dev]'"
    found = subprocess.run([shellcheck, str(SCRIPTS / script)], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@both
def test_slurm_is_asked_for_what_resuming_needs(script: str) -> None:
    asked = directives(script)
    assert {"requeue", "open-mode", "time", "output"} <= set(asked)
    assert asked["open-mode"] == "append"
    target, seconds = asked["signal"].split("@")
    assert target == "B:TERM", "only the script hears it"
    grace = re.search(r"GRACE_SECONDS=(\d+)", (SCRIPTS / script).read_text())
    assert grace
    assert int(grace[1]) + 15 <= int(seconds)


def test_training_has_its_nodes_to_itself() -> None:
    asked = directives("train.sbatch")
    assert "exclusive" in asked
    assert asked["ntasks-per-node"] == "1"


def test_training_starts_ray_on_every_node_and_one_driver(node: Node) -> None:
    status, output = node.run("train.sbatch")
    assert status == 0, output
    step = node.calls("srun")[0].words
    assert [option(step, name) for name in ("nodes", "ntasks", "ntasks-per-node", "cpus-per-task")] == [
        *("3", "3", "1", "16")
    ]
    assert option(step, "kill-on-bad-exit") == "1"
    (ray,) = node.calls("ray")
    assert ray.words[0] == "symmetric-run"
    assert [option(ray.words, name) for name in ("min-nodes", "num-cpus", "num-gpus")] == ["3", "16", "2"]
    (driver,) = node.calls("streamer")
    assert driver.ray["RAY_ADDRESS"] == option(ray.words, "address")
    assert "RAY_ADDRESS" not in ray.ray, "only the driver joins by it"
    config = driver_config(node)
    assert (config.workers, config.device) == (6, "cuda")
    assert (config.inputs, config.out) == ([node.environment["STREAMER_VIDEOS"]], str(node.out))
    assert config.fresh is False
    assert not node.calls("scontrol")


def test_training_without_gpus_has_a_worker_per_node(node: Node) -> None:
    del node.environment["SLURM_GPUS_ON_NODE"]
    status, output = node.run("train.sbatch")
    assert status == 0, output
    assert (driver_config(node).workers, driver_config(node).device) == (3, "cpu")
    assert option(node.calls("ray")[0].words, "num-gpus") == "0"


def test_only_who_has_the_token_of_the_job_reaches_its_ray(node: Node) -> None:
    tokens = set()
    for _ in range(2):
        node.run("train.sbatch")
        seen = node.calls("ray")[-1].ray
        assert seen["RAY_AUTH_MODE"] == "token"
        tokens.add(seen["RAY_AUTH_TOKEN"])
    assert len(tokens) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", token) for token in tokens)


def test_jobs_have_ports_and_folders_of_their_own(node: Node) -> None:
    ports: list[int] = []
    for job in (900_000_000, 900_000_001, 900_002_499):
        node.environment["SLURM_JOB_ID"] = str(job)
        node.run("train.sbatch")
        ray = node.calls("ray")[-1]
        words = ray.words[: ray.words.index("--")]
        ports.append(int(option(words, "address").rsplit(":", 1)[1]))
        ports += [int(option(words, name)) for name in ("dashboard-port", "dashboard-agent-listen-port")]
        assert ray.ray["RAY_TMPDIR"] == f"/tmp/ray_{job}"
        assert not os.path.exists(f"/tmp/ray_{job}"), "is removed at the end"
    assert len(set(ports)) == len(ports)
    assert all(port < FIRST_EPHEMERAL_PORT and port not in WORKER_PORTS for port in ports)


@pytest.mark.parametrize(
    ("own", "all_addresses", "head"),
    [
        ("10.1.0.1", "10.1.0.1 172.17.0.1", "10.1.0.1"),
        ("127.0.1.1", "10.1.0.2", "10.1.0.2"),
        ("fd00::7 10.1.0.3", "", "10.1.0.3"),
        ("::1", "fe80::1 fd00::8", "[fd00::8]"),
    ],
)
def test_the_head_is_an_address_that_other_nodes_reach(
    node: Node, own: str, all_addresses: str, head: str
) -> None:
    node.environment |= {"STUB_--ip-address": own, "STUB_--all-ip-addresses": all_addresses}
    status, output = node.run("train.sbatch")
    assert status == 0, output
    assert option(node.calls("ray")[0].words, "address").rsplit(":", 1)[0] == head


def test_a_node_without_an_address_is_an_error(node: Node) -> None:
    node.environment |= {"STUB_--ip-address": "127.0.0.1", "STUB_--all-ip-addresses": "::1"}
    status, output = node.run("train.sbatch")
    assert status == 1
    assert "error: n1 has no address" in output
    assert not node.calls("srun")


def test_segmentation_runs_one_share_in_a_folder_of_its_own(node: Node) -> None:
    node.environment["RAY_ADDRESS"] = "elsewhere:6379"
    status, output = node.run("segment.sbatch")
    assert status == 0, output
    config = driver_config(node)
    assert config.out == str(part(node))
    assert config.inputs == [f"{part(node)}.csv"]
    assert config.model == "/shared/model.pt"
    assert config.device == "cuda"
    assert "RAY_ADDRESS" not in node.calls("streamer")[0].ray, "would join another Ray"
    assert not node.calls("srun")


def test_an_empty_share_is_finished_at_once(node: Node) -> None:
    node.environment |= {"STREAMER_SHARES": "1000", "SLURM_ARRAY_TASK_ID": "999"}
    status, output = node.run("segment.sbatch")
    assert status == 0, output
    assert (part(node, 999) / "_SUCCESS").exists()
    assert not node.calls("streamer")


def test_an_array_larger_than_the_number_of_shares_is_an_error(node: Node) -> None:
    node.environment["SLURM_ARRAY_TASK_ID"] = "1"
    status, output = node.run("segment.sbatch")
    assert status == 1
    assert "share 1 of 1" in output
    assert not node.calls("streamer")


@both
def test_a_driver_that_fails_fails_the_job(node: Node, script: str) -> None:
    node.environment["STUB_DRIVER"] = "fails"
    status, output = node.run(script)
    assert status == 3, output
    assert not node.calls("scontrol")


@both
def test_an_end_without_success_marker_fails_the_job(node: Node, script: str) -> None:
    node.environment["STUB_DRIVER"] = "leaves no marker"
    status, output = node.run(script)
    assert status == 1
    assert "_SUCCESS" in output
    assert not node.calls("scontrol")


def test_ray_that_does_not_start_fails_the_job_although_the_step_ends_with_0(node: Node) -> None:
    node.environment["STUB_RAY"] = "fails"
    status, output = node.run("train.sbatch")
    assert status == 1
    assert "_SUCCESS" in output


@both
@pytest.mark.parametrize("state", ["RUNNING", "SIGNALING"])  # both are seen before the time limit
def test_term_stops_the_driver_and_queues_the_job_again(node: Node, script: str, state: str) -> None:
    node.environment |= {"STUB_DRIVER": "checkpoints at TERM", "STUB_STATE": state}
    status, output = node.run(script, term=True)
    assert status == 143, output
    assert (node.root / "checkpoint").exists()
    (requeue,) = node.calls("scontrol")
    assert requeue.words == ["requeue", node.environment["SLURM_JOB_ID"]]


@both
@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED"])
def test_a_job_that_is_cancelled_does_not_come_back(node: Node, script: str, state: str) -> None:
    node.environment |= {"STUB_DRIVER": "checkpoints at TERM", "STUB_STATE": state}
    status, output = node.run(script, term=True)
    assert status == 143, output
    assert (node.root / "checkpoint").exists()
    assert not node.calls("scontrol")


@both
def test_a_driver_that_finishes_at_term_needs_no_requeue(node: Node, script: str) -> None:
    node.environment["STUB_DRIVER"] = "finishes at TERM"
    status, output = node.run(script, term=True)
    assert status == 0, output
    assert not node.calls("scontrol")


@both
def test_a_driver_that_ignores_term_is_waited_for_no_longer_than_there_is_time(
    node: Node, script: str
) -> None:
    node.environment["STUB_DRIVER"] = "ignores TERM"
    status, output = node.run(script, term=True)
    assert status == 143, output
    assert [call.words for call in node.calls("sleep")] == [["1"]] * 90
    assert len(node.calls("scontrol")) == 1


def test_term_while_ray_is_starting_queues_the_job_again(node: Node) -> None:
    node.environment["STUB_RAY"] = "starting"
    status, output = node.run("train.sbatch", term=True)
    assert status == 143, output
    assert not node.calls("streamer")
    assert not node.calls("sleep"), "there is nothing to wait for"
    assert len(node.calls("scontrol")) == 1
