"""Sound on the clock of the pictures, sample by sample."""

from fractions import Fraction

import av
import numpy as np
import pytest

from pipelines.exports.exposure import PictureReader
from pipelines.exports.sound import Sound, sound_stream
from streamer.video.container import VideoFile
from tests.streamer.video.clips import picture

RATE = 8000


def write_movie(path, samples, *, picture_pts=0, sound_pts=0, layout="mono", codec="pcm_s16le", gap=None):
    """A second of pictures at 10 per second from millisecond `picture_pts`, with samples from `sound_pts`.

    Args:
        path: a .mkv file to make.
        samples: int16 [n].
        picture_pts: milliseconds.
        sound_pts: milliseconds.
        layout: of the channels, which all sound alike.
        codec: of the sound.
        gap: sample before which a second without samples lies.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 192, 96, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = container.add_stream(codec, rate=RATE, layout=layout)
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24")
            frame.pts, frame.time_base = picture_pts + number * 100, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        channels = len(sound.layout.channels)
        for start in range(0, len(samples), 800):
            part = np.repeat(samples[None, start : start + 800], channels, axis=0).T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "s16", layout)
            late = RATE if gap is not None and start >= gap else 0
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = start + sound_pts * RATE // 1000 + late
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def open_sound(path) -> Sound:
    with PictureReader(str(path)) as reader:
        return Sound(VideoFile(str(path)), reader.origin)


def read(sound, start, stop) -> np.ndarray:
    parts = list(sound.read(start, stop))
    assert all(part.shape[1] <= sound.rate for part in parts)
    return np.concatenate(parts, axis=1)


NOISE = np.random.default_rng(0).integers(-20000, 20000, 2 * RATE).astype(np.int16)


@pytest.mark.parametrize(("picture_pts", "sound_pts"), [(0, 0), (300, 0), (0, 300), (500, 500), (250, 1000)])
def test_sample_0_sounds_with_the_first_frame(tmp_path, picture_pts, sound_pts):
    path = write_movie(tmp_path / "a.mkv", NOISE, picture_pts=picture_pts, sound_pts=sound_pts)
    found = read(open_sound(path), 0, 2 * RATE)[0]
    shift = (sound_pts - picture_pts) * RATE // 1000
    expected = np.zeros(2 * RATE, np.float32)
    if shift >= 0:
        expected[shift:] = NOISE[: 2 * RATE - shift] / 32768
    else:
        expected[: 2 * RATE + shift] = NOISE[-shift:] / 32768
    np.testing.assert_array_equal(found, expected)


def test_it_is_read_in_pieces_of_any_size_and_parts_may_be_passed_over(tmp_path):
    path = write_movie(tmp_path / "a.mkv", NOISE, layout="stereo")
    sound = open_sound(path)
    assert (sound.rate, sound.layout, sound.channels) == (RATE, "stereo", 2)
    for start, stop in ((0, 1), (1, 777), (2000, 2003), (2003, 9000), (9000, 9000)):
        parts = list(sound.read(start, stop))
        assert sum(part.shape[1] for part in parts) == stop - start
        for part in parts:
            np.testing.assert_array_equal(part[0], NOISE[start : start + part.shape[1]] / np.float32(32768))
            np.testing.assert_array_equal(part[0], part[1])
            start += part.shape[1]


def test_gaps_and_what_follows_the_end_are_silent(tmp_path):
    path = write_movie(tmp_path / "a.mkv", NOISE[:8000], gap=4000)
    found = read(open_sound(path), 0, 100_000)[0] * 32768
    np.testing.assert_array_equal(found[:4000], NOISE[:4000])
    assert not found[4000:12000].any()
    np.testing.assert_array_equal(found[12000:16000], NOISE[4000:8000])
    assert not found[16000:].any()


def test_a_video_without_sound_has_none(tmp_path):
    from tests.streamer.video.clips import constant_rate, encode

    file = VideoFile(str(encode(tmp_path / "a.mp4", constant_rate(5, 25))))
    assert sound_stream(file) is None
    file.close()
