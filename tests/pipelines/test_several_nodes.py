"""A training on a cluster of several nodes, of which one dies and one joins."""

import json
import os
import subprocess
import sys
import uuid

import pytest

from pipelines.run_folder import RunFolder
from tests.pipelines.conftest import write_vectors
from tests.pipelines.processes import MARK, await_true, marked, needs_proc
from tests.pipelines.runs import check_run, statuses

pytestmark = [pytest.mark.ray, needs_proc]

ROWS = {"a": 1500, "b": 1200, "c": 900, "d": 600}
PATIENCE_S = 420


def test_a_node_dies_and_one_joins(tmp_path, store):
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for name, rows in ROWS.items():
        write_vectors(inputs / f"{name}.npy", rows, seed=rows)
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "MLFLOW_TRACKING_URI": store}
    environment.pop("RAY_ADDRESS", None)
    words = ["-m", "tests.pipelines.several_nodes", tmp_path / "run", inputs]
    process = subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout.splitlines()[-1])
    assert told["code"] == 0
    before, after = told["nodes"]
    assert before
    assert after
    assert not set(before) & set(after)
    assert "a worker was lost" in process.stdout
    folder = RunFolder(tmp_path / "run")
    run = check_run(folder)
    assert statuses(folder) == dict.fromkeys(ROWS, "done")
    assert run["totals"]["snippets"] == sum(ROWS.values())
    await_true(lambda: not marked(mark), "all processes have ended")
