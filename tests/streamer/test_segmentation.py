from pathlib import Path

import numpy as np
import pytest
import torch

import streamer
from streamer.config import StreamerConfig
from streamer.errors import CheckpointError, ConfigError, VideoError
from streamer.segmentation import segment_recording
from streamer.sources import is_vectors, path_of
from streamer.streamer import Streamer
from tests.streamer.tiny import ALWAYS, same, tiny, vectors, watch
from tests.streamer.video.clips import constant_rate, encode

FRAMES = StreamerConfig(
    feature_dim=8,
    frame_size=16,
    channels=(2, 2, 2, 2),
    working_set_size=3,
    initial_levels=2,
    demarcation=ALWAYS,
)


@pytest.fixture
def of_frames() -> Streamer:
    return Streamer(FRAMES, train=False)


@pytest.fixture
def of_vectors() -> Streamer:
    return Streamer(tiny(initial_levels=2, demarcation=ALWAYS), train=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds."""
    return encode(tmp_path / "clip.mp4", constant_rate(48, 12))


def save_vectors(path: Path, n: int, dim: int = 8) -> Path:
    np.save(path, vectors(n, dim=dim).float().numpy())
    return path


def test_a_video_becomes_a_hierarchy(clip, of_frames):
    hierarchy = streamer.segment(str(clip), of_frames)
    hierarchy.validate()
    assert (hierarchy.video_id, hierarchy.snippets, hierarchy.num_levels) == ("clip", 8, 2)
    assert hierarchy.duration_s == pytest.approx(4.0)
    assert hierarchy.boundaries(0).tolist() == [0.5 * k for k in range(1, 8)]
    assert hierarchy.dim == 8


@pytest.mark.parametrize("name", ["talk#2.mp4", "what?.mp4", "50% off.mp4", "a.b.mp4", "http:x.mp4"])
def test_any_character_may_be_part_of_a_file_name(name, tmp_path, of_frames):
    path = encode(tmp_path / name, constant_rate(12, 12))
    hierarchy = streamer.segment(str(path), of_frames)
    assert hierarchy.video_id == name.removesuffix(".mp4")
    assert hierarchy.snippets == 2


@pytest.mark.parametrize("name", ["talk#2.npy", "what?.NPY"])
def test_vectors_become_the_hierarchy_that_observing_them_gives(name, tmp_path, of_vectors):
    path = save_vectors(tmp_path / "stream.npy", 12).rename(tmp_path / name)
    hierarchy = streamer.segment(str(path), of_vectors, video_id="given")
    assert hierarchy.video_id == "given"
    other = Streamer(of_vectors.config, train=False)
    for x in vectors(12).float():
        other.observe(x)
    assert same(hierarchy, other.end_video(video_id="given"))


def test_a_model_that_trains_goes_on_learning(tmp_path):
    path = save_vectors(tmp_path / "a.npy", 40)
    model = Streamer(tiny(learning={"optimize_every": 2}))
    streamer.segment(str(path), model)
    assert model.learner is not None
    assert model.learner.steps > 0


def test_a_part_of_a_recording_starts_at_0(tmp_path, of_vectors):
    path = save_vectors(tmp_path / "a.npy", 20)
    hierarchy, signals, warning = segment_recording(
        str(path), of_vectors, video_id="part", start_s=2.0, end_s=6.0
    )
    expected, expected_signals = watch(Streamer(of_vectors.config, train=False), vectors(20).float()[4:12])
    assert warning is None
    assert signals == expected_signals
    assert hierarchy.segments(0) == expected.segments(0)
    assert hierarchy.duration_s == 4.0


def test_what_was_observed_before_does_not_count(tmp_path, of_vectors):
    path = save_vectors(tmp_path / "a.npy", 6)
    expected = streamer.segment(str(path), of_vectors)
    of_vectors.observe(torch.ones(8))
    assert same(streamer.segment(str(path), of_vectors), expected)


def test_a_file_that_ends_early_gives_a_warning_and_what_there_was(tmp_path, of_frames):
    path = encode(tmp_path / "long.mkv", constant_rate(240, 30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.warns(UserWarning, match=r"long\.mkv: at \d\.\d+ s: ends early"):
        hierarchy = streamer.segment(str(path), of_frames)
    hierarchy.validate()
    assert 2 < hierarchy.duration_s < 7.5


def test_the_other_kind_of_recording_is_refused(clip, tmp_path, of_frames, of_vectors):
    path = save_vectors(tmp_path / "a.npy", 3)
    with pytest.raises(CheckpointError, match=r"clip\.mp4: the model takes vectors, this file holds frames"):
        streamer.segment(str(clip), of_vectors)
    with pytest.raises(CheckpointError, match=r"a\.npy: the model takes frames, this file holds vectors"):
        streamer.segment(str(path), of_frames)


def test_vectors_of_another_width_are_refused_by_the_name_of_their_file(tmp_path, of_vectors):
    path = save_vectors(tmp_path / "wide.npy", 3, dim=16)
    with pytest.raises(ConfigError, match=r"wide\.npy: the model takes vectors \[8\], not \[16\]"):
        streamer.segment(str(path), of_vectors)


@pytest.mark.parametrize("name", ["absent.mp4", "absent.npy", "text.mp4", "text.npy"])
def test_what_cannot_be_read_is_named(name, tmp_path, of_frames, of_vectors):
    path = tmp_path / name
    if "text" in name:
        path.write_text("neither video nor array")
    with pytest.raises(VideoError, match=name):
        streamer.segment(str(path), of_vectors if name.endswith("npy") else of_frames)


@pytest.mark.parametrize(
    ("uri", "stem", "vectors_"),
    [
        ("a/b#1.mp4", "b#1", False),
        ("a/b?x=1.npy", "b?x=1", True),
        ("http://host/a/b.npy?token=1#top", "b", True),
        ("https://host/a/b.mp4?file=x.npy", "b", False),
        ("s3://bucket/a.NPY", "a", True),
        ("c.npy.mp4", "c.npy", False),
    ],
)
def test_addresses_have_queries_and_files_do_not(uri, stem, vectors_):
    assert path_of(uri).stem == stem
    assert is_vectors(uri) is vectors_
