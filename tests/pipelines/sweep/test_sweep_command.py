"""Sweeps of tiny trainings on the tests' Ray cluster: failures, ranking, going on after all kinds of ends."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from pipelines.checkpoints import latest
from pipelines.cli import main, parse
from pipelines.run_folder import RunFolder
from pipelines.sweep.folder import SweepFolder
from streamer import Streamer, save
from tests.pipelines.conftest import MODEL as CLI_MODEL
from tests.pipelines.conftest import write_vectors
from tests.pipelines.finished_run import write_truth
from tests.pipelines.processes import DEADLINE_S, MARK, await_true, marked, needs_proc
from tests.pipelines.runs import check_run

pytestmark = [pytest.mark.ray, needs_proc]

MODEL = {
    "feature_dim": 16,
    "evolve_every": 4,
    "force_fixed_buffer": True,
    "learning": {"lr": 1e-3, "optimize_every": 1},
}


def write_inputs(folder: Path, **rows: int) -> list[str]:
    """Features with annotations beside them."""
    folder.mkdir()
    for name, count in rows.items():
        write_vectors(folder / f"{name}.npy", count)
    events = [f"{name},scene,{start},{start + 5},x" for name in rows for start in range(0, 20, 5)]
    write_truth(folder / "truth.csv", *events)
    return [str(folder)]


def write_sweep(folder: Path, **settings: Any) -> tuple[Path, SweepFolder]:
    path = folder / "sweep.yaml"
    whole = {"out": str(folder / "sweep"), "metric": "scene/hlr_iou", **settings}
    path.write_text(yaml.safe_dump(whole))
    return path, SweepFolder(folder / "sweep")


def state(folder: SweepFolder) -> dict[str, Any]:
    return json.loads(folder.state.read_text())


def tracked(folder: SweepFolder) -> tuple[Run, dict[str, Run]]:
    """The sweep's MLflow run, and its children by name."""
    place = state(folder)["mlflow"]
    client = MlflowClient(tracking_uri=place["uri"])
    run = client.get_run(place["run_id"])
    children = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{place['run_id']}'")
    return run, {child.info.run_name or "": child for child in children}


def test_mistakes_cost_only_what_they_concern(ray_cluster, tmp_path, store, monkeypatch, capfd):
    """A metric that does not exist, then a trial that fails; the trial that went well is not done again."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    start = tmp_path / "start.pt"
    settings = {
        "train": {
            "inputs": write_inputs(tmp_path / "inputs", a=60, b=40),
            "recipe": "release",
            "model": MODEL,
            "experiment": tmp_path.name,
        },
        "space": {"init": [None, str(start)]},
        "concurrent": 2,
    }
    path, folder = write_sweep(tmp_path, **{**settings, "metric": "scene/hlr_io"})
    assert main(["sweep", str(path)]) == 2
    told = capfd.readouterr()
    assert told.err.startswith(f"error: {path}: unknown metric scene/hlr_io (did you mean scene/hlr_iou")
    assert told.err.count("\n") == 1
    assert state(folder)["state"] == "failed"
    assert tracked(folder)[0].info.status == "FAILED"
    good = RunFolder(folder.trials / "0001-init=none")
    written = good.run_json.stat().st_mtime_ns
    assert check_run(good)["videos"] == {"done": 2, "failed": 0, "skipped": 0}
    assert main(["sweep", str(path)]) == 2, "now at once"
    assert capfd.readouterr().err == told.err

    path, folder = write_sweep(tmp_path, **settings)
    assert main(["sweep", str(path)]) == 1
    told = capfd.readouterr()
    assert told.err == ""
    assert f"trial 2 of 2, init={start}: failed: {start}: " in told.out
    assert "1 trial failed; max_failed allows 0" in told.out
    assert "trial 1 of 2" not in told.out
    first, second = pq.read_table(folder.table).to_pylist()
    assert (first["state"], second["state"]) == ("finished", "failed")
    assert second["reason"].startswith(f"{start}: ")
    assert not folder.success.exists()

    words = ["x", "--out", "x", *CLI_MODEL]
    save(Streamer(replace(parse("train", words).model, modality="vectors"), seed=7), start)
    assert main(["sweep", str(path)]) == 0
    told = capfd.readouterr()
    assert "trial 1 of 2" not in told.out
    assert f"trial 2 of 2, init={start}: scene/hlr_iou 0." in told.out
    rows = pq.read_table(folder.table).to_pylist()
    assert first.items() <= rows[0].items()
    assert {rows[0][name] for name in rows[0].keys() - first.keys()} <= {None}, "levels of the other"
    assert [row["state"] for row in rows] == ["finished", "finished"]
    assert all(row["value"] == row["scene/hlr_iou"] for row in rows)
    best = max(rows, key=lambda row: row["value"])
    assert state(folder)["best"] == best["name"]
    assert f"streamer segment VIDEOS --model {best['folder']} --out OUT" in told.out
    check_tracked(folder, rows, best)
    resumed = state(folder)["resumed"]
    assert good.run_json.stat().st_mtime_ns == written
    assert not (tmp_path / "home" / "ray_results").exists()
    left = {found.name for found in folder.root.iterdir()}
    assert left == {".lock", "_SUCCESS", "sweep.json", "trials", "trials.parquet"}

    assert main(["sweep", str(path)]) == 0
    assert "trial 2 of 2" not in capfd.readouterr().out
    assert state(folder)["resumed"] == resumed, "nothing was touched"

    path, _ = write_sweep(tmp_path, **{**settings, "metric": "scene/level0/boundary_f1_at_3s", "mode": "min"})
    assert main(["sweep", str(path)]) == 0
    rows = pq.read_table(folder.table).to_pylist()
    assert all(row["value"] == row["scene/level0/boundary_f1_at_3s"] for row in rows)
    least = min(rows, key=lambda row: row["value"])
    assert state(folder)["best"] == least["name"]
    assert tracked(folder)[0].data.tags["streamer.best_trial"] == least["name"]
    assert tracked(folder)[0].data.tags["streamer.metric"] == "scene/level0/boundary_f1_at_3s"


def check_tracked(folder: SweepFolder, rows: list[dict[str, Any]], best: dict[str, Any]) -> None:
    run, children = tracked(folder)
    assert run.info.status == "FINISHED"
    assert set(children) == {row["name"] for row in rows}
    assert {child.info.run_id for child in children.values()} == {row["run_id"] for row in rows}
    assert run.data.params["space.init"].startswith("none or /")
    assert run.data.tags["streamer.metric"] == "scene/hlr_iou"
    assert run.data.tags["streamer.best_trial"] == best["name"]
    assert run.data.tags["streamer.best_run_id"] == best["run_id"]
    assert run.data.metrics["scene/hlr_iou"] == best["value"]
    assert children[best["name"]].data.metrics["scene/hlr_iou"] == best["value"]
    assert run.data.metrics["trials_finished"] == len(rows)


class Sweep:
    """A sweep in a process of its own, in the tests' cluster."""

    def __init__(self, path: Path, cluster: str, store: str) -> None:
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: self.mark, "RAY_ADDRESS": cluster, "MLFLOW_TRACKING_URI": store}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "sweep", str(path)],
            env=environment,
            start_new_session=True,  # as a terminal does it: Ctrl-C reaches the whole group
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: int, when: Callable[[], bool]) -> tuple[int, str, str]:
        """Sends a signal to the group in the middle; returns exit code, output and errors."""
        try:
            await_true(lambda: when() or self.process.poll() is not None, "the sweep is in the middle")
            os.killpg(self.process.pid, number)
            output, errors = self.process.communicate(timeout=DEADLINE_S)
        finally:
            self.process.kill()
        await_true(lambda: not marked(self.mark), f"all processes have ended: {marked(self.mark)}")
        return self.process.returncode, output, errors


