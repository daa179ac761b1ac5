"""What `doctor --cluster` finds: made-up answers of nodes, one real node, three with two faults."""

import fcntl
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipelines import cluster_doctor
from pipelines.cli import main
from pipelines.cluster_doctor import (
    LOCK_FILE,
    Node,
    NodeReport,
    Request,
    ask,
    check_storage,
    judge_clocks,
    judge_decoders,
    judge_nodes,
    judge_request,
    judge_versions,
    living_nodes,
    look_around,
    write_token,
)
from pipelines.session import quiet_environment
from tests.pipelines.processes import MARK, needs_proc
from tests.pipelines.ray_head import end_marked

A = Node("1", "a", 8, 2)
B = Node("2", "b", 8, 2)
C = Node("3", "c", 0.5, 0)
REPORT = NodeReport({"Python": "3.11.7", "torch": "2.13.0"}, {}, cuda=True)


def test_nodes_are_counted_by_what_they_have():
    found = judge_nodes([A, B, C], {})
    assert (found.works, found.text) == (
        True,
        "2 nodes with 8 CPUs and 2 GPUs, 1 node with 0.5 CPUs and 0 GPUs",
    )


def test_nodes_without_an_answer_are_named():
    found = judge_nodes([A, B, C], {f"n{number}": "did not answer" for number in range(7)})
    assert not found.works
    assert found.text.startswith("n0 did not answer; n1 did not answer; ")
    assert "n4 did not answer; and 2 more nodes: look at" in found.text


@pytest.mark.parametrize(
    ("nodes", "request_", "works", "words"),
    [
        (
            [A, B, C],
            Request(4, 6, "cuda"),
            True,
            "4 workers with 6 lanes each: 16 of 16.5 CPUs, models compute on GPUs",
        ),
        ([A, B, C], Request(4, 6, "auto"), True, "on GPUs"),
        ([A, B, C], Request(5, 1, "auto"), True, "7.5 of 16.5 CPUs, models compute on CPUs"),
        ([A, B, C], Request(2, 1, "cpu"), True, "on CPUs"),
        ([A, B, C], Request(4, 7, "auto"), False, "18 CPUs needed with decoding, the cluster has 16.5"),
        ([A, B, C], Request(5, 1, "cuda"), False, "the nodes have 4: use fewer --workers, or --device cpu"),
        ([C, C, C], Request(1, 1, "auto"), False, "whole CPUs for 0 of them"),
        ([Node("1", "a", 2, 8)], Request(3, 0, "cuda"), False, "the cluster has 2"),
        ([Node("1", "a", 1, 8), Node("2", "b", 3, 1)], Request(2, 1, "cuda"), True, "on GPUs"),
        ([Node("1", "a", 1, 8), Node("2", "b", 9, 0)], Request(2, 1, "cuda"), False, "the nodes have 1"),
        ([Node("1", "a", 4, 0.5)], Request(1, 1, "auto"), True, "on CPUs"),
    ],
)
def test_what_is_asked_fits_or_not(nodes, request_, works, words):
    found = judge_request(nodes, request_, {})
    assert found.works == works
    assert words in found.text


def test_gpus_need_a_torch_that_computes_on_them():
    reports = {"a": REPORT, "b": replace(REPORT, cuda=False), "c": replace(REPORT, cuda=False)}
    found = judge_request([A, B, C], Request(4, 1, "auto"), reports)
    assert not found.works
    assert "for CPUs on b, with GPUs" in found.text
    assert judge_request([A, B, C], Request(4, 1, "cpu"), reports).works


def test_versions_must_be_the_same():
    reports = {"a": REPORT, "b": REPORT}
    found = judge_versions(reports)
    assert (found.works, found.text) == (True, "the same on 2 nodes: Python 3.11.7, torch 2.13.0")
    other = replace(REPORT, versions={**REPORT.versions, "torch": "2.9.0"})
    found = judge_versions({**reports, "c": other})
    assert not found.works
    assert found.text.startswith("torch is 2.13.0 on a b, 2.9.0 on c: use one image")


def test_builds_of_torch_for_cpus_and_cuda_are_one_version(monkeypatch):
    monkeypatch.setattr(cluster_doctor, "version", lambda package: "2.13.0+cu130")
    assert cluster_doctor.report_node().versions["torch"] == "2.13.0"


def test_a_decoder_that_fails_is_told_with_its_node():
    found = judge_decoders(
        {"a": REPORT, "b": replace(REPORT, decoders={"pyav": "cannot read: reinstall it"})}
    )
    assert (found.works, found.text) == (False, "b pyav cannot read: reinstall it")
    assert judge_decoders({"a": REPORT}).works


def test_clocks_warn_beyond_what_answering_took():
    assert judge_clocks({"a": 100.0, "b": 96.0, "c": 109.0}, 100.0, 104.0) == cluster_doctor.Finding(
        True, "agree within 9 s"
    )
    found = judge_clocks({"a": 100.0, "b": 93.0, "c": 111.0}, 100.0, 104.0)
    assert (found.works, found.warns) == (True, True)
    assert found.text.startswith("b is behind by 7 s or more; c is ahead by 7 s or more: ")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_node_that_sees_the_same_folder_has_nothing_to_tell(tmp_path):
    with locked(tmp_path):
        assert [write_token(str(tmp_path), "t") for _ in range(2)] == [None, None]
        assert look_around(str(tmp_path), "t", 2)[0] is None


