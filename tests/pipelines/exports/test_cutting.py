"""Clips that are cut, decoded again and compared with their video, picture by picture."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from pipelines.exports.cutting import Clip, cut_clips
from streamer.errors import VideoError
from streamer.video.grid import SnippetGrid
from streamer.video.pyav_reader import PyavReader
from tests.pipelines.exports.test_sound import NOISE, RATE, write_movie
from tests.streamer.video.clips import Clip as Source
from tests.streamer.video.clips import constant_rate, encode, number_in


def cut(folder, path, bounds, start_s=0.0):
    """Cuts a video at these seconds after `start_s`."""
    clips = [
        Clip(folder / f"{index}.mp4", start_s + start, start_s + end, f"clip {index}")
        for index, (start, end) in enumerate(pairwise(bounds))
    ]
    told = []
    damaged = cut_clips(str(path), clips, lambda: told.append(1))
    assert (len(told), damaged) == (len(clips), 0)
    return [clip.path for clip in clips]


def frames(path) -> tuple[list[int], list[float], float]:
    """Numbers that a clip shows, when, and where its picture ends."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        decoded = list(file.decode(stream))
        numbers = [number_in(upright(frame)) for frame in decoded]
        assert stream.duration is not None
        assert stream.time_base is not None
        return numbers, [frame.time for frame in decoded], float(stream.duration * stream.time_base)


def upright(frame) -> np.ndarray:
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("a.mp4", constant_rate(50, 25)),
        ("late.mp4", constant_rate(50, 25, start=210)),
        ("film.mkv", constant_rate(48, Fraction(24000, 1001), bframes=3)),
        ("tv.ts", constant_rate(60, Fraction(30000, 1001), start=45)),
        ("old.avi", constant_rate(50, 25, codec="mpeg4", bframes=0)),
        ("web.webm", constant_rate(40, 20, codec="libvpx", bframes=0)),
        ("turned.mp4", constant_rate(40, 20, rotation=90)),
        ("turned.mov", constant_rate(40, 20, rotation=180)),
    ],
)
def test_every_frame_lies_in_one_clip_and_clips_begin_on_the_frame_on_screen(tmp_path, name, clip):
    path = encode(tmp_path / name, clip)
    rate = float(1 / clip.time_base)
    bounds = [0, 0.5, 0.7, 1.5, len(clip.stamps) / rate]
    clips = [frames(part) for part in cut(tmp_path, path, bounds)]
    assert [number for numbers, _, _ in clips for number in numbers] == list(range(len(clip.stamps)))
    with PyavReader(str(path), SnippetGrid(0.1, 96), 1) as reader:
        snippets = [number_in(snippet) for snippet in reader]
    assert [numbers[0] for numbers, _, _ in clips] == [snippets[index] for index in (0, 5, 7, 15)]
    for numbers, times, end_s in clips:
        assert times == pytest.approx([index / rate for index in range(len(numbers))], abs=1.1e-3)
        assert end_s == pytest.approx(len(numbers) / rate, abs=1.6e-3)


def test_variable_rates_keep_their_times(tmp_path):
    stamps = [0, 40, 90, 130, 600, 640, 700, 2000, 2040, 2080]
    path = encode(tmp_path / "a.mkv", Source(stamps, Fraction(1, 1000), bframes=0))
    clips = [frames(part) for part in cut(tmp_path, path, [0, 0.5, 1.0, 1.5, 2.12])]
    # Frame 3 stands from 0.13 s to 0.6 s, frame 6 from 0.7 s to 2 s: bounds in between divide them.
    assert [numbers for numbers, _, _ in clips] == [[0, 1, 2, 3], [3, 4, 5, 6], [6], [6, 7, 8, 9]]
    assert clips[1][1] == pytest.approx([0, 0.1, 0.14, 0.2])
    assert clips[3][1] == pytest.approx([0, 0.5, 0.54, 0.58])
    assert [end_s for _, _, end_s in clips] == pytest.approx([0.5, 0.5, 0.5, 0.62], abs=1e-3)


def test_fewer_frames_than_events_are_shown_in_all_of_them(tmp_path):
    path = encode(tmp_path / "a.mp4", constant_rate(4, 1))
    clips = [frames(part) for part in cut(tmp_path, path, [0, 0.5, 1.5, 4])]
    assert [numbers for numbers, _, _ in clips] == [[0], [0, 1], [1, 2, 3]]
    assert [end_s for _, _, end_s in clips] == pytest.approx([0.5, 1, 2.5])


