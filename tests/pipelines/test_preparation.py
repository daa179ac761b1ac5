"""What a run needs before it starts: inputs, annotations, and a model that fits them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipelines.config import laptop_model
from pipelines.manifest import CatalogError
from pipelines.preparation import Inputs, fit_model, prepare_inputs
from streamer.config import StreamerConfig
from streamer.errors import ConfigError, TruthError
from tests.pipelines.finished_run import entry, write_truth
from tests.pipelines.tiny import tiny_config
from tests.streamer.video.clips import constant_rate, encode


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", constant_rate(20, 10))


@pytest.fixture
def folder(tmp_path, clip) -> Path:
    """Two videos and one file that is none."""
    root = tmp_path / "videos"
    root.mkdir()
    for name in "ab":
        shutil.copy(clip, root / f"{name}.mp4")
    (root / "noise.mp4").write_bytes(b"noise" * 99)
    (root / "notes.txt").write_text("")
    return root


def prepare(*inputs: object, truth: object = None) -> tuple[Inputs, str]:
    console = Console(width=200)
    with console.capture() as capture:
        found = prepare_inputs([str(i) for i in inputs], str(truth) if truth else None, 0.5, console)
    return found, capture.get()


def refused(kind: type[Exception], *inputs: object, truth: object = None) -> str:
    with pytest.raises(kind) as caught:
        prepare(*inputs, truth=truth)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_readable_inputs_are_the_videos(folder):
    found, text = prepare(folder)
    assert [entry.video_id for entry in found.entries] == ["a", "b", "noise"]
    assert [entry.video_id for entry in found.videos] == ["a", "b"]
    assert (found.kind, found.truth) == ("video", None)
    assert found.expected_snippets(0.5) == 8
    assert "2 readable inputs, 0.1 minutes; 1 unreadable; 1 other file ignored" in text
    assert f"failed: {folder / 'noise.mp4'}: " in text


def test_many_unreadable_inputs_are_counted(folder):
    for index in range(7):
        (folder / f"bad[red]{index}.mp4").write_bytes(b"noise")
    _, text = prepare(folder)
    assert "bad[red]0.mp4" in text
    assert "and 3 more; all are in videos.parquet" in text


def test_unknown_durations_count_as_nothing():
    entries = [entry("a", duration_s=3.0), entry("b", duration_s=None)]
    assert Inputs(entries, entries, None).expected_snippets(0.5) == 6


def test_nothing_readable(folder):
    message = refused(CatalogError, folder / "noise.mp4")
    assert "none of 1 inputs can be read" in message
    assert "noise.mp4" in message
    shutil.copy(folder / "noise.mp4", folder / "more.mp4")
    assert "the others are named above" in refused(CatalogError, folder / "noise.mp4", folder / "more.mp4")


def test_videos_and_vectors_do_not_mix(folder):
    np.save(folder / "c.npy", np.zeros((4, 8), np.float32))
    assert "both vectors and video" in refused(CatalogError, folder)


def test_truth_beside_the_videos_is_taken(folder):
    write_truth(folder / "truth.csv", "a,scene,0,1,x")
    assert prepare(folder)[0].truth is not None
    assert prepare(folder / "a.mp4")[0].truth is None
    other = write_truth(folder.parent / "other.csv", "b,scene,0,1,x", "noise,scene,0,1,x")
    found = prepare(folder, truth=other)[0].truth
    assert found is not None
    assert list(found.videos) == ["b", "noise"], "unreadable inputs may be annotated"


def test_truth_of_other_videos_is_refused(folder):
    path = write_truth(folder / "truth.csv", "a,scene,0,1,x", "bb,scene,0,1,x", "cc,scene,0,1,x")
    message = refused(TruthError, folder)
    assert "2 of 3 video_ids are unknown: 'bb' (nearest known: 'b'), 'cc'" in message
    assert "found in the input folder" in message
    assert "found in the input folder" not in refused(TruthError, folder, truth=path)


def vectors(*dims: int) -> Inputs:
    entries = [entry(f"v{dim}", kind="vectors", dim=dim) for dim in dims]
    return Inputs(entries, entries, None)


def videos() -> Inputs:
    return Inputs([entry("a")], [entry("a")], None)


def test_model_of_frames_takes_videos():
    assert fit_model(laptop_model(), videos()) == laptop_model()


def test_vectors_make_the_model_one_of_vectors():
    assert fit_model(StreamerConfig(feature_dim=16), vectors(16, 16)) == StreamerConfig(
        feature_dim=16, modality="vectors"
    )
    assert fit_model(tiny_config(), vectors(8)) == tiny_config()


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (tiny_config(), videos(), "model.modality is `vectors`, but the inputs are videos"),
        (tiny_config(), vectors(8, 24), "v24.mp4: vectors of 24 numbers, but model.feature_dim is 8"),
        (StreamerConfig(feature_dim=8, normalize_pixels=True), vectors(8), "model.normalize_pixels"),
    ],
)
def test_model_that_does_not_fit_is_refused(model, inputs, message):
    with pytest.raises(ConfigError, match=message):
        fit_model(model, inputs)