def test_a_node_with_another_folder_tells_so(tmp_path):
    assert "does not see the folder" in str(write_token(str(tmp_path / "absent"), "t"))
    with locked(tmp_path):
        write_token(str(tmp_path), "t")
        assert look_around(str(tmp_path), "t", 3)[0] == "sees what 1 of 3 nodes wrote"
        assert look_around(str(tmp_path), "other", 1)[0] == "sees what 0 of 1 nodes wrote"


def test_a_node_without_common_locks_tells_so(tmp_path):
    (tmp_path / LOCK_FILE).touch()
    assert "does not see a lock" in str(look_around(str(tmp_path), "t", 0)[0])


def test_a_folder_that_is_gone_is_a_reason(tmp_path):
    assert (
        look_around(str(tmp_path / "absent"), "t", 1)[0]
        == "cannot read or lock there (No such file or directory)"
    )


@pytest.mark.ray
def test_a_healthy_cluster_is_told_so(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    words = ["doctor", "--cluster", "true", "--workers", "2", "--lanes", "2", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ("nodes", "request", "versions", "decoders", "storage", "clocks")
    assert [line.split()[:2] for line in lines[-6:]] == [["ok", name] for name in names]
    assert "1 node with" in lines[-6]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.ray
def test_what_does_not_fit_and_a_folder_that_is_none_are_trouble(ray_cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    (tmp_path / "file").write_text("")
    words = ["doctor", "--cluster", "true", "--workers", "1000", "--out", str(tmp_path / "file")]
    assert main(words) == 1
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["request"].startswith("trouble request  1000 workers")
    assert lines["storage"].startswith("trouble storage")
    assert "Not a directory: choose another --out" in lines["storage"]
    assert lines["versions"].startswith("ok")


@pytest.mark.ray
def test_a_node_that_is_gone_a_task_that_fails_and_one_that_hangs_cost_their_own_answers(ray_cluster):
    [here] = living_nodes()
    gone = Node("e" * 56, "gone", 1, 0)
    answers = ask([here, gone], lambda: 7, patience_s=60)
    assert answers.given == {here.name: 7}
    assert list(answers.missing) == ["gone"]
    assert "failed: " in answers.missing["gone"]

    def fail() -> None:
        raise ValueError("first line\nsecond line")

    assert ask([here], fail, patience_s=60).missing == {here.name: "failed: ValueError: first line"}

    def hang() -> None:
        threading.Event().wait()

    assert ask([here], hang, patience_s=0.1).missing == {here.name: "did not answer within 0.1 s"}


@pytest.mark.ray
def test_storage_that_a_node_does_not_answer_for_is_trouble_and_leaves_nothing(ray_cluster, tmp_path):
    [here] = living_nodes()
    found, clocks = check_storage([here, Node("e" * 56, "gone", 1, 0)], tmp_path, 60)
    assert (found.works, clocks) == (False, None)
    assert f"{tmp_path}: gone failed: " in found.text
    assert list(tmp_path.iterdir()) == []


FAULTS = """
import errno, os, platform
real = os.replace
def replace(source, target):
    if ".streamer-doctor-" in str(target):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    real(source, target)
if os.environ["FAULT"] == "disk":
    os.replace = replace
else:
    platform.python_version = lambda: "3.9.0"
"""
THREE_NODES = """
import os, sys
from ray.cluster_utils import Cluster
from pipelines.cli import main
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
for fault in ("disk", "python"):
    node = cluster.add_node(num_cpus=2, env_vars={"FAULT": fault, "PYTHONPATH": sys.argv[1]})
    print(fault, node.node_id[:6])
os.environ["RAY_ADDRESS"] = cluster.address
sys.exit(main(["doctor", "--cluster", "true", "--workers", "3", "--out", sys.argv[2]]))
"""


@pytest.mark.ray
@needs_proc
def test_faults_of_single_nodes_are_found_and_named(tmp_path):
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "sitecustomize.py").write_text(FAULTS)
    (tmp_path / "out").mkdir()
    mark = uuid.uuid4().hex
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))
    }
    environment |= quiet_environment(local=True) | {MARK: mark, "HOME": str(tmp_path)}
    with TemporaryDirectory(prefix="c") as folder:  # holds sockets, whose paths must be short
        environment["RAY_TMPDIR"] = folder
        words = [sys.executable, "-c", THREE_NODES, str(tmp_path / "faults"), str(tmp_path / "out")]
        try:
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
        finally:
            end_marked(mark)
    ids = dict(line.split() for line in done.stdout.splitlines()[:2])
    lines = {line.split()[1]: line for line in done.stdout.splitlines()[2:]}
    assert done.returncode == 1, done.stderr
    assert "2 nodes with 2 CPUs and 0 GPUs, 1 node with 1 CPUs" in lines["nodes"]
    assert "3 workers with 1 lane each: 4.5 of 5 CPUs" in lines["request"]
    assert {name for name, line in lines.items() if line.startswith("trouble")} == {"versions", "storage"}
    assert f"/{ids['disk']} cannot write there (Read-only file system)" in lines["storage"]
    assert lines["storage"].count("cannot write") == 1
    assert f"/{ids['python']}" in lines["versions"].split("3.9.0 on ")[1].split()[0].rstrip(":,")
    assert lines["versions"].count("3.9.0") == 1
    assert list((tmp_path / "out").iterdir()) == []
