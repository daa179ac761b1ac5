import html
from itertools import pairwise

import webvtt as reader
from hypothesis import given

from pipelines.exports.webvtt import webvtt
from tests.pipelines.exports.material import HOSTILE, IN_FOLDER, exported, videos
from tests.streamer.test_hierarchy import small


def read(content: bytes) -> list[tuple[str, str, str, str | None]]:
    cues = reader.WebVTT.from_string(content.decode(), strict=True)
    return [(cue.start, cue.end, html.unescape(cue.raw_text), cue.identifier) for cue in cues]


def test_one_level_as_chapters_on_the_clock_of_a_player():
    video = exported(small(), start_s=3600, first_frame_s=0.021)
    assert webvtt(video.at(1)).decode() == (
        "WEBVTT\n\nL1-e0\n01:00:00.021 --> 01:00:02.521\nL1 e0 00:00.0\n\n"
        "L1-e1\n01:00:02.521 --> 01:00:05.021\nL1 e1 00:02.5\n"
    )


@given(videos())
@IN_FOLDER
def test_a_reader_gives_back_times_and_names(video):
    for level in video.levels:
        found = read(webvtt(video.at(level)))
        events = video.hierarchy.levels[level]
        assert [cue[2] for cue in found] == list(video.names[level])
        assert [cue[3] for cue in found] == [f"L{level}-e{index}" for index in range(len(events))]
        assert all(a[1] == b[0] for a, b in pairwise(found))
        assert all(cue[0] < cue[1] for cue in found)


def test_names_are_no_markup_and_no_arrows():
    video = exported(small(), [1], {1: [HOSTILE[0], HOSTILE[2]]})
    content = webvtt(video).decode()
    assert "a --&gt; b" in content
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt; &lt;script&gt;" in content
