"""What is known of a recording, and what its player shows at the first frame."""

from fractions import Fraction

import pytest

from pipelines.exports.media import find_media, recorded_media
from tests.streamer.video.clips import constant_rate, encode


def row(uri, **changes):
    known = {"uri": str(uri), "kind": "video", "fps": 25.0, "start_s": 0.0, "end_s": None, "duration_s": 4.0}
    return {**known, **changes}


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (30000 / 1001, Fraction(30000, 1001)),
        (15000 / 1001, Fraction(15000, 1001)),
        (29.833333333333332, Fraction(179, 6)),
        (12.5, Fraction(25, 2)),
        (59.94, Fraction(2997, 50)),
        (None, None),
    ],
)
def test_rates_are_exact_again(fps, rate):
    assert recorded_media(row("/a.mp4", fps=fps)).rate == rate


def test_the_length_of_the_whole_is_known_where_the_run_read_to_the_end():
    assert recorded_media(row("/a.mp4", start_s=2.0)).duration_s == 6.0
    assert recorded_media(row("/a.mp4", end_s=4.0)).duration_s is None


@pytest.mark.parametrize(
    ("name", "start", "audio_s", "shown_s"),
    [("a.mp4", 0, 0, 0.0), ("late.mp4", 50, 0, 0.0), ("late.mkv", 50, 4, 2.0), ("late.ts", 50, 4, 2.0)],
)
def test_a_players_clock_begins_with_the_earliest_stream(tmp_path, name, start, audio_s, shown_s):
    path = encode(tmp_path / name, constant_rate(50, 25, start=start, audio_s=audio_s))
    media, known = find_media(row(path))
    assert known
    # Sound starts up to a block of 128 ms early, for the decoder to settle.
    assert media.first_frame_s == pytest.approx(shown_s, abs=0.15 if audio_s else 0.001)


def test_of_a_part_the_file_tells_the_length_of_the_whole(tmp_path):
    path = encode(tmp_path / "a.mp4", constant_rate(50, 25))
    media, _ = find_media(row(path, start_s=0.5, end_s=1.0, duration_s=0.5))
    assert (media.duration_s, media.player_offset_s) == (2.0, 0.5)


def test_what_is_not_there_or_not_a_video_or_remote_is_not_opened(tmp_path):
    assert find_media(row(tmp_path / "gone.mp4"))[1] is False
    assert find_media(row("http://127.0.0.1:9/a.mp4"))[1] is False
    vectors, known = find_media(row("/a.npy", kind="vectors", fps=None))
    assert (vectors.is_video, known) == (False, True)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("/a b/c#%.mp4", "file:///a%20b/c%23%25.mp4"),
        ("https://host/a%20b.mp4?x=1", "https://host/a%20b.mp4?x=1"),
    ],
)
def test_recordings_have_addresses(uri, address):
    assert recorded_media(row(uri)).address == address
