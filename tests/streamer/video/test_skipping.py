"""Pictures that are not decoded leave no trace in what is delivered."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.packet import Packet

from streamer.video import SnippetGrid
from streamer.video.nal_units import NalFormat, nal_format, nothing_refers_to
from streamer.video.pyav_reader import PyavReader
from streamer.video.skipping import Skipping
from tests.streamer.video.clips import Clip, constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.test_exactness import cut_without_decoding
from tests.streamer.video.test_parts import FAST_START, GAPS, GRID, SMALL_H265, Reading, read, read_in_parts
from tests.streamer.video.test_ranges import OPEN_GOP

PYRAMID = {"x264-params": "bframes=7:b-pyramid=normal:b-adapt=0:ref=4"}
WITH_B_FRAMES = {
    "short.mp4": constant_rate(150, 30, gop=8),
    "long.mp4": constant_rate(200, 30, gop=90, bframes=3),
    "pyramid.mp4": constant_rate(200, 30, gop=60, bframes=7, codec_options=PYRAMID),
    "open.mp4": constant_rate(180, 30, bframes=3, codec_options=OPEN_GOP),
    "ntsc.mp4": constant_rate(200, Fraction(30000, 1001), gop=40),
    "offset.mp4": constant_rate(150, 30, start=150, gop=20),
    "variable.mp4": Clip(GAPS, Fraction(1, 1000), gop=20),
    "turned.mp4": constant_rate(100, 30, gop=20, rotation=90),
    "hevc.mp4": constant_rate(120, 30, codec="libx265", codec_options=SMALL_H265),
    "plain.mp4": constant_rate(150, 30, gop=8, bframes=0),
    "plain_long.mp4": constant_rate(200, 30, gop=35, bframes=0),
    "plain_variable.mp4": Clip(GAPS, Fraction(1, 1000), gop=3, bframes=0),
    "plain_hevc.mp4": constant_rate(
        120,
        30,
        codec="libx265",
        bframes=0,
        codec_options={"preset": "ultrafast", "x265-params": "log-level=0:keyint=10:min-keyint=10:bframes=0"},
    ),
    "refresh.mp4": constant_rate(
        150, 30, bframes=0, codec_options={"x264-params": "intra-refresh=1:keyint=20"}
    ),
}
WITHOUT = {
    "no_bframes.mp4": constant_rate(90, 30, bframes=0, gop=100),
    "matroska.mkv": constant_rate(90, 30),
    "layers.mp4": constant_rate(
        90,
        30,
        codec="libx265",
        codec_options={"preset": "ultrafast", "x265-params": "log-level=0:keyint=20:temporal-layers=2"},
    ),
}
GRIDS = [GRID, SnippetGrid(0.1, 24), SnippetGrid(1 / 3, 24), SnippetGrid(1.7, 24, start_s=0.4, end_s=4.0)]


@contextmanager
def everything_decoded() -> Iterator[None]:
    """No picture is left out inside of this block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PyavReader, "_skip", lambda _: None)
        yield


def read_whole(path: Path, grid: SnippetGrid = GRID) -> Reading:
    """What decoding everything gives."""
    with everything_decoded():
        return read(path, grid)


def skipped_in(path: Path, grid: SnippetGrid = GRID) -> list[Packet]:
    """The packets that are left out."""
    packets = []
    choose = Skipping.choose

    def spy(self: Skipping, packet: Packet) -> bool:
        skips = choose(self, packet)
        packets.extend([packet] if skips else [])
        return skips

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Skipping, "choose", spy)
        read(path, grid)
    return packets


@pytest.mark.parametrize("name", WITH_B_FRAMES)
def test_the_snippets_are_those_of_decoding_everything(name: str, make_clip: ClipMaker):
    path = make_clip(name, WITH_B_FRAMES[name])
    for grid in GRIDS:
        assert read(path, grid) == read_whole(path, grid), grid
    assert skipped_in(path)


@pytest.mark.parametrize("name", WITHOUT)
def test_what_others_may_refer_to_is_decoded(name: str, make_clip: ClipMaker):
    path = make_clip(name, WITHOUT[name])
    assert read(path, GRID) == read_whole(path)
    assert not skipped_in(path)


