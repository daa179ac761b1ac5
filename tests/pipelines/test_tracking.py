"""Where runs are tracked, and what happens when that cannot be used."""

import os
import socket

import pytest
from mlflow.tracking import MlflowClient

from pipelines.cli import main
from pipelines.options import flatten
from pipelines.run_folder import RunFolder
from pipelines.tracking import Tracker, TrackingError, prepare_store
from tests.pipelines.conftest import MODEL, write_vectors
from tests.pipelines.runs import files


@pytest.fixture
def closed() -> str:
    """The address of a server that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> RunFolder:
    """A run's folder that does not exist yet, with nothing set outside."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "run")


def test_the_default_store_is_made_apart_and_moved_in(folder, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    database = prepare_store(folder, None, scratch)
    assert not folder.root.exists()
    tracker = Tracker(folder, "mine", "name", None, source="streamer train", database=database)
    assert tracker.uri == f"sqlite:///{folder.root / 'mlflow.db'}"
    tracker.log_params({"a": {"b": 1, "c": "x" * 7000}})
    tracker.log_metrics({f"m{number}": number for number in range(1500)}, step=7)
    tracker.log_metrics({"m3": 4.0}, step=8)
    (tmp_path / "note.txt").write_text("x")
    tracker.log_artifact(tmp_path / "note.txt", "notes")
    tracker.close("KILLED")
    client = MlflowClient(tracking_uri=tracker.uri)
    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.info.run_name) == ("KILLED", "name")
    assert run.data.params == {"a.b": "1", "a.c": "x" * 6000}
    assert len(run.data.metrics) == 1500
    assert [(m.step, m.value) for m in client.get_metric_history(tracker.run_id, "m3")] == [
        (7, 3.0),
        (8, 4.0),
    ]
    written = {path.relative_to(tmp_path).parts[0] for path in files(tmp_path)}
    assert written == {"run", "note.txt"}
    assert [path.name for path in files(folder.root / "mlartifacts")] == ["note.txt"]
    # A second run finds the database, and the experiment in it.
    assert prepare_store(folder, None, scratch) is None
    assert Tracker(folder, "mine", "again", None, source="again").experiment_id == tracker.experiment_id


def test_a_store_elsewhere_keeps_its_artifacts_beside_it(folder, tmp_path, store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    assert prepare_store(folder, None, tmp_path) is None
    tracker = Tracker(folder, "elsewhere", "name", None, source="streamer train")
    assert tracker.uri == store
    (tmp_path / "note.txt").write_text("x")
    tracker.log_artifact(tmp_path / "note.txt")
    tracker.close()
    assert [path.name for path in files(tmp_path)] == ["note.txt"]
    assert MlflowClient(tracking_uri=store).list_artifacts(tracker.run_id)[0].path == "note.txt"


def test_an_address_given_goes_before_the_environment(folder, tmp_path, store, closed, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed)
    assert Tracker(folder, "given", "name", store, source="streamer train").uri == store


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:1", "file:{tmp}/store", "gopher://x", "sqlite:////proc/none/x.db", "mssql://x/y"],
)
def test_what_cannot_be_used_is_one_line(folder, tmp_path, uri):
    uri = uri.format(tmp=tmp_path)
    attempts = (
        lambda: prepare_store(folder, uri, tmp_path),
        lambda: Tracker(folder, "e", "n", uri, source="s"),
    )
    for attempt in attempts:
        with pytest.raises(TrackingError) as raised:
            attempt()
        assert str(raised.value).startswith(f"{uri}: MLflow cannot be used: ")
        assert "\n" not in str(raised.value)
    assert files(tmp_path) == []


def test_a_file_that_is_no_database_is_one_line_too(folder, tmp_path):
    (tmp_path / "notes.db").write_text("no database, but a text")
    with pytest.raises(TrackingError, match=r"notes\.db: MLflow cannot be used: .*file is not a database"):
        prepare_store(folder, f"sqlite:///{tmp_path}/notes.db", tmp_path)


@pytest.mark.parametrize("name", ["train", "segment"])
def test_an_absent_server_ends_a_command_before_anything_is_written(folder, tmp_path, closed, capfd, name):
    vectors = write_vectors(tmp_path / "v.npy", 12)
    words = [name, str(vectors), "--out", str(folder.root), "--tracking_uri", closed]
    if name == "segment":
        from dataclasses import replace

        from streamer import checkpoint
        from streamer.streamer import Streamer
        from tests.pipelines.test_segment_command import make_model

        model = Streamer(replace(make_model().config, modality="vectors"))
        checkpoint.save(model, tmp_path / "model.pt")
        words += ["--model", str(tmp_path / "model.pt")]
    else:
        words += MODEL
    assert main(words) == 2
    errors = capfd.readouterr().err
    assert errors.startswith(f"error: {closed}: MLflow cannot be used: ")
    assert errors.count("\n") == 1
    assert not folder.root.exists()


def test_the_same_inputs_are_the_same_dataset_whatever_became_of_them(folder, store):
    tracker = Tracker(folder, "datasets", "name", store, source="s")
    found = [{"video_id": name, "uri": f"/data/{name}.mp4", "start_s": None} for name in "ab"]
    ended = [{**row, "end_s": None, "status": "done", "snippets": 40} for row in reversed(found)]
    other = [{**row, "end_s": 3.0} for row in found]
    for rows in (found, ended, other):
        tracker.log_dataset(rows, "/data", "videos", "train")
    inputs = MlflowClient(tracker.uri).get_run(tracker.run_id).inputs
    assert inputs is not None
    digests = [used.dataset.digest for used in inputs.dataset_inputs]
    assert len(set(digests)) == len(digests) == 2, "one for the first two, another for the third"


def test_flatten():
    assert flatten({"a": 1, "b": {"c": {"d": 2}, "e": []}}) == {"a": 1, "b.c.d": 2, "b.e": []}


def test_database_that_cannot_be_written_is_refused_at_once(tmp_path, monkeypatch):
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and allowed(path, mode))
    with pytest.raises(TrackingError, match="no permission for"):
        Tracker(RunFolder(tmp_path), "streamer", "name", None, source="test")
    assert list(tmp_path.iterdir()) == []