def test_a_sweep_goes_on_after_a_kill_and_after_ctrl_c(ray_cluster, tmp_path, store, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    inputs = write_inputs(tmp_path / "inputs", first=30, long=10000)  # lasts until it is stopped
    path, folder = write_sweep(
        tmp_path,
        train={"inputs": inputs, "recipe": "release", "model": MODEL, "lanes": 2, "checkpoint_every_s": 0.5},
        space={"init": [None, str(tmp_path / "absent.pt")]},
        max_failed=1,
    )
    trial = RunFolder(folder.trials / "0001-init=none")
    log = trial.root / "train.log"

    def has_saved() -> bool:
        saved = latest(trial.checkpoints)
        return saved is not None and "first" in {end.video_id for end in saved.position(0).ended}

    code, _, _ = Sweep(path, ray_cluster, store).end(signal.SIGKILL, has_saved)
    assert code == -signal.SIGKILL
    assert state(folder)["state"] == "running"
    written = trial.hierarchy_of("first").stat().st_mtime_ns

    def has_gone_on() -> bool:
        return "training: " in log.read_text().partition("going on with the run")[2]

    code, output, errors = Sweep(path, ray_cluster, store).end(signal.SIGINT, has_gone_on)
    assert (code, errors) == (130, "")
    assert "trial 1 of 2, init=none: goes on" in output
    assert "interrupted: trials save where they are" in output
    assert "trial 1 of 2, init=none: stopped, the same command goes on with it" in output
    assert state(folder)["state"] == "interrupted"
    assert [row["state"] for row in state(folder)["trials"]] == ["stopped", "pending"]
    assert check_run(trial, "stopped")["resumed"]
    assert tracked(folder)[0].info.status == "KILLED"

    assert main(["sweep", str(path)]) == 0
    told = capfd.readouterr().out
    assert "trial 1 of 2, init=none: goes on" in told
    assert "trial 2 of 2" in told, "it was not begun before"
    assert state(folder)["state"] == "finished"
    assert check_run(trial)["totals"]["snippets"] == 10030
    assert trial.hierarchy_of("first").stat().st_mtime_ns == written
    sweep, children = tracked(folder)
    assert sweep.info.status == "FINISHED"
    assert set(children) == {"0001-init=none"}
