"""Which frame every snippet shows, for all kinds of clocks and containers."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.video import SnippetGrid, available_decoders, open_snippets, probe
from tests.streamer.video.clips import Clip, constant_rate, number_in
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import expected_numbers, read_numbers

NTSC = Fraction(30000, 1001)
VARIABLE = Clip([0, 90, 410, 499, 500, 501, 800, 1999, 2001, 3700, 3720, 3740], Fraction(1, 1000), bframes=0)
SVT = {"preset": "12", "svtav1-params": "pred-struct=1"}
CLIPS = {
    "cfr30.mp4": constant_rate(95, 30),
    "cfr50.mp4": constant_rate(160, 50),
    "ntsc.mp4": constant_rate(200, NTSC),
    "ntsc.mkv": constant_rate(200, NTSC),
    "film.mkv": constant_rate(100, Fraction(24000, 1001)),
    "variable.mp4": VARIABLE,
    "variable.mkv": VARIABLE,
    "offset.mp4": constant_rate(70, 30, start=150),
    "offset.mkv": constant_rate(70, 30, start=150),
    "offset.ts": constant_rate(70, 30, start=150),
    "fragments.mp4": constant_rate(70, 30, container_options={"movflags": "frag_keyframe+empty_moov"}),
    "sound.mp4": constant_rate(60, 30, audio_s=4.0),
    "sound.mkv": constant_rate(60, 30, audio_s=4.0),
    "slow.mp4": constant_rate(4, Fraction(1, 3), bframes=0),
    "slow.mkv": constant_rate(4, Fraction(1, 3), bframes=0),
    "single.mp4": constant_rate(1, 25),
    "single.mkv": constant_rate(1, 25),
    "vp9.webm": constant_rate(
        45, 30, codec="libvpx-vp9", codec_options={"deadline": "realtime", "cpu-used": "8"}
    ),
    "av1.mp4": constant_rate(45, 30, codec="libsvtav1", bframes=0, codec_options=SVT),
    "hevc.mp4": constant_rate(
        45,
        30,
        codec="libx265",
        pix_fmt="yuv420p10le",
        codec_options={"preset": "ultrafast", "x265-params": "log-level=0"},
    ),
    "mpeg2.mpg": constant_rate(60, 25, codec="mpeg2video"),
    "mpeg2.ts": constant_rate(60, 25, codec="mpeg2video"),
    "mpeg4.avi": constant_rate(60, 25, codec="mpeg4"),
    "h264.avi": constant_rate(60, 25),
    "h264.flv": constant_rate(60, 25),
    "raw.h264": constant_rate(60, 25),
}


@pytest.mark.parametrize("name", CLIPS)
def test_snippets_show_the_frame_on_screen(name: str, make_clip: ClipMaker):
    clip = CLIPS[name]
    outcome = read_numbers(make_clip(name, clip))
    assert outcome.error is None
    assert outcome.numbers == expected_numbers(clip)
    end = clip.times()[-1] + clip.durations()[-1] * clip.time_base
    assert outcome.duration_s == pytest.approx(float(end), abs=0.002)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads: int, make_clip: ClipMaker):
    clip = constant_rate(95, 30)
    assert read_numbers(make_clip("a.mp4", clip), threads=threads).numbers == expected_numbers(clip)


def test_stamps_rounded_to_the_container_do_not_shift_frames(make_clip: ClipMaker):
    """Thirds of a second do not exist in Matroska's milliseconds."""
    clip = constant_rate(90, 30)
    outcome = read_numbers(make_clip("a.mkv", clip), SnippetGrid(snippet_size=1 / 3))
    assert outcome.numbers == list(range(0, 90, 10))


@pytest.mark.parametrize("decoder", available_decoders())
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotated_video_stands_upright(decoder, rotation: int, make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(31, 30, rotation=rotation))
    assert read_numbers(path, decoder=decoder).numbers == [0, 15, 30]
    info = probe(path)
    assert (info.width, info.height, info.rotation) == (192, 96, rotation)


def cut_without_decoding(source: Path, target: Path, start_s: float) -> Path:
    """Copies packets from the key frame before `start_s` on; an edit list hides those before `start_s`."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        start = int(start_s / stream.time_base)
        given.seek(start, stream=stream)
        for packet in given.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - start, packet.dts - start, copy
                made.mux(packet)
    return target


def test_edit_list_hides_the_frames_before_the_cut(make_clip: ClipMaker, tmp_path: Path):
    source = make_clip("a.mp4", constant_rate(120, 30, gop=50, bframes=0))
    cut = cut_without_decoding(source, tmp_path / "cut.mp4", 1.0)
    assert read_numbers(cut).numbers == [30, 45, 60, 75, 90, 105]


def test_real_edit_list_starts_with_the_first_shown_frame(shared_videos: Path):
    path = shared_videos / "awkward" / "tc_discard_first_keyframe.mp4"
    with av.open(str(path)) as container:
        shown = [frame.pts for frame in container.decode(video=0)]
    with open_snippets(path, SnippetGrid(snippet_size=0.04)) as reader:
        assert sum(1 for _ in reader) == len(shown) == 25
    assert reader.duration_s == pytest.approx(1.0)


def test_video_without_a_declared_duration(shared_videos: Path):
    path = shared_videos / "awkward" / "moviepy_no_duration.webm"
    assert probe(path).duration_s is None
    with open_snippets(path, SnippetGrid()) as reader:
        assert sum(1 for _ in reader) == 10
    assert reader.duration_s == pytest.approx(4.938)


def test_the_consumer_owns_every_snippet(make_clip: ClipMaker):
    """Repeated frames are separate arrays: writing into one does not show in the next."""
    with open_snippets(
        make_clip("a.mp4", constant_rate(2, 1, bframes=0)), SnippetGrid(frame_size=64)
    ) as reader:
        for image in reader:
            assert image.shape == (64, 64, 3)
            assert image.flags.c_contiguous
            assert number_in(image) in (0, 1)
            image[:] = 0
