from fractions import Fraction

import av
from hypothesis import given

from pipelines.exports.ffmetadata import ffmetadata
from tests.pipelines.exports.material import IN_FOLDER, exported, videos
from tests.streamer.test_hierarchy import small


def test_one_level_as_chapters():
    content = ffmetadata(exported(small(), [1], {1: ["a=b;c", "#\\x"]})).decode()
    assert content == (
        ";FFMETADATA1\n"
        "\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2500\ntitle=a\\=b\\;c\n"
        "\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=2500\nEND=5000\ntitle=\\#\\\\x\n"
    )


def test_a_backslash_at_the_end_does_not_swallow_the_next_line(tmp_path):
    path = tmp_path / "x.ffmeta"
    path.write_bytes(ffmetadata(exported(small(), [1], {1: ["a\\", "b\\\\"]})))
    with av.open(str(path), format="ffmetadata") as file:
        assert [chapter["metadata"]["title"] for chapter in file.chapters()] == ["a\\ ", "b\\\\ "]


@given(videos())
@IN_FOLDER
def test_ffmpeg_reads_back_times_and_names(tmp_path, video):
    path = tmp_path / "x.ffmeta"
    for level in video.levels:
        path.write_bytes(ffmetadata(video.at(level)))
        with av.open(str(path), format="ffmetadata") as file:
            chapters = file.chapters()
            assert file.metadata == {}
        events = video.hierarchy.levels[level]
        titles = [chapter["metadata"]["title"] for chapter in chapters]
        assert [title.removesuffix(" ") for title in titles] == list(video.names[level])
        for chapter, event in zip(chapters, events, strict=True):
            assert chapter["time_base"] == Fraction(1, 1000)
            assert chapter["start"] == video.player_ms[event.start_s]
            assert chapter["end"] == video.player_ms[event.end_s]
