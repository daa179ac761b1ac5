"""PyAV and decord agree on ordinary files; what decord gets wrong is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, VideoError
from streamer.video import SnippetGrid, available_decoders, decord_reader, open_snippets
from tests.streamer.video.clips import Clip, constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import expected_numbers, read_numbers
from tests.streamer.video.test_exactness import cut_without_decoding
from tests.streamer.video.test_ranges import VIDEOS

needs_decord = pytest.mark.skipif("decord" not in available_decoders(), reason="decord is not installed")

ORDINARY = {
    "cfr30.mp4": constant_rate(95, 30),
    "ntsc.mp4": constant_rate(200, Fraction(30000, 1001)),
    "offset.mkv": constant_rate(70, 30, start=150),
    "variable.mp4": Clip([0, 90, 410, 499, 500, 501, 800, 1999, 2001, 3700], Fraction(1, 1000), bframes=0),
    "vp9.webm": constant_rate(45, 30, codec="libvpx-vp9", codec_options={"deadline": "realtime"}),
    "h264.flv": constant_rate(60, 25),
}
REFUSED = {
    "a.ts": constant_rate(30, 30),
    "a.avi": constant_rate(30, 30),
    "a.mpg": constant_rate(30, 25, codec="mpeg2video"),
    "single.mkv": constant_rate(1, 25),
}


@needs_decord
@pytest.mark.parametrize("name", ORDINARY)
def test_both_decoders_choose_the_same_frames(name: str, make_clip: ClipMaker):
    path = make_clip(name, ORDINARY[name])
    by_decord = read_numbers(path, decoder="decord")
    assert by_decord.numbers == expected_numbers(ORDINARY[name])
    assert by_decord.duration_s == pytest.approx(read_numbers(path).duration_s, abs=0.002)


@needs_decord
def test_both_decoders_read_the_same_range(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(120, 30))
    grid = SnippetGrid(start_s=1.0, end_s=2.7)
    by_decord, by_pyav = read_numbers(path, grid, decoder="decord"), read_numbers(path, grid)
    assert by_decord.numbers == by_pyav.numbers == [30, 45, 60, 75]
    assert by_decord.duration_s == by_pyav.duration_s == pytest.approx(1.7)


@needs_decord
@pytest.mark.parametrize("name", ["cosmos_test_10s.mp4", "anim_bbb_0_30.webm", "gopro_max_hero.mp4"])
def test_both_decoders_give_the_same_pixels(name: str, shared_videos: Path):
    """Different versions of one scaler: at most 8 of 255 levels apart anywhere, at most 0.5 on average."""
    grid = SnippetGrid(snippet_size=1.0)
    with (
        open_snippets(shared_videos / name, grid) as pyav,
        open_snippets(shared_videos / name, grid, decoder="decord") as decord,
    ):
        for one, other in zip(pyav, decord, strict=True):
            difference = np.abs(one.astype(int) - other.astype(int))
            assert difference.max() <= 8
            assert difference.mean() <= 0.5


@needs_decord
@pytest.mark.parametrize("name", REFUSED)
def test_decord_refuses_what_it_reads_wrongly(name: str, make_clip: ClipMaker):
    path = make_clip(name, REFUSED[name])
    with pytest.raises(VideoError, match="use the decoder 'pyav'"):
        open_snippets(path, SnippetGrid(), decoder="decord")


@needs_decord
def test_decord_refuses_edit_lists(make_clip: ClipMaker, tmp_path: Path):
    source = make_clip("a.mp4", constant_rate(120, 30, gop=50, bframes=0))
    cut = cut_without_decoding(source, tmp_path / "cut.mp4", 1.0)
    with pytest.raises(VideoError, match="edit list"):
        open_snippets(cut, SnippetGrid(), decoder="decord")


@needs_decord
@pytest.mark.parametrize("name", ["open.mp4", "open.mkv", "refresh.mp4"])
def test_decord_refuses_files_in_which_it_would_lose_its_place(name: str, make_clip: ClipMaker):
    """It jumps to key frames, and takes each for one that needs nothing from before."""
    with pytest.raises(VideoError, match="after some of its key frames"):
        open_snippets(make_clip(name, VIDEOS[name]), SnippetGrid(), decoder="decord")


@needs_decord
def test_decord_refuses_addresses():
    with pytest.raises(VideoError, match="files only"):
        open_snippets("http://127.0.0.1:9/a.mp4", SnippetGrid(), decoder="decord")


def test_missing_decord_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(2, 30))
    monkeypatch.setattr(decord_reader, "decord_is_installed", lambda: False)
    with pytest.raises(ConfigError, match="pip install decord"):
        open_snippets(path, SnippetGrid(), decoder="decord")


def test_unknown_decoder_and_thread_count_are_refused(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(2, 30))
    with pytest.raises(ConfigError, match="use one of: pyav"):
        open_snippets(path, SnippetGrid(), decoder="gstreamer")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="threads: 0"):
        open_snippets(path, SnippetGrid(), threads=0)
