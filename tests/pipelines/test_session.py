"""Ray sessions: what they open, what they need, and clusters that are not there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.run_folder import RunFolder
from pipelines.session import OBJECT_STORE_BYTES, ClusterError, ray_session
from tests.pipelines.conftest import MODEL, write_vectors
from tests.pipelines.processes import MARK, await_true, is_loopback, listening, marked, needs_proc
from tests.pipelines.runs import check_run, files

SESSION = """
import json, sys
from pipelines.session import ray_session
with ray_session(workers=2, decode_cpus=0.5):
    import ray
    from ray._common.usage import usage_lib
    ray.get(ray.remote(lambda: 1).remote())
    store = ray.cluster_resources()["object_store_memory"]
    print(json.dumps({"store": store, "usage": usage_lib.usage_stats_enabled()}), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """A folder for Ray's files; its path must be short, for it holds sockets."""
    folder = Path(tempfile.mkdtemp(prefix="s"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.ray
@needs_proc
def test_a_local_session_keeps_to_itself(tmp_path, ray_folder):
    # Another cluster was started on this machine: it is none of our business.
    (ray_folder / "ray").mkdir()
    (ray_folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    mark = uuid.uuid4().hex
    environment = {
        **os.environ,
        MARK: mark,
        "HOME": str(tmp_path),
        "RAY_TMPDIR": str(ray_folder),
        "RAY_ADDRESS": "",
    }
    environment = {name: value for name, value in environment.items() if name != "RAY_AUTH_MODE"}
    with subprocess.Popen(
        [sys.executable, "-c", SESSION],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        facts = json.loads(process.stdout.readline())
        running = marked(mark)
        addresses = listening(set(running))
        _, errors = process.communicate()
    assert len(running) > 4, "the session's processes were found"
    assert len(addresses) > 0, "the session's sockets were found"
    assert [address for address in addresses if not is_loopback(address)] == []
    assert facts == {"store": OBJECT_STORE_BYTES, "usage": False}
    assert errors == ""
    assert files(tmp_path) == []
    await_true(lambda: not marked(mark), "all processes of the session have ended")


@pytest.mark.ray
def test_a_session_in_this_process_is_used_and_left_open(ray_cluster):
    import ray

    with ray_session(1, 0.5):
        assert ray.get_runtime_context().gcs_address == ray_cluster
    assert ray.is_initialized()


@pytest.mark.ray
def test_too_many_workers_are_refused(ray_cluster):
    with (
        pytest.raises(ClusterError, match=r"1000 workers need 1500 CPUs .* use fewer --workers or --lanes$"),
        ray_session(1000, 0.5),
    ):
        pass


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name, rows in {"a": 30, "b": 20}.items():
        write_vectors(folder / f"{name}.npy", rows)
    return folder


@pytest.mark.ray
def test_missing_gpus_are_one_line_and_nothing_is_written(ray_cluster, tmp_path, vectors, monkeypatch, capfd):
    import ray

    if ray.cluster_resources().get("GPU"):
        pytest.skip("this machine has a GPU")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "deep" / "run"
    assert main(["train", str(vectors), "--out", str(out), "--device", "cuda", *MODEL]) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("error: --device cuda needs a GPU for each of 1 workers")
    assert errors.count("\n") == 1
    assert not out.parent.exists()


@pytest.mark.ray
def test_every_lane_needs_its_share_for_decoding(ray_cluster, tmp_path, vectors, monkeypatch, capfd):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "deep" / "run"
    words = ["train", str(vectors), "--out", str(out), "--workers", "2", "--lanes", "1000", *MODEL]
    assert main(words) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("error: 2 workers need 1002 CPUs with their decoding, the cluster has ")
    assert errors.endswith(": use fewer --workers or --lanes\n")
    assert not out.parent.exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


CONNECT = """
import sys
from pipelines.session import ClusterError, ray_session
try:
    with ray_session(workers=1, decode_cpus=0.5):
        pass
except ClusterError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "address", ["ray://127.0.0.1:{port}", "nowhere", "http://127.0.0.1:{port}", "127.0.0.1:x"]
)
def test_an_address_without_a_cluster_is_one_line(address):
    environment = {**os.environ, "RAY_ADDRESS": address.format(port=free_port())}
    done = subprocess.run(
        [sys.executable, "-c", CONNECT], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.stdout.startswith(
        f"RAY_ADDRESS={environment['RAY_ADDRESS']}: no Ray cluster can be used there: "
    )
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_an_absent_cluster_ends_the_command_and_nothing_is_written(tmp_path, vectors):
    out = tmp_path / "deep" / "run"
    words = ["train", str(vectors), "--out", str(out), *MODEL]
    environment = {**os.environ, "RAY_ADDRESS": f"127.0.0.1:{free_port()}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: RAY_ADDRESS={environment['RAY_ADDRESS']}: ")
    assert done.stderr.count("\n") == 1
    assert not out.parent.exists()


@pytest.mark.ray
def test_a_cluster_that_ray_address_names_is_used(ray_cluster, tmp_path, vectors, store):
    import ray

    out = tmp_path / "run"
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "RAY_ADDRESS": ray_cluster, "MLFLOW_TRACKING_URI": store}
    words = ["train", str(vectors), "--out", str(out), *MODEL]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *words], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert check_run(RunFolder(out))["videos"] == {"done": 2, "failed": 0, "skipped": 0}
    assert ray.cluster_resources()["CPU"] > 0, "the cluster lives on"
    assert not [line for line in marked(mark).values() if "raylet" in line]
