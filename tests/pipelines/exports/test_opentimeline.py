import dataclasses
import math
from fractions import Fraction
from itertools import pairwise

import opentimelineio as otio
import pytest
from hypothesis import given, settings

from pipelines.exports.opentimeline import frame_on_screen, frame_rate, opentimeline
from pipelines.exports.text import writable
from tests.pipelines.exports.material import HOSTILE, exported, videos
from tests.pipelines.finished_run import make_hierarchy
from tests.streamer.test_hierarchy import small


def read(video) -> otio.schema.Timeline:
    return otio.adapters.read_from_string(opentimeline(video).decode(), "otio_json")


def ranges(track) -> list[tuple[float, float]]:
    return [(clip.source_range.start_time.value, clip.source_range.duration.value) for clip in track]


def test_a_track_per_level_in_frames_of_the_recording():
    timeline = read(exported(small(), names={0: list("abcd"), 1: list("ef")}))
    assert [(track.name, track.kind) for track in timeline.tracks] == [
        ("level 0", "Video"),
        ("level 1", "Video"),
    ]
    # 2.5 s is in the middle of frame 62.
    assert ranges(timeline.tracks[0]) == [(0, 25), (25, 37), (62, 38), (100, 25)]
    assert ranges(timeline.tracks[1]) == [(0, 62), (62, 63)]
    clip = timeline.tracks[0][1]
    assert (clip.name, clip.source_range.start_time.rate) == ("b", 25)
    assert clip.media_reference.target_url == "file:///data/a%20b%2520c.mp4"
    assert clip.available_range() == otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, 25), otio.opentime.RationalTime(125, 25)
    )
    assert dict(clip.metadata["streamer"]) == {
        "level": 0,
        "event": 1,
        "parent": 0,
        "start_s": 1.0,
        "end_s": 2.5,
        "mean_signal": 0.125,
        "boundary_signal": 0.3125,
    }


@given(videos())
@settings(deadline=None, max_examples=40)
def test_every_level_gives_every_frame_to_one_event(video):
    timeline = read(video)
    rate = frame_rate(video)
    media = video.media
    for level, track in zip(video.levels, timeline.tracks, strict=True):
        assert [clip.name for clip in track] == list(video.names[level])
        found = ranges(track)
        assert all(duration >= 1 for _, duration in found)
        assert all(a[0] + a[1] == b[0] for a, b in pairwise(found))
        for clip, event in zip(track, video.hierarchy.levels[level], strict=True):
            if media.rate is not None:
                available = clip.available_range()
                assert clip.source_range.start_time.value >= available.start_time.value
            time = Fraction(media.start_s + event.start_s) * rate
            assert clip.source_range.start_time.value == math.floor(time + Fraction(1, 1000))


@given(videos())
@settings(deadline=None, max_examples=40)
def test_no_event_reaches_past_the_recording(video):
    for track in read(video).tracks:
        last = track[-1]
        available = last.available_range()
        end = last.source_range.start_time.value + last.source_range.duration.value
        assert end <= available.start_time.value + available.duration.value + 1e-6


def test_the_last_event_reaches_to_the_end_of_the_last_frame():
    hierarchy = make_hierarchy("a", [(0.0, 4.5)], 4.99)  # 124.75 frames
    (track,) = read(exported(hierarchy)).tracks
    assert ranges(track) == [(0, 112), (112, 13)]
    assert track[1].available_range().duration.value == 125


def test_an_event_begins_with_the_frame_that_the_model_saw():
    rate = Fraction(30000, 1001)
    assert frame_on_screen(0.5, rate) == 14  # frame 15 appears half a millisecond later
    assert frame_on_screen(15 * 1001 / 30000, rate) == 15
    assert [frame_on_screen(index / 25, Fraction(25)) for index in range(1000)] == list(range(1000))


def test_a_rate_below_that_of_snippets_is_multiplied():
    video = exported(small(), rate=Fraction(3, 4))
    assert frame_rate(video) == Fraction(9, 4)
    assert frame_rate(exported(small(), rate=Fraction(2))) == 2
    assert frame_rate(exported(small(), rate=None)) == 1000


def test_a_part_of_a_recording_refers_to_its_place_in_the_whole():
    video = exported(small(), start_s=100.0, duration_s=200.0)
    clip = read(video).tracks[1][1]
    assert clip.source_range.start_time.value == 2562  # 102.5 s
    assert clip.available_range().duration.value == 5000


def test_the_timecode_of_the_recording_counts():
    video = exported(small(), rate=Fraction(30000, 1001), timecode="00:00:10:00")
    clip = read(video).tracks[0][0]
    assert clip.source_range.start_time.value == 300
    assert clip.available_range().start_time.value == 300
    odd = exported(small(), rate=Fraction(179, 6), timecode="00:00:10:00")
    assert read(odd).tracks[0][0].source_range.start_time.value == 0


def test_unknown_lengths_and_vectors_have_no_available_range():
    unknown = exported(small())
    unknown = dataclasses.replace(unknown, media=dataclasses.replace(unknown.media, duration_s=None))
    assert read(unknown).tracks[0][0].media_reference.available_range is None
    bare = read(exported(small(), is_video=False, rate=None)).tracks[0][1]
    assert isinstance(bare.media_reference, otio.schema.MissingReference)
    assert (bare.source_range.start_time.value, bare.source_range.start_time.rate) == (1000, 1000)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_come_back(text):
    hierarchy = dataclasses.replace(small(), video_id=text)
    timeline = read(exported(hierarchy))
    assert timeline.metadata["streamer"]["video_id"] == writable(text)


def test_signals_that_json_cannot_hold_are_left_out():
    hierarchy = make_hierarchy("a", [(0.0, 1.0)], 2.0)
    first, second = hierarchy.levels[0]
    odd = [dataclasses.replace(first, mean_signal=math.inf), second]
    video = exported(dataclasses.replace(hierarchy, levels=[odd]))
    timeline = read(video)
    assert timeline.tracks[0][0].metadata["streamer"]["mean_signal"] is None