def test_most_b_frames_are_left_out(make_clip: ClipMaker):
    options = {"x264-params": "bframes=2:b-pyramid=none:b-adapt=0"}
    path = make_clip("a.mp4", constant_rate(300, 30, gop=60, codec_options=options))
    assert len(skipped_in(path)) > 0.8 * 200


def test_most_of_short_groups_is_left_out(make_clip: ClipMaker):
    """One key frame every half second, and snippets at them."""
    path = make_clip("a.mp4", constant_rate(301, 30, gop=15, bframes=0))
    assert len(skipped_in(path)) == 20 * 14
    assert read(path, GRID) == read_whole(path)


def test_hidden_frames_before_a_cut_are_no_frames(make_clip: ClipMaker, tmp_path: Path):
    source = make_clip("a.mp4", constant_rate(150, 30, gop=50))
    path = cut_without_decoding(source, tmp_path / "cut.mp4", 1.0)
    assert read(path, GRID) == read_whole(path)
    assert skipped_in(path)


def test_pictures_before_the_first_key_frame_are_no_frames(make_clip: ClipMaker, tmp_path: Path):
    """A file cut out at an open group begins with pictures that cannot be decoded."""
    clip = constant_rate(180, 30, bframes=3, codec_options=OPEN_GOP)
    path = tmp_path / "cut.mp4"
    with av.open(str(make_clip("a.mp4", clip))) as given, av.open(str(path), "w") as made:
        copy = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(video=0)):
            if packet.dts is not None and number >= 17:  # the second key frame
                packet.stream = copy
                made.mux(packet)
    assert read(path, GRID) == read_whole(path)
    assert skipped_in(path)


def test_a_plan_that_turns_out_wrong_is_noticed(make_clip: ClipMaker):
    """As if the frame that was to replace a skipped one never came."""
    path = make_clip("a.mp4", WITH_B_FRAMES["long.mp4"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PyavReader, "_shows", lambda *_: False)
        assert read(path, GRID) == read_whole(path)
        assert read_in_parts(path, GRID, 1) == read_whole(path)


def test_nothing_is_skipped_where_the_decoder_would_err(make_clip: ClipMaker):
    """B-frames in a stream that declares none, and pictures of temporal layers."""
    for name, data in (("no_bframes.mp4", b"\0\0\0\x03\x01ab"), ("layers.mp4", b"\0\0\0\x03\x00\x01a")):
        with av.open(str(make_clip(name, WITHOUT[name]))) as container:
            skipping = Skipping(container.streams.video[0], lambda *_: False, 0)
            for pts in (0, 400, 200):
                packet = Packet(data)
                packet.pts = pts
                assert not skipping.choose(packet)


def test_groups_are_not_cut_short_where_pictures_are_reordered_against_what_is_declared(
    make_clip: ClipMaker,
):
    with av.open(str(make_clip("a.mp4", WITH_B_FRAMES["plain.mp4"]))) as container:
        skipping = Skipping(container.streams.video[0], lambda *_: False, 0)
        chosen = []
        for pts, dts in ((512, 512), (1024, 1024), (3072, 1536), (2048, 2048)):
            packet = Packet(b"\0\0\0\x03\x41ab")
            packet.pts, packet.dts = pts, dts
            chosen.append(skipping.choose(packet))
    assert chosen == [True, True, False, False]


def test_stamps_in_the_order_of_the_file_leave_the_order_on_screen(make_clip: ClipMaker, tmp_path: Path):
    """Some muxers write decoding times only: nothing says then which frames are on screen when."""
    path = tmp_path / "wrong.mp4"
    with (
        av.open(str(make_clip("a.mp4", constant_rate(150, 30)))) as given,
        av.open(str(path), "w") as made,
    ):
        copy = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.pts, packet.stream = packet.dts, copy
                made.mux(packet)
    assert read(path, GRID) == read_whole(path)


def test_threads_change_nothing(make_clip: ClipMaker):
    path = make_clip("a.mp4", WITH_B_FRAMES["long.mp4"])
    reader = PyavReader(str(path), GRID, threads=3)
    with reader:
        assert [image.tobytes() for image in reader] == read_whole(path).snippets


def test_damage_inside_of_a_picture_that_nobody_sees_is_no_damage(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(240, 30, gop=30, container_options=FAST_START))
    undamaged = read_whole(path)
    spoil(path, max(skipped_in(path), key=lambda packet: packet.size), offset=5)
    assert read_whole(path).error is not None
    assert read(path, GRID) == undamaged
    assert read_in_parts(path, GRID, 3) == undamaged


def test_damage_of_the_structure_of_such_a_picture_is_noticed(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(240, 30, gop=30, container_options=FAST_START))
    spoil(path, max(skipped_in(path), key=lambda packet: packet.size), offset=0)
    whole = read_whole(path)
    assert whole.error is not None
    assert read(path, GRID) == whole


def spoil(path: Path, packet: Packet, offset: int) -> None:
    """Puts noise into a packet from a byte of it on."""
    assert packet.pos is not None
    data = bytearray(path.read_bytes())
    data[packet.pos + offset : packet.pos + packet.size] = np.random.default_rng(0).bytes(
        packet.size - offset
    )
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["short.mp4", "open.mp4", "pyramid.mp4", "plain.mp4", "plain_long.mp4"])
def test_noise_anywhere_ends_the_same_or_later_without_being_seen(name: str, make_clip: ClipMaker):
    clip = WITH_B_FRAMES[name]
    path = make_clip(name, Clip(**{**vars(clip), "container_options": FAST_START}))
    data, undamaged = path.read_bytes(), read_whole(path)
    generator = np.random.default_rng(7)
    for _ in range(12):
        start, count = int(generator.uniform(0.3, 0.9) * len(data)), int(generator.choice([3, 60, 600]))
        path.write_bytes(data[:start] + generator.bytes(count) + data[start + count :])
        seen, whole = read(path, GRID), read_whole(path)
        assert seen.snippets[: len(whole.snippets)] == whole.snippets, (start, count)
        assert seen == whole or seen.snippets == undamaged.snippets[: len(seen.snippets)], (start, count)
        assert read_in_parts(path, GRID, 3) == seen, (start, count)


