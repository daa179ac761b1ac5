"""Ctrl-C while training, in a process with a Ray session of its own."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from pipelines.run_folder import RunFolder
from tests.pipelines.conftest import MODEL, write_vectors
from tests.pipelines.processes import DEADLINE_S, MARK, await_true, marked, needs_proc
from tests.pipelines.runs import check_run, statuses, tracked

pytestmark = [pytest.mark.ray, needs_proc]


def test_ctrl_c_leaves_what_is_finished_and_nothing_running(tmp_path):
    inputs, folder, mark = tmp_path / "inputs", RunFolder(tmp_path / "run"), uuid.uuid4().hex
    inputs.mkdir()
    for name, rows in {"long": 200_000, "first": 40, "second": 30}.items():
        write_vectors(inputs / f"{name}.npy", rows, seed=rows)
    environment = {**os.environ, MARK: mark, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        environment.pop(name, None)
    words = ["train", inputs, "--out", folder.root, "--workers", 2, *MODEL]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", *map(str, words)],
        env=environment,
        start_new_session=True,  # as a terminal does it: Ctrl-C reaches the whole group
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        finished = folder.hierarchy_of("first")
        await_true(lambda: finished.exists() or process.poll() is not None, "the first hierarchy")
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in output + errors
    assert errors.strip() == ""
    assert "interrupted" in output
    check_interrupted(folder)
    assert not Path(tmp_path, ".ray").exists()
    await_true(lambda: not marked(mark), f"all processes have ended: {marked(mark)}")


def check_interrupted(folder: RunFolder) -> None:
    run = check_run(folder, "interrupted")
    found = statuses(folder)
    assert set(found) == {"long", "first", "second"}
    assert (found["first"], found["long"]) == ("done", "skipped")
    reasons = {row["video_id"]: row["reason"] for row in folder.read_videos()}
    assert reasons["long"] == "the run ended before this video did"
    assert run["videos"]["failed"] == 0
    client, tracking = tracked(folder)
    assert tracking.info.status == "KILLED"
    assert [item.path for item in client.list_artifacts(tracking.info.run_id)] == ["videos.parquet"]
