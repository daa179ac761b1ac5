"""Parts of a video put together are the video read from the start, frame for frame and end for end."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from streamer.errors import TruncatedVideoError, VideoError
from streamer.video import DecoderName, SnippetGrid, available_decoders, can_begin_anywhere, open_snippets
from tests.streamer.video.clips import Clip, constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import read_numbers
from tests.streamer.video.test_damage import overwrite
from tests.streamer.video.test_exactness import cut_without_decoding
from tests.streamer.video.test_ranges import OPEN_GOP

GRID = SnippetGrid(frame_size=24)
FAST_START = {"movflags": "faststart"}
SMALL_H265 = {"preset": "ultrafast", "x265-params": "log-level=0:keyint=20:min-keyint=20"}
GAPS = [0, 40, 80, 1500, 1540, 1580, 1620, 4200, 4201, 4900, 5000, 9000, 9040, 9080, 9150]
VIDEOS = {
    "short.mp4": constant_rate(150, 30, gop=8),
    "short.mkv": constant_rate(150, 30, gop=8),
    "long.mp4": constant_rate(240, 30, gop=100),
    "all_keys.mkv": constant_rate(90, 30, gop=1, bframes=0, codec="mpeg4"),
    "no_bframes.mp4": constant_rate(150, 30, gop=40, bframes=0),
    "open.mp4": constant_rate(180, 30, bframes=3, codec_options=OPEN_GOP),
    "open.mkv": constant_rate(180, 30, bframes=3, codec_options=OPEN_GOP),
    "refresh.mp4": constant_rate(
        150, 30, bframes=0, codec_options={"x264-params": "intra-refresh=1:keyint=20"}
    ),
    "hevc.mp4": constant_rate(120, 30, codec="libx265", codec_options=SMALL_H265),
    "vp9.webm": constant_rate(120, 30, gop=15, codec="libvpx-vp9", codec_options={"deadline": "realtime"}),
    "variable.mp4": Clip(GAPS, Fraction(1, 1000), gop=4),
    "variable.mkv": Clip(GAPS, Fraction(1, 1000), gop=4),
    "key_at_the_end.mkv": Clip(GAPS, Fraction(1, 1000), gop=len(GAPS) - 1, bframes=0),
    "offset.mkv": constant_rate(150, 30, start=150, gop=20),
    "offset.mp4": constant_rate(150, 30, start=150, gop=20),
    "fragments.mp4": constant_rate(
        150, 30, gop=20, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "turned.mp4": constant_rate(100, 30, gop=20, rotation=90),
    "ntsc.mp4": constant_rate(200, Fraction(30000, 1001), gop=20),
    "ntsc.mkv": constant_rate(200, Fraction(30000, 1001), gop=20),
    "sound.mp4": constant_rate(90, 30, audio_s=5.0),
    "stream.ts": constant_rate(150, 30, gop=20),
    "mpeg4.avi": constant_rate(100, 25, codec="mpeg4"),
    "single.mp4": constant_rate(1, 25),
}
DIVISIBLE = {"short.mp4", "short.mkv", "long.mp4", "all_keys.mkv", "no_bframes.mp4", "open.mp4", "open.mkv",
             "hevc.mp4", "vp9.webm", "variable.mp4", "variable.mkv", "offset.mkv", "offset.mp4", "turned.mp4",
             "ntsc.mp4", "ntsc.mkv", "sound.mp4"}  # fmt: skip


class Reading(NamedTuple):
    """Snippets as bytes, the measured duration, and the error as type, reason and time."""

    snippets: list[bytes]
    duration_s: float | None
    error: tuple[type, str, float | None] | None


def read(path: Path, grid: SnippetGrid, decoder: DecoderName = "pyav") -> Reading:
    """Reads one part to its end."""
    snippets: list[bytes] = []
    error = None
    with open_snippets(path, grid, decoder=decoder) as reader:
        try:
            snippets.extend(image.tobytes() for image in reader)
        except VideoError as raised:
            error = (type(raised), raised.reason, raised.time_s)
    return Reading(snippets, reader.duration_s, error)


def read_in_parts(path: Path, grid: SnippetGrid, length: int, decoder: DecoderName = "pyav") -> Reading:
    """Reads parts of `length` snippets until one does not reach its end."""
    snippets: list[bytes] = []
    while True:
        first = len(snippets)
        part = read(path, replace(grid, first=first, stop=first + length), decoder)
        snippets += part.snippets
        if part.error is not None or len(part.snippets) < length:
            return part._replace(snippets=snippets)


@pytest.mark.parametrize("name", VIDEOS)
def test_parts_are_the_whole(name: str, make_clip: ClipMaker):
    path = make_clip(name, VIDEOS[name])
    for grid in (GRID, SnippetGrid(0.1, 24), SnippetGrid(0.5, 24, start_s=0.7, end_s=3.3)):
        whole = read(path, grid)
        assert whole.error is None
        for length in (1, 3) if grid is GRID else (7,):
            assert read_in_parts(path, grid, length) == whole, (grid, length)
        beyond = read(path, replace(grid, first=len(whole.snippets) + 5))
        assert beyond == whole._replace(snippets=[])


@pytest.mark.parametrize("name", set(VIDEOS) - {"fragments.mp4"})  # that follows from the version of FFmpeg
def test_what_is_divisible_is_known_before(name: str, make_clip: ClipMaker):
    assert can_begin_anywhere(make_clip(name, VIDEOS[name])) == (name in DIVISIBLE)


@pytest.mark.skipif("decord" not in available_decoders(), reason="decord is not installed")
@pytest.mark.parametrize("name", ["short.mp4", "short.mkv", "long.mp4", "vp9.webm", "turned.mp4", "ntsc.mp4"])
def test_parts_by_decord_are_the_whole(name: str, make_clip: ClipMaker):
    path = make_clip(name, VIDEOS[name])
    assert can_begin_anywhere(path, "decord")
    assert read_in_parts(path, GRID, 1, "decord") == read(path, GRID, "decord")


def test_parts_of_a_video_with_an_edit_list(make_clip: ClipMaker, tmp_path: Path):
    source = make_clip("a.mp4", constant_rate(150, 30, gop=20))
    path = cut_without_decoding(source, tmp_path / "cut.mp4", 1.0)
    whole = read(path, GRID)
    assert len(whole.snippets) == 8
    assert read_in_parts(path, GRID, 1) == whole


def test_a_jump_in_the_clock_is_bridged_in_all_parts(make_clip: ClipMaker, tmp_path: Path):
    source = make_clip("a.mkv", constant_rate(120, 30, gop=15, bframes=0))
    path = tmp_path / "jump.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        copy = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.dts is not None and packet.pts is not None:
                jump = 5_000_000 if number >= 60 else 0
                packet.pts, packet.dts, packet.stream = packet.pts + jump, packet.dts + jump, copy
                made.mux(packet)
    assert not can_begin_anywhere(path)
    whole = read(path, GRID)
    assert len(whole.snippets) == 8
    assert read_in_parts(path, GRID, 1) == whole


def damaged(path: Path, kind: str, share: float) -> Path:
    """Cuts a file off, or puts noise into it."""
    if kind == "cut":
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path
    return overwrite(path, share, 60)


DAMAGED = {
    "short.mp4": constant_rate(240, 30, gop=8, container_options=FAST_START),
    "short.mkv": constant_rate(240, 30, gop=8),
    "long.mp4": constant_rate(240, 30, gop=100, container_options=FAST_START),
    "open.mp4": constant_rate(240, 30, bframes=3, codec_options=OPEN_GOP, container_options=FAST_START),
    "sound.mkv": constant_rate(180, 30, gop=10, audio_s=8.0),
    "stream.ts": constant_rate(150, 30, gop=8),
}


@pytest.mark.parametrize(("kind", "share"), [("cut", 0.55), ("cut", 0.8), ("noise", 0.5), ("noise", 0.75)])
@pytest.mark.parametrize("name", DAMAGED)
def test_parts_of_a_damaged_video_end_as_the_whole_does(
    name: str, kind: str, share: float, make_clip: ClipMaker
):
    """With groups of pictures shorter than a snippet, a later part could begin behind the damage."""
    path = damaged(make_clip(name, DAMAGED[name]), kind, share)
    whole = read(path, GRID)
    for length in (1, 3):
        assert read_in_parts(path, GRID, length) == whole
    resumed = read(path, replace(GRID, first=len(whole.snippets)))
    assert resumed == whole._replace(snippets=[])


def test_duration_up_to_stop_and_to_the_end(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(68, 30))  # 2.27 s: five snippets
    assert read_numbers(path, SnippetGrid(first=1, stop=3)).numbers == [15, 30]
    assert read_numbers(path, SnippetGrid(first=1, stop=3)).duration_s == 1.5
    assert read_numbers(path, SnippetGrid(first=4, stop=9)).duration_s == pytest.approx(68 / 30)
    assert read_numbers(path, SnippetGrid(end_s=2.2, stop=5)).duration_s == 2.2
    assert read_numbers(path, SnippetGrid(end_s=2.0, first=2, stop=9)).duration_s == 2.0


def test_a_part_beyond_the_end_is_empty_and_knows_the_duration(make_clip: ClipMaker):
    outcome = read_numbers(make_clip("a.mp4", constant_rate(68, 30)), SnippetGrid(first=50, stop=60))
    assert (outcome.numbers, outcome.error) == ([], None)
    assert outcome.duration_s == pytest.approx(68 / 30)


def test_a_part_beyond_the_end_of_a_cut_file_ends_as_the_file_does(make_clip: ClipMaker):
    path = damaged(make_clip("a.mkv", constant_rate(240, 30)), "cut", 0.6)
    outcome = read_numbers(path, SnippetGrid(first=12))
    assert outcome.numbers == []
    assert isinstance(outcome.error, TruncatedVideoError)


def test_a_late_part_decodes_little(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(600, 30, gop=30))
    outcome = read_numbers(path, SnippetGrid(first=30, stop=32))
    assert outcome.numbers == [450, 465]
    assert outcome.frames_read < 60


def test_a_file_that_is_no_video_is_not_divisible(tmp_path: Path):
    (tmp_path / "a.mp4").write_text("no video")
    assert not can_begin_anywhere(tmp_path / "a.mp4")
    assert not can_begin_anywhere(tmp_path / "missing.mp4")


def test_streams_that_appear_late_are_passed_over(make_clip: ClipMaker):
    """Noise in a Flash video makes tags of streams that nothing declares."""
    path = make_clip("a.flv", constant_rate(240, 30, gop=12, audio_s=8.0))
    data = bytearray(path.read_bytes())
    tag = data.index(b"\x08", len(data) // 2)
    while not is_sound_tag(data, tag):
        tag = data.index(b"\x08", tag + 1)
    data[tag + 11 : tag + 13] = np.array([0x2A, 0x55], np.uint8).tobytes()  # sound of another codec
    path.write_bytes(data)
    assert read_numbers(path).numbers == list(range(0, 240, 15))


def is_sound_tag(data: bytearray, place: int) -> bool:
    """Whether a tag of sound begins here: its size is repeated behind it."""
    size = int.from_bytes(data[place + 1 : place + 4], "big")
    return int.from_bytes(data[place + 11 + size : place + 15 + size], "big") == size + 11
