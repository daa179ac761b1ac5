"""What a run needs before it starts: inputs, annotations, and a model that fits them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipelines.manifest import CatalogError
from pipelines.preparation import Inputs, fit_model, prepare_inputs
from pipelines.recipes import adaptive_model
from streamer.config import StreamerConfig
from streamer.errors import ConfigError, TruthError
from tests.pipelines.annotations.files import (
    epic_row,
    goal_step_video,
    segment,
    write,
    write_epic,
    write_goal_step,
)
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
        found = prepare_inputs([str(i) for i in inputs], None if truth is None else str(truth), 0.5, console)
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


def test_empty_name_of_truth_is_refused_although_there_is_truth_beside(folder):
    write_truth(folder / "truth.csv", "a,scene,0,1,x")
    assert "--truth is empty" in refused(TruthError, folder, truth="")


def test_truth_of_other_videos_is_refused(folder):
    path = write_truth(folder / "truth.csv", "a,scene,0,1,x", "bb,scene,0,1,x", "cc,scene,0,1,x")
    message = refused(TruthError, folder)
    assert "2 of 3 video_ids are unknown: 'bb' (nearest known: 'b'), 'cc'" in message
    assert "found in the input folder" in message
    assert "found in the input folder" not in refused(TruthError, folder, truth=path)


def lay_out(root: Path, clip: Path, *names: str) -> Path:
    """Copies of one video where a dataset would have its own."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, root / name)
    return root


def test_epic_kitchens_as_it_arrives(tmp_path, clip):
    root = lay_out(
        tmp_path / "EPIC-KITCHENS", clip, "P01/videos/P01_11.MP4", "P01/videos/P01_12.MP4", "P02/P02_101.MP4"
    )
    rows = [epic_row("P01_11", 0.5, 1.5), epic_row("P02_101", 0, 1), epic_row("P37_101", 0, 1)]
    found, text = prepare(root, truth=write_epic(tmp_path / "EPIC_100_validation.csv", *rows))
    assert [entry.video_id for entry in found.videos] == [
        "P01/videos/P01_11",
        "P01/videos/P01_12",
        "P02/P02_101",
    ]
    assert found.truth is not None
    assert found.truth.videos == {
        "P01/videos/P01_11": {"action": [(0.5, 1.5, "take plate")]},
        "P02/P02_101": {"action": [(0, 1, "take plate")]},
    }
    assert "2 annotated videos in" in text
    assert "2 videos found by name, such as P01_11 as P01/videos/P01_11" in text
    assert "1 of 3 annotated videos are not among the inputs" in text


def test_ego4d_as_it_arrives(tmp_path, clip):
    uids = ["46d00bf5-ed73-4e5f-84eb-9c880eec10d8", "c2d06df7-5d3a-4116-9edb-f1c81a4f669b"]
    root = lay_out(tmp_path / "ego4d_data", clip, *(f"v2/full_scale/{uid}.mp4" for uid in uids))
    videos = [goal_step_video(uid, segment(0, 1.5, segments=[segment(0, 1)])) for uid in (*uids, "grp-1")]
    path = write_goal_step(root / "v2" / "annotations" / "goalstep_val.json", *videos)
    found, text = prepare(root, truth=path)
    assert found.truth is not None
    assert sorted(found.truth.videos) == [f"v2/full_scale/{uid}" for uid in uids]
    assert "1 other file ignored" in text
    alone, _ = prepare(root / "v2" / "full_scale", truth=path)
    assert alone.truth is not None
    assert sorted(alone.truth.videos) == uids


def test_breakfast_and_fifty_salads_as_they_arrive(tmp_path, clip):
    names = ["P16/cam01/P16_tea.avi", "P23/stereo/P23_tea_ch0.avi", "P23/stereo/P23_tea_ch1.avi"]
    root = lay_out(tmp_path / "BreakfastII_15fps_qvga_sync", clip, *names)
    for name in ("P16_cam01_P16_tea", "P23_stereo01_P23_tea", "P30_cam01_P30_tea"):
        write(tmp_path / "groundTruth" / f"{name}.txt", "SIL\n" * 15 + "pour_water\n" * 15)
    truth = prepare(root, truth=tmp_path / "groundTruth")[0].truth
    assert truth is not None
    assert sorted(truth.videos) == [name.removesuffix(".avi") for name in names]
    salads = lay_out(tmp_path / "rgb", clip, "rgb-01-1.avi")
    truth = prepare(salads, truth=write(tmp_path / "rgb-01-1.txt", "1,30,cut_tomato,4\r\n"))[0].truth
    assert truth is not None
    assert (truth.videos, truth.notes) == ({"rgb-01-1": {"action": [(0, 1, "cut_tomato")]}}, ())


def test_two_copies_of_a_video_are_refused_with_their_names(tmp_path, clip):
    root = lay_out(tmp_path / "v2", clip, "full_scale/u.mp4", "video_540ss/u.mp4")
    path = write_goal_step(tmp_path / "g.json", goal_step_video("u", segment(0, 1)))
    assert "'u' could be full_scale/u or video_540ss/u" in refused(TruthError, root, truth=path)


def vectors(*dims: int) -> Inputs:
    entries = [entry(f"v{dim}", kind="vectors", dim=dim) for dim in dims]
    return Inputs(entries, entries, None)


def videos() -> Inputs:
    return Inputs([entry("a")], [entry("a")], None)


def test_model_of_frames_takes_videos():
    for model in (adaptive_model(), StreamerConfig()):
        assert fit_model(model, videos()) == model


def test_vectors_make_the_model_one_of_vectors():
    assert fit_model(StreamerConfig(feature_dim=16), vectors(16, 16)) == StreamerConfig(
        feature_dim=16, modality="vectors"
    )
    assert fit_model(tiny_config(), vectors(8)) == tiny_config()


def test_vectors_are_not_made_features_of():
    found = fit_model(replace(adaptive_model(), feature_dim=16), vectors(16))
    assert found == replace(adaptive_model(), feature_dim=16, features=None, modality="vectors")


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (tiny_config(), videos(), "model.modality is `vectors`, but the inputs are videos"),
        (tiny_config(), vectors(8, 24), "v24.mp4: vectors of 24 numbers, but model.feature_dim is 8"),
        (StreamerConfig(feature_dim=8, normalize_pixels=True), vectors(8), "model.normalize_pixels"),
        (StreamerConfig(feature_dim=8, features="mine:f"), vectors(8), "mine:f has no effect on vectors"),
    ],
)
def test_model_that_does_not_fit_is_refused(model, inputs, message):
    with pytest.raises(ConfigError, match=message):
        fit_model(model, inputs)