H264 = NalFormat("h264", 4, layered=False)
H265 = NalFormat("hevc", 2, layered=False)


@pytest.mark.parametrize(
    ("data", "form", "expected"),
    [
        (b"\0\0\0\x03\x01ab", H264, True),
        (b"\0\0\0\x02\x09\xf0\0\0\0\x02\x06a\0\0\0\x03\x01ab\0\0\0\x02\x01c", H264, True),
        (b"\0\0\0\x03\x01ab\0\0\0\x03\x41ab", H264, False),  # a slice that others refer to
        (b"\0\0\0\x03\x65ab", H264, False),
        (b"\0\0\0\x03\x81ab", H264, False),  # the forbidden bit
        (b"\0\0\0\x03\x68ab\0\0\0\x03\x01ab", H264, False),  # parameters for pictures to come
        (b"\0\0\0\x02\x09\xf0", H264, False),  # no picture at all
        (b"\0\0\0\x04\x01ab", H264, False),
        (b"\0\0\0\x03\x01ab\0\0", H264, False),
        (b"\0\0\0\0\0\0\0\x03\x01ab", H264, False),
        (b"", H264, False),
        (b"\0\x03\x00\x01a", H265, True),
        (b"\0\x03\x46\x01a\0\x03\x50\x01a\0\x03\x10\x01a", H265, True),
        (b"\0\x03\x02\x01a", H265, False),
        (b"\0\x03\x00\x02a", H265, False),  # of a higher temporal layer
        (b"\0\x03\x26\x01a", H265, False),
    ],
)
def test_headers_tell_whether_others_refer_to_a_picture(data: bytes, form: NalFormat, expected: bool):
    assert nothing_refers_to(data, form) == expected


def test_formats_of_nal_units(make_clip: ClipMaker):
    forms = {}
    for name, clip in {**WITH_B_FRAMES, **WITHOUT, "a.ts": constant_rate(5, 30), "v.webm": VP9}.items():
        with av.open(str(make_clip(name, clip))) as container:
            forms[name] = nal_format(container.streams.video[0].codec_context)
    assert forms["short.mp4"] == forms["matroska.mkv"] == H264
    assert forms["hevc.mp4"] == NalFormat("hevc", 4, layered=False)
    assert forms["layers.mp4"] == NalFormat("hevc", 4, layered=True)
    assert forms["a.ts"] is None
    assert forms["v.webm"] is None


VP9 = constant_rate(5, 30, codec="libvpx-vp9", codec_options={"deadline": "realtime"})
