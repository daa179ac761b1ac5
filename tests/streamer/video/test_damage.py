"""What cannot be read ends in one typed error that says where, after every good snippet before it."""

import pickle
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import TruncatedVideoError, VideoError
from streamer.video import SnippetGrid, open_snippets, probe
from tests.streamer.video.clips import constant_rate
from tests.streamer.video.conftest import ClipMaker
from tests.streamer.video.reading import Outcome, read_numbers

LONG = constant_rate(240, 30)  # 8 s
FAST_START = constant_rate(240, 30, container_options={"movflags": "faststart"})


def assert_good_until_error(outcome: Outcome) -> float:
    """All snippets before the error's place are there and right; returns the place in seconds."""
    assert outcome.error is not None
    time_s = outcome.error.time_s
    assert time_s is not None
    assert outcome.duration_s == pytest.approx(time_s)
    moments = [k * 0.5 for k in range(16) if k * 0.5 < time_s - 0.001]
    assert outcome.numbers == [15 * k for k in range(len(moments))]
    return time_s


def cut(path: Path, share: float) -> Path:
    """Keeps the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def overwrite(path: Path, share: float, count: int, seed: int = 0) -> Path:
    """Replaces bytes in the middle by noise."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * share)
    data[start : start + count] = np.random.default_rng(seed).bytes(count)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("share", [0.35, 0.5, 0.6, 0.7])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_truncated_file_is_noticed_at_its_end(name: str, share: float, make_clip: ClipMaker):
    path = cut(make_clip(name, FAST_START if name == "a.mp4" else LONG), share)
    outcome = read_numbers(path)
    assert isinstance(outcome.error, TruncatedVideoError)
    assert 0.3 < assert_good_until_error(outcome) < 7.5


@pytest.mark.parametrize("threads", [1, 4])
def test_truncation_costs_few_frames_with_any_number_of_threads(threads: int, make_clip: ClipMaker):
    path = cut(make_clip("a.mp4", FAST_START), 0.7)
    with av.open(str(path)) as container:
        packets = sum(not p.is_corrupt and p.size > 0 for p in container.demux(video=0))
    outcome = read_numbers(path, threads=threads)
    assert assert_good_until_error(outcome) > packets / 30 - 0.3


def test_truncated_matroska_with_longer_sound_is_noticed(make_clip: ClipMaker):
    path = cut(make_clip("a.mkv", constant_rate(240, 30, audio_s=10.0)), 0.6)
    assert isinstance(read_numbers(path).error, TruncatedVideoError)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.flv"])
def test_longer_sound_is_no_truncation(name: str, make_clip: ClipMaker):
    outcome = read_numbers(make_clip(name, constant_rate(60, 30, audio_s=6.0)))
    assert outcome.error is None
    assert outcome.duration_s == pytest.approx(2.0, abs=0.002)


def test_truncated_flash_video_with_sound_is_noticed(make_clip: ClipMaker):
    """Only the duration of the whole file is declared here."""
    path = cut(make_clip("a.flv", constant_rate(240, 30, audio_s=8.0)), 0.6)
    outcome = read_numbers(path)
    assert isinstance(outcome.error, TruncatedVideoError)
    assert_good_until_error(outcome)


@pytest.mark.parametrize("share", [0.45, 0.6, 0.7])
def test_noise_in_the_middle_breaks_there(share: float, make_clip: ClipMaker):
    outcome = read_numbers(overwrite(make_clip("a.mp4", FAST_START), share, 60))
    assert type(outcome.error) is VideoError
    assert "decoding breaks" in str(outcome.error)
    assert_good_until_error(outcome)


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6, 0.7])
def test_noise_in_the_structure_of_a_container_ends_the_good_part(share: float, make_clip: ClipMaker):
    """Whether anything decodable follows depends on what the demuxer finds again."""
    outcome = read_numbers(overwrite(make_clip("a.mkv", LONG), share, 60))
    assert_good_until_error(outcome)


def test_range_before_the_damage_is_whole(make_clip: ClipMaker):
    path = overwrite(make_clip("a.mkv", LONG), 0.8, 60)
    broken = read_numbers(path)
    assert broken.error is not None
    outcome = read_numbers(path, SnippetGrid(end_s=2.0))
    assert outcome.error is None
    assert outcome.numbers == [0, 15, 30, 45]
    assert outcome.duration_s == 2.0


def test_transport_stream_that_starts_between_key_frames_starts_with_the_first_whole_frame(
    make_clip: ClipMaker,
):
    path = make_clip("a.ts", constant_rate(150, 30, gop=15, bframes=0))
    packets = path.read_bytes()
    path.write_bytes(packets[188 * (len(packets) // 188 // 3) :])
    outcome = read_numbers(path)
    assert outcome.error is None
    assert outcome.numbers[0] % 15 == 0
    assert outcome.numbers == list(range(outcome.numbers[0], 150, 15))


def garbage(folder: Path) -> dict[str, Path]:
    """Files that are no videos."""
    paths = {name: folder / name for name in ("empty.mp4", "text.mp4", "text.txt", "bytes.mkv", "a:b.mp4")}
    paths["empty.mp4"].touch()
    for name in ("text.mp4", "text.txt", "a:b.mp4"):
        paths[name].write_text("no video here\n" * 50)
    paths["bytes.mkv"].write_bytes(np.random.default_rng(0).bytes(5000))
    paths["folder"] = folder
    paths["missing"] = folder / "missing.mp4"
    return paths


@pytest.mark.parametrize(
    "name", ["empty.mp4", "text.mp4", "text.txt", "bytes.mkv", "a:b.mp4", "folder", "missing"]
)
def test_what_is_no_video_is_refused_by_name(name: str, tmp_path: Path):
    path = garbage(tmp_path)[name]
    for use in (probe, lambda uri: open_snippets(uri, SnippetGrid())):
        with pytest.raises(VideoError) as raised:
            use(path)
        assert raised.value.uri == str(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
        assert raised.value.time_s is None


def test_sound_without_video_is_refused(tmp_path: Path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="no video stream"):
        probe(path)


def test_unknown_codec_is_refused(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(30, 30))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match="no decoder"):
        probe(path)


def test_first_frame_that_cannot_be_decoded_is_refused(make_clip: ClipMaker):
    path = make_clip("a.mp4", constant_rate(30, 30, container_options={"movflags": "faststart"}))
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(len(data) - start))
    with pytest.raises(VideoError, match="decoded"):
        probe(path)


def test_name_with_a_colon_is_a_file(make_clip: ClipMaker):
    assert read_numbers(make_clip("12:30 http.mp4", constant_rate(30, 30))).numbers == [0, 15]


def test_errors_survive_pickling(tmp_path: Path):
    with pytest.raises(VideoError) as raised:
        probe(tmp_path / "missing.mp4")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), str(copy)) == (VideoError, str(raised.value))
