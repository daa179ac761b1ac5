"""Parts of a video: seeking gives what reading from the start gives, and nothing is read ahead."""

from fractions import Fraction

import numpy as np
import pytest

from streamer.errors import ConfigError
from streamer.video import SnippetGrid, open_snippets
from tests.streamer.video.clips import constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import read_numbers

OPEN_GOP = {"x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3:b-adapt=0:scenecut=0"}
VIDEOS = {
    "closed.mp4": constant_rate(240, 30, gop=30),
    "closed.mkv": constant_rate(240, 30, gop=30),
    "open.mp4": constant_rate(240, 30, bframes=3, codec_options=OPEN_GOP),
    "open.mkv": constant_rate(240, 30, bframes=3, codec_options=OPEN_GOP),
    "refresh.mp4": constant_rate(
        240, 30, bframes=0, codec_options={"x264-params": "intra-refresh=1:keyint=20"}
    ),
    "offset.mkv": constant_rate(240, 30, start=150, gop=30),
    "fragments.mp4": constant_rate(
        240, 30, gop=30, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "one_key.mp4": constant_rate(240, 30, gop=500),
    "stream.ts": constant_rate(240, 30, gop=30),
    "ntsc.mp4": constant_rate(240, Fraction(30000, 1001), gop=30),
    "vp9.webm": constant_rate(240, 30, gop=30, codec="libvpx-vp9", codec_options={"deadline": "realtime"}),
    "mpeg4.avi": constant_rate(240, 30, gop=30, codec="mpeg4"),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_a_part_is_the_same_as_in_the_whole(name: str, make_clip: ClipMaker):
    path = make_clip(name, VIDEOS[name])
    with open_snippets(path, SnippetGrid(frame_size=48)) as reader:
        whole = np.stack(list(reader))
    assert len(whole) >= 16
    for first, last in [(1, 4), (2, 3), (7, 12), (13, None)]:
        end_s = None if last is None else last * 0.5
        with open_snippets(path, SnippetGrid(0.5, 48, start_s=first * 0.5, end_s=end_s)) as reader:
            part = np.stack(list(reader))
        np.testing.assert_array_equal(part, whole[first:last])


@pytest.mark.parametrize("name", ["closed.mp4", "closed.mkv", "offset.mkv", "vp9.webm"])
def test_a_late_part_does_not_decode_the_whole(name: str, make_clip: ClipMaker):
    outcome = read_numbers(make_clip(name, VIDEOS[name]), SnippetGrid(start_s=6.0, end_s=7.0))
    assert outcome.numbers == [180, 195]
    assert outcome.duration_s == 1.0
    assert outcome.frames_read < 70


def test_parts_join_without_gap_or_overlap(make_clip: ClipMaker):
    """Products of inexact steps, as parallel readers of one video use them."""
    path = make_clip("a.mp4", constant_rate(100, 30))
    step = 0.1
    whole = read_numbers(path, SnippetGrid(step)).numbers
    edges = [0, 3, 6, 7, 12, 19, 29]
    ends: list[float | None] = [edge * step for edge in edges[1:]]
    parts = [
        read_numbers(path, SnippetGrid(step, start_s=edge * step, end_s=end)).numbers
        for edge, end in zip(edges, [*ends, None], strict=True)
    ]
    assert [number for part in parts for number in part] == whole


def test_a_part_beyond_the_end_is_empty(make_clip: ClipMaker):
    outcome = read_numbers(make_clip("a.mp4", constant_rate(60, 30)), SnippetGrid(start_s=10.0, end_s=12.0))
    assert (outcome.numbers, outcome.duration_s, outcome.error) == ([], 0.0, None)


def test_duration_of_a_part_ends_with_the_video(make_clip: ClipMaker):
    outcome = read_numbers(make_clip("a.mp4", constant_rate(60, 30)), SnippetGrid(start_s=0.75, end_s=5.0))
    assert outcome.numbers == [22, 37, 52]
    assert outcome.duration_s == pytest.approx(1.25)


def test_an_idle_consumer_makes_nothing_be_decoded(make_clip: ClipMaker):
    """Frame 15 is shown once frame 16 is known, and no packet is read before the next request."""
    path = make_clip("a.mp4", constant_rate(600, 30, bframes=0))
    with open_snippets(path, SnippetGrid()) as reader:
        next(reader)
        assert reader.frames_read == 1
        next(reader)
        assert reader.frames_read == 16
        assert reader.duration_s is None


def test_closing_ends_the_iteration(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(60, 30))
    with open_snippets(path, SnippetGrid()) as reader:
        next(reader)
    assert list(reader) == []
    reader.close()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"snippet_size": 0.0}, "snippet_size"),
        ({"snippet_size": float("nan")}, "snippet_size"),
        ({"frame_size": 0}, "frame_size"),
        ({"frame_size": 12.5}, "frame_size"),
        ({"start_s": -1.0}, "start_s"),
        ({"start_s": float("inf")}, "start_s"),
        ({"start_s": 2.0, "end_s": 2.0}, "end_s"),
    ],
)
def test_impossible_grids_are_refused_by_field(wrong: dict, field: str):
    with pytest.raises(ConfigError, match=field):
        SnippetGrid(**wrong)