def test_events_of_a_part_of_a_recording_lie_in_that_part(tmp_path):
    path = encode(tmp_path / "a.mp4", constant_rate(100, 25))
    clips = [frames(part)[0] for part in cut(tmp_path, path, [0, 0.4, 1.2], start_s=2.0)]
    assert clips == [list(range(50, 60)), list(range(60, 80))]


def test_shape_rotation_colours_and_title_are_kept(tmp_path):
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 45, 31, "yuv444p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.codec_context.color_primaries, stream.codec_context.colorspace = 1, 1
        for number in range(5):
            frame = av.VideoFrame(45, 31, "yuv444p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.colorspace, frame.color_primaries = 1, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (clip,) = cut(tmp_path, path, [0, 0.2])
    with av.open(str(clip)) as file:
        stream = file.streams.video[0]
        first = next(file.decode(stream))
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (46, 32, Fraction(4, 3))
        assert (first.colorspace, first.color_primaries) == (1, 1)
        assert file.metadata["title"] == "clip 0"
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert not file.streams.audio


def sound_of(path) -> np.ndarray:
    with av.open(str(path)) as file:
        decoded = list(file.decode(file.streams.audio[0]))
        assert decoded[0].pts == 0
        return np.concatenate([frame.to_ndarray()[0] for frame in decoded])


def test_sound_is_cut_with_the_pictures(tmp_path):
    time = np.arange(2 * RATE) / RATE
    # A tone whose pitch tells the time.
    tone = (12000 * np.sin(2 * np.pi * (200 * time + 400 * time**2))).astype(np.int16)
    path = write_movie(tmp_path / "a.mkv", tone, picture_pts=400, sound_pts=0)
    clips = cut(tmp_path, path, [0, 0.5, 1.0])
    for index, clip in enumerate(clips):
        found = sound_of(clip)
        start = int((0.4 + 0.5 * index) * RATE)
        lags = range(-200, 201)
        quality = [np.dot(found[400:3600], tone[start + lag + 400 : start + lag + 3600]) for lag in lags]
        assert abs(lags[int(np.argmax(quality))]) <= 1
        with av.open(str(clip)) as file:
            stream = file.streams.audio[0]
            assert (stream.rate, stream.layout.name) == (RATE, "mono")
            assert float(stream.duration * stream.time_base) == pytest.approx(0.5, abs=1 / RATE)


def test_clips_after_the_end_of_the_sound_have_sound_as_long_as_they_are(tmp_path):
    path = write_movie(tmp_path / "a.mkv", NOISE[:2000])
    silent = sound_of(cut(tmp_path, path, [0, 0.5, 1.0])[1])
    assert len(silent) >= RATE // 2
    assert np.abs(silent).max() < 1e-3


def test_only_missing_clips_are_cut_and_nothing_is_read_after_the_last(tmp_path):
    path = encode(tmp_path / "a.mkv", constant_rate(100, 25, bframes=0))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])  # what follows 2 s cannot be read
    wanted = [None, tmp_path / "1.mp4", None, None]
    clips = [Clip(p, i / 2, (i + 1) / 2, "x") for i, p in enumerate(wanted)]
    cut_clips(str(path), clips, lambda: None)
    assert frames(tmp_path / "1.mp4")[0] == list(range(12, 25))
    assert not (tmp_path / "0.mp4").exists()


def test_a_video_that_breaks_costs_the_clips_from_there_on(tmp_path):
    path = encode(tmp_path / "a.mkv", constant_rate(100, 25, bframes=0))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    bounds = [0, 1, 3, 4]
    clips = [Clip(tmp_path / f"{i}.mp4", a, b, "x") for i, (a, b) in enumerate(pairwise(bounds))]
    with pytest.raises(VideoError, match=r"a\.mkv: at \d\.\d\d s: ") as caught:
        cut_clips(str(path), clips, lambda: None)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.mp4", "a.mkv"]
    assert frames(tmp_path / "0.mp4")[0] == list(range(25))


def test_no_clip_needs_no_video():
    assert cut_clips("/nowhere/at/all.mp4", [Clip(None, 0, 1, "x")], lambda: None) == 0


def test_a_video_that_is_gone_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4: cannot be opened"):
        cut_clips(str(tmp_path / "gone.mp4"), [Clip(tmp_path / "a.mp4", 0, 1, "x")], lambda: None)
