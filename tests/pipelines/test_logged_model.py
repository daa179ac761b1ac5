"""The model in MLflow: loaded and asked as MLflow's users do, against the model that was logged."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.tracking import MlflowClient

import streamer
from pipelines.logged_model import log_model
from pipelines.recipes import adaptive_model
from pipelines.run_folder import RunFolder
from pipelines.tracking import Tracker
from streamer import checkpoint
from streamer.errors import CheckpointError, VideoError
from streamer.events_table import events_schema
from tests.pipelines.conftest import write_vectors
from tests.pipelines.runs import files
from tests.streamer.tiny import tiny
from tests.streamer.video.clips import constant_rate, encode

FRAMES = streamer.StreamerConfig(
    feature_dim=8,
    frame_size=16,
    channels=(2, 2, 2, 2),
    working_set_size=3,
    evolve_every=4,
    force_fixed_buffer=True,
    learning=streamer.LearningConfig(lr=1e-2, optimize_every=2),
)


def trained(folder: Path, config: streamer.StreamerConfig, recording: Path) -> Path:
    """A checkpoint of a model that has learned from a recording, in a folder of its own."""
    model = streamer.Streamer(config, seed=3)
    streamer.segment(str(recording), model)
    assert len(model.levels) > 1
    folder.mkdir()
    streamer.save(model, folder / "streamer.pt")
    return folder / "streamer.pt"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", constant_rate(90, 10))


@pytest.fixture(scope="module")
def final(tmp_path_factory, clip) -> Path:
    return trained(tmp_path_factory.mktemp("run") / "final", FRAMES, clip)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory, store) -> Tracker:
    return Tracker(
        RunFolder(tmp_path_factory.mktemp("none")), "models", "tiny", store, source="streamer train"
    )


@pytest.fixture(scope="module")
def model_id(tracker, final) -> str:
    return log_model(tracker, final)


@pytest.fixture
def loaded(store, model_id, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # MLflow puts the model's own code there
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return mlflow.pyfunc.load_model(f"models:/{model_id}")


def test_a_model_of_features_finds_the_same_events(store, clip, tmp_path, monkeypatch):
    tracker = Tracker(RunFolder(tmp_path / "none"), "models", "features", store, source="streamer train")
    config = replace(adaptive_model(), feature_dim=64, frame_size=16)
    model = streamer.Streamer(config, seed=3)
    streamer.segment(str(clip), model)
    streamer.save(model, tmp_path / "streamer.pt")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    loaded = mlflow.pyfunc.load_model(f"models:/{log_model(tracker, tmp_path / 'streamer.pt')}")
    expected = streamer.segment(str(clip), streamer.load(tmp_path / "streamer.pt"))
    found = loaded.predict(pd.DataFrame({"uri": [str(clip)]}))
    pd.testing.assert_frame_equal(found, expected.to_arrow().to_pandas(), check_exact=True)


def folder_of(tracker: Tracker, model_id: str) -> Path:
    model = MlflowClient(tracker.uri).get_logged_model(model_id)
    return Path(model.artifact_location.removeprefix("file://"))


def test_mlflow_finds_the_events_that_the_checkpoint_finds(loaded, clip, final):
    expected = streamer.segment(str(clip), streamer.load(final))
    assert expected.num_levels > 1
    found = loaded.predict(pd.DataFrame({"uri": [str(clip)]}))
    pd.testing.assert_frame_equal(found, expected.to_arrow().to_pandas(), check_exact=True)
    assert set(found["level"]) == set(range(expected.num_levels))


def test_every_recording_is_segmented_alone_and_may_be_named(loaded, clip, final):
    twice = loaded.predict(pd.DataFrame({"uri": [str(clip)] * 2, "video_id": ["one", None]}))
    hierarchies = [
        streamer.segment(str(clip), streamer.load(final), video_id=name) for name in ("one", "clip")
    ]
    tables = [hierarchy.to_arrow().replace_schema_metadata() for hierarchy in hierarchies]
    pd.testing.assert_frame_equal(twice, pa.concat_tables(tables).to_pandas(), check_exact=True)


def test_a_recording_that_cannot_be_read_is_named(loaded, tmp_path):
    (tmp_path / "noise.mp4").write_bytes(b"noise" * 99)
    with pytest.raises(VideoError, match=r"noise\.mp4"):
        loaded.predict(pd.DataFrame({"uri": [str(tmp_path / "noise.mp4")]}))


def test_the_signature_names_the_columns(loaded):
    signature = loaded.metadata.signature
    assert signature.inputs.input_names() == ["uri", "video_id"]
    assert signature.inputs.required_input_names() == ["uri"]
    assert signature.outputs.input_names() == events_schema(8).names
    with pytest.raises(mlflow.MlflowException, match="uri"):
        loaded.predict(pd.DataFrame({"path": ["x.mp4"]}))


def test_the_model_tells_what_it_is(tracker, store, model_id):
    model = MlflowClient(store).get_logged_model(model_id)
    assert (model.name, model.source_run_id, str(model.status)) == ("streamer", tracker.run_id, "READY")
    assert model.params["feature_dim"] == "8"
    assert model.params["learning.lr"] == "0.01"
    outputs = MlflowClient(store).get_run(tracker.run_id).outputs
    assert outputs is not None
    assert [output.model_id for output in outputs.model_outputs] == [model_id]
    stored = Model.load(str(folder_of(tracker, model_id)))
    assert stored.metadata is not None
    assert stored.metadata["config"] == json.loads(json.dumps(FRAMES.to_dict()))
    example = stored.load_input_example(str(folder_of(tracker, model_id)))
    assert isinstance(example, pd.DataFrame)
    assert example.to_dict("records") == [{"uri": "recording.mp4", "video_id": "recording"}]


def test_the_folder_holds_parameters_once_and_nothing_pickled(tracker, model_id, final):
    folder = folder_of(tracker, model_id)
    places = {str(path.relative_to(folder)) for path in files(folder)}
    assert places >= {"MLmodel", "requirements.txt", "mlflow_model.py", "code/streamer/__init__.py"}
    assert not [place for place in places if place.endswith((".pkl", ".pyc"))]
    [stored] = [place for place in places if place.endswith(".pt")]
    content = checkpoint.read(folder / stored)
    assert content["learner"] is None
    assert (folder / stored).stat().st_size < 0.5 * final.stat().st_size
    parameters = checkpoint.read(final)["parameters"]
    assert all(np.array_equal(content["parameters"][name], value) for name, value in parameters.items())
    requirements = (folder / "requirements.txt").read_text().split()
    assert any(line.startswith("torch==") for line in requirements)
    assert not any("+" in line for line in requirements)
    assert files(final.parent) == [final], "nothing may be left beside the checkpoint"


def test_the_model_stands_alone(tracker, model_id, clip, final, tmp_path):
    """It is loaded where this project is not to be found, from a copy of its folder."""
    shutil.copytree(folder_of(tracker, model_id), tmp_path / "model")
    script = (
        "import os, sys, mlflow, pandas\n"
        "sys.path = [p for p in sys.path if not (p and os.path.isdir(p + '/pipelines'))]\n"
        "events = mlflow.pyfunc.load_model('model').predict(pandas.DataFrame({'uri': [sys.argv[1]]}))\n"
        "import streamer\n"
        "assert 'model/code/streamer' in streamer.__file__, streamer.__file__\n"
        "events.to_parquet('events.parquet')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(clip)], check=True, cwd=tmp_path, timeout=120)
    expected = streamer.segment(str(clip), streamer.load(final)).to_arrow().to_pandas()
    found = pd.read_parquet(tmp_path / "events.parquet")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_metrics_logged_later_are_the_models_too(tracker, store, model_id):
    tracker.log_metrics({"scene/hlr_iou": 0.5})
    model = MlflowClient(store).get_logged_model(model_id)
    assert [(metric.key, metric.value) for metric in model.metrics or []] == [("scene/hlr_iou", 0.5)]


def test_a_model_of_vectors_is_sent_to_a_store_elsewhere(tmp_path, store, monkeypatch):
    """A scheme that is not `file` stands for a server: the folder is made here, and sent whole."""

    class Elsewhere(LocalArtifactRepository):
        def __init__(self, uri: str, *arguments, **named) -> None:
            super().__init__(uri.replace("elsewhere:", "file:"), *arguments, **named)

    monkeypatch.setitem(_artifact_repository_registry._registry, "elsewhere", Elsewhere)
    client = MlflowClient(store)
    place = (tmp_path / "sent").as_uri().replace("file:", "elsewhere:")
    client.create_experiment("sent", artifact_location=place)
    features = write_vectors(tmp_path / "features.npy", 40, dim=8)
    path = trained(tmp_path / "final", tiny(force_fixed_buffer=True), features)
    tracker = Tracker(RunFolder(tmp_path), "sent", "vectors", store, source="streamer train")
    logged = log_model(tracker, path)
    assert files(path.parent) == [path]
    assert any(file.name == "streamer.pt" for file in files(tmp_path / "sent"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = mlflow.pyfunc.load_model(f"models:/{logged}").predict(pd.DataFrame({"uri": [str(features)]}))
    expected = streamer.segment(str(features), streamer.load(path)).to_arrow().to_pandas()
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_model_that_is_not_whole_is_marked(tracker, store, tmp_path):
    (tmp_path / "streamer.pt").write_bytes(b"noise")
    with pytest.raises(CheckpointError):
        log_model(tracker, tmp_path / "streamer.pt")
    with pytest.raises(RuntimeError, match="gone"), tracker.new_model("broken", {}, scratch=tmp_path):
        raise RuntimeError("gone")
    found = MlflowClient(store).search_logged_models([tracker.experiment_id])
    assert {(model.name, str(model.status)) for model in found} == {
        ("streamer", "READY"),
        ("broken", "FAILED"),
    }
