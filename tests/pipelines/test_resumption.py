"""Whether the run in a folder is the one that is asked for, and who may work there."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines.cli import main, parse
from pipelines.folder_lock import FolderLock
from pipelines.resumption import absolute_inputs, absolute_path, differences, earlier_run
from pipelines.run_folder import RunFolder, RunFolderError
from tests.pipelines.conftest import MODEL, write_vectors
from tests.pipelines.runs import check_run, hierarchies, table, tracked


def settings(*words: object):
    given = [str(word) for word in ("videos", "--out", "run", *words)]
    return asdict(parse("train", given))


def stored(*words: object):
    """As it comes back from `run.json`."""
    return json.loads(json.dumps(settings(*words)))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--workers", 4, "--lanes", 2],
        ["--checkpoint_every_s", 5, "--decoders", 3, "--cache", "/cache"],
        ["--max_failed", 9, "--device", "cpu", "--truth", "other.csv"],
    ],
)
def test_where_and_how_it_is_computed_may_differ(words):
    assert differences(stored(), settings(*words)) == []
    assert differences(stored(*words), settings()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seed", 4], "seed was 0, is 4"),
        (["--model.feature_dim", 64], "model.feature_dim was 256, is 64"),
        (["--model.channels", "[8,8,8,8]"], "model.channels was [32, 64, 256, 1024], is (8, 8, 8, 8)"),
        (["--model.learning.lr", 0.5], "model.learning.lr was 0.001, is 0.5"),
        (["--sync_every", 2], "sync_every was 1, is 2"),
        (["--precision", "bf16"], "precision was 'float32', is 'bf16'"),
        (["--signals", "false"], "signals was True, is False"),
    ],
)
def test_what_is_computed_may_not(words, named):
    assert differences(stored(), settings(*words)) == [named]


def test_inputs_are_the_same_from_any_folder(tmp_path, monkeypatch):
    here = absolute_inputs(["videos", "http://host/a.mp4"])
    assert here[1] == "http://host/a.mp4"
    monkeypatch.chdir(tmp_path)
    assert absolute_inputs([here[0], here[1]]) == here
    assert absolute_inputs(["videos"]) != here[:1]


def test_another_configuration_is_refused_with_the_keys_that_differ(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_run("interrupted", {"command": "train", "config": stored(), "started": "then"})
    facts = earlier_run(folder, "train", settings())
    assert facts is not None
    assert facts["state"] == "interrupted"
    with pytest.raises(RunFolderError) as caught:
        earlier_run(folder, "train", settings("--seed", 1, "--model.feature_dim", 64))
    message = str(caught.value)
    assert "\n" not in message
    assert "seed was 0, is 1; model.feature_dim was 256, is 64" in message
    assert "--fresh" in message


def test_a_run_of_another_command_is_refused(tmp_path):
    RunFolder(tmp_path).write_run("finished", {"command": "segment", "config": {}})
    with pytest.raises(RunFolderError, match="holds a run of `streamer segment`"):
        earlier_run(RunFolder(tmp_path), "train", settings())


def test_a_free_folder_holds_no_earlier_run(tmp_path):
    assert earlier_run(RunFolder(tmp_path), "train", settings()) is None


HOLD = """
import sys
from pathlib import Path
from pipelines.folder_lock import FolderLock
with FolderLock(Path(sys.argv[1])) as lock:
    lock.hold()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with FolderLock(tmp_path) as lock:
        with pytest.raises(RunFolderError, match=f"process {other.pid} on ") as caught:
            lock.hold()
        assert "\n" not in str(caught.value)
        other.send_signal(signal.SIGKILL)
        other.wait()
        lock.hold()
        lock.hold()
    with FolderLock(tmp_path) as lock:
        lock.hold()


def test_a_lock_in_a_folder_that_cannot_be_written(tmp_path):
    with FolderLock(tmp_path / "missing") as lock, pytest.raises(RunFolderError, match="cannot be written"):
        lock.hold()


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, rows in {"a": 60, "b": 40}.items():
        write_vectors(folder / f"{name}.npy", rows, seed=rows)
    return folder


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_finished_run_returns_at_once_and_fresh_starts_over(inputs, tmp_path, command):
    first = command("train", inputs, *MODEL)
    assert first.code == 0
    assert first.folder.success.exists()
    facts = check_run(first.folder)
    events = {name: table(hierarchy) for name, hierarchy in hierarchies(first.folder).items()}
    stamps = {path: path.stat().st_mtime_ns for path in first.folder.root.rglob("*") if path.is_file()}

    again = command("train", inputs, *MODEL, "--workers", 2)
    assert again.code == 0
    assert "this run finished at" in again.output
    assert "2 done" in again.output
    stamps.pop(first.folder.root / ".lock")
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}

    assert main(["train", str(inputs), "--out", str(first.folder.root), *MODEL, "--seed", "5"]) == 2
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}

    fresh = command("train", inputs, *MODEL, "--fresh")
    assert fresh.code == 0
    assert "removed from" in fresh.output
    assert "hierarchy/ (2 files)" in fresh.output
    new = check_run(fresh.folder)
    assert new["mlflow"]["run_id"] != facts["mlflow"]["run_id"]
    assert {name: table(hierarchy) for name, hierarchy in hierarchies(fresh.folder).items()} == events


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_run_that_was_ended_goes_on_in_the_same_mlflow_run(inputs, command):
    """Its description alone, as a process leaves it that is killed before the first checkpoint."""
    whole = command("train", inputs, *MODEL, out="whole")
    run = command("train", inputs, *MODEL)
    facts = check_run(run.folder)
    for path in [*run.folder.hierarchy.iterdir(), run.folder.videos, run.folder.final_checkpoint]:
        path.unlink()
    run.folder.success.unlink()
    run.folder.write_run("running", {key: facts[key] for key in ("command", "config", "started", "mlflow")})
    write_vectors(inputs / "later.npy", 10)

    again = command("train", inputs, *MODEL)
    assert again.code == 0
    assert "going on with the run in" in again.output
    assert "1 input came after this run had begun" in again.output
    new = check_run(again.folder)
    assert new["started"] == facts["started"]
    assert len(new["resumed"]) == 1
    assert new["mlflow"] == facts["mlflow"]
    assert tracked(again.folder)[1].info.status == "FINISHED"
    assert tracked(again.folder)[1].data.tags["streamer.resumed"] == "1"
    assert {name: table(hierarchy) for name, hierarchy in hierarchies(again.folder).items()} == {
        name: table(hierarchy) for name, hierarchy in hierarchies(whole.folder).items()
    }


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_a_folder_in_which_another_process_works(inputs, tmp_path, command, capfd):
    run = command("train", inputs, *MODEL)
    with FolderLock(run.folder.root) as lock:
        lock.hold()
        assert command("train", inputs, *MODEL).code == 2


def test_fresh_removes_nothing_where_the_inputs_are_wrong(tmp_path, command):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_run("finished", {"command": "train"})
    assert command("train", tmp_path / "missing.mp4", "--fresh").code == 2
    assert folder.run_json.exists()


def test_paths_are_named_from_whatever_folder_the_command_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_path("truth.csv") == str(tmp_path / "truth.csv")
    assert absolute_path("") == ""
    assert absolute_path(None) is None
