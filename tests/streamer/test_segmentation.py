from pathlib import Path

import numpy as np
import pytest
import torch

import streamer
from streamer import checkpoint
from streamer.config import DemarcationConfig, StreamerConfig
from streamer.errors import CheckpointError, ConfigError, VideoError
from streamer.extractors import open_extractor
from streamer.segmentation import StoredModel, segment_recording, timed
from streamer.sources import is_vectors, open_source, path_of
from streamer.streamer import Streamer
from tests.streamer.tiny import ALWAYS, parameters, same, tiny, vectors, watch
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


@pytest.fixture
def learned(tmp_path: Path) -> Path:
    """Checkpoint of a model that trained, with gradients in the making and a video in the middle."""
    model = Streamer(tiny(evolve_every=4, working_set_size=3, force_fixed_buffer=True), lanes=2, seed=4)
    for start in range(0, 62, 2):
        for lane in range(2):
            model.offer(vectors(62, seed=lane)[start : start + 2].float(), lane)
        for _ in range(2):
            model.advance()
            model.barrier()
    assert model.learner is not None
    assert model.learner.steps > 2
    assert model.learner.losses.total[0] > 0
    assert any(gradient_sum.counter for gradient_sum in model.learner.f_sums)
    checkpoint.save(model, tmp_path / "learned.pt")
    return tmp_path / "learned.pt"


def test_a_frozen_model_of_a_checkpoint_begins_afresh_with_any_number_of_lanes(learned):
    frozen = StoredModel(learned).frozen(lanes=3)
    assert len(frozen.lanes) == 3
    assert frozen.learner is None
    assert frozen.idle
    shown = vectors(30, seed=7).float()
    expected, _ = watch(streamer.load(learned), shown)
    assert same(watch(StoredModel(learned).frozen(), shown)[0], expected)
    # One that never learned goes on in the middle of a video when it is loaded, but not here.
    half = streamer.load(learned, lanes=2)
    half.offer(shown[:4], 1)
    half.advance()
    path = learned.with_name("half.pt")
    checkpoint.save(half, path)
    assert same(watch(StoredModel(path).frozen(), shown)[0], expected)


def test_a_learning_model_begins_with_parameters_and_adam_but_without_sums(learned):
    content = checkpoint.read(learned)
    plain = Streamer(tiny(evolve_every=4, working_set_size=3, force_fixed_buffer=True), seed=4)
    checkpoint.restore_parameters(plain, content, learned)
    assert plain.learner is not None
    plain.learner.optimizer.load_state_dict(content["learner"]["optimizer"])
    shown = vectors(60, seed=7).float()
    expected, expected_signals = watch(plain, shown)
    stored = StoredModel(learned)
    untouched = parameters(stored.frozen())
    for _ in range(3):  # the second time, the first has learned
        model = stored.learning()
        hierarchy, signals = watch(model, shown)
        assert signals == expected_signals
        assert same(hierarchy, expected)
        assert any(
            not torch.equal(one, other) for one, other in zip(parameters(model), untouched, strict=False)
        )


def test_a_learning_model_grows_by_what_it_has_watched_itself(tmp_path):
    model = Streamer(tiny(evolve_every=30, demarcation=ALWAYS))
    watch(model, vectors(25).float())
    checkpoint.save(model, tmp_path / "young.pt")
    stored = StoredModel(tmp_path / "young.pt")
    assert watch(stored.learning(), vectors(20).float())[0].num_levels == 1
    assert watch(stored.learning(), vectors(40).float())[0].num_levels == 2


def test_without_a_learner_nothing_goes_on_learning(learned):
    path = learned.with_name("frozen.pt")
    checkpoint.save(streamer.load(learned), path)
    with pytest.raises(CheckpointError, match=r"frozen\.pt: holds no learner"):
        StoredModel(path).learning()


def test_a_model_of_features_segments_a_video(clip, monkeypatch):
    config = StreamerConfig(features="comb", feature_dim=64, frame_size=16, evolve_every=4)
    model = Streamer(config, seed=0, train=False)
    hierarchy = streamer.segment(str(clip), model)
    with open_source(str(clip), snippet_size=0.5, frame_size=16) as source:
        features = open_extractor("comb", 64)(np.stack(list(source)))
    other = Streamer(config, seed=0, train=False)
    other.offer(features)
    for _ in features:
        other.advance()
    expected = other.end_video(hierarchy.duration_s, hierarchy.video_id)
    assert hierarchy.to_arrow().equals(expected.to_arrow())


def test_a_model_of_features_says_what_it_takes():
    model = Streamer(StreamerConfig(features="comb", feature_dim=16, frame_size=16), train=False)
    with pytest.raises(ConfigError, match=r"takes features `comb` of frames, \[16\], not \[16, 16, 3\]"):
        model.observe(np.zeros((16, 16, 3), np.uint8))


def test_a_model_that_was_trained_without_following_thresholds_cannot_be_timed():
    with pytest.raises(
        ConfigError, match=r"do not follow \(model.demarcation.mode is `average`\): train one in"
    ):
        timed(StreamerConfig(), (2.0, 10.0, 60.0))
    learned = StreamerConfig(demarcation=DemarcationConfig(mode="peak"))
    with pytest.raises(ConfigError, match=r"2 named, but this model has 3 levels: give as many"):
        timed(learned, (2.0, 10.0))
