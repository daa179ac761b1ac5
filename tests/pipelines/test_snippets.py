"""Rows of snippets: what goes in comes out, in order, with how the video ended."""

import gc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.catalog import CatalogEntry
from pipelines.decoder_process import PartEnd, Request
from pipelines.snippets import (
    ROW_SNIPPETS,
    SnippetBlock,
    SnippetFormat,
    VideoEnd,
    VideoPart,
    error_row,
    read_rows,
    snippet_request,
    snippet_rows,
)
from streamer.config import StreamerConfig
from streamer.errors import FeatureError
from streamer.snippet_cache import CacheError
from tests.pipelines.tiny import tiny_config

VECTORS = SnippetFormat("vectors", 0.5, 128, 8, "pyav")
FRAMES = SnippetFormat("frames", 0.5, 64, 8, "pyav")
FEATURES = SnippetFormat("frames", 0.5, 64, 8, "pyav", "comb")
DONE = PartEnd("end", 7.0)


def part(name: str = "v", first: int = 0, stop: int | None = None) -> VideoPart:
    return VideoPart(CatalogEntry(name, f"/data/{name}.npy", "vectors"), first, stop)


def vectors(count: int, first: int = 0) -> np.ndarray:
    """Vectors that tell their number in the video."""
    return np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], 8, axis=1)


def rows_of(video: VideoPart, count: int, end: PartEnd = DONE) -> list[dict]:
    return list(snippet_rows(video, [*map(bytes, vectors(count, video.first)), end]))


def read_video(rows: Sequence[dict], form: SnippetFormat) -> tuple[np.ndarray, VideoEnd]:
    """The snippets and the end of the one video in `rows`, whose blocks must follow each other."""
    *blocks, end = read_rows(rows, form)
    assert isinstance(end, VideoEnd)
    snippets = [np.empty((0, *form.shape), form.dtype)]
    for block in blocks:
        assert isinstance(block, SnippetBlock)
        assert block.video_id == end.video_id
        assert block.data.dtype == form.dtype
        snippets.append(block.data)
    return np.concatenate(snippets), end


def test_format_follows_the_model():
    assert SnippetFormat.of(tiny_config(), "decord") == SnippetFormat("vectors", 0.5, 128, 8, "decord")
    assert (VECTORS.shape, VECTORS.dtype) == ((8,), np.float32)
    assert (FRAMES.shape, FRAMES.dtype) == ((64, 64, 3), np.uint8)


def test_a_model_of_features_reads_frames_and_takes_vectors():
    model = StreamerConfig(features="comb", feature_dim=8, frame_size=64)
    form = SnippetFormat.of(model, "pyav")
    assert form == FEATURES
    assert (form.shape, form.dtype) == ((8,), np.float32)
    asked = snippet_request(VideoPart(CatalogEntry("v", "/data/v.mp4", "video")), form)
    assert asked == Request("/data/v.mp4", "uint8", 0.5, 64, 0.0, None, "pyav")


def test_what_the_decoder_is_asked_for():
    entry = CatalogEntry("v", "/data/v.mp4", "video", start_s=1.5, end_s=9.0)
    asked = snippet_request(VideoPart(entry, 16, 32, leads=False), FRAMES)
    assert asked == Request("/data/v.mp4", "uint8", 0.5, 64, 1.5, 9.0, "pyav", 16, 32, leads=False)
    assert snippet_request(part(), VECTORS) == Request("/data/v.npy", "float32", 0.5, 128, 0.0, None, "pyav")


@pytest.mark.parametrize("first", [0, 5, ROW_SNIPPETS, 8 * ROW_SNIPPETS - 1])
@pytest.mark.parametrize("count", [1, ROW_SNIPPETS - 1, ROW_SNIPPETS, ROW_SNIPPETS + 1, 5 * ROW_SNIPPETS])
def test_vectors_survive_the_way(count, first):
    rows = rows_of(part(first=first), count)
    snippets, end = read_video(rows, VECTORS)
    np.testing.assert_array_equal(snippets, vectors(count, first))
    assert end == VideoEnd("v", first + count, 7.0, "done", None)
    cuts = [index for index in range(first + 1, first + count) if index % ROW_SNIPPETS == 0]
    assert [row["index"] for row in rows[:-1]] == [first, *cuts], "as they are cut from the start"


def test_frames_survive_the_way():
    frames = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), np.uint8)
    snippets, _ = read_video(list(snippet_rows(part(), [*map(bytes, frames), DONE])), FRAMES)
    np.testing.assert_array_equal(snippets, frames)


def test_features_are_made_a_row_at_a_time():
    asked = []

    def featurize(data: bytes, first: int) -> bytes:
        asked.append((first, len(data)))
        return vectors(len(data) // 3, first).tobytes()

    rows = list(snippet_rows(part(first=5), [*[bytes(3)] * 20, DONE], featurize))
    snippets, end = read_video(rows, FEATURES)
    np.testing.assert_array_equal(snippets, vectors(20, 5))
    assert end.snippets == 25
    assert asked == [(5, 33), (16, 27)]


@pytest.mark.parametrize("error", [CacheError("no room"), FeatureError("no features")])
def test_an_error_that_concerns_all_videos_is_raised_where_rows_are_read(error):
    rows = [*rows_of(part(), 3)[:1], error_row(part(), error)]
    with pytest.raises(type(error), match=str(error)):
        list(read_rows(rows, VECTORS))


def test_a_part_stops_where_a_row_does():
    with pytest.raises(AssertionError):
        part(first=0, stop=ROW_SNIPPETS + 1)


@pytest.mark.parametrize("count", [0, 3, ROW_SNIPPETS])
def test_how_a_part_ended_becomes_how_the_video_ended(count):
    _, end = read_video(rows_of(part(), count, PartEnd("end", 1.25, False, "ends early")), VECTORS)
    assert end == VideoEnd("v", count, 1.25, "done" if count else "failed", "ends early")
    _, end = read_video(rows_of(part(), count, PartEnd("end", 1.0, True, "breaks")), VECTORS)
    assert end == VideoEnd("v", count, 1.0, "failed", "breaks")


def test_recording_without_snippets():
    _, end = read_video(rows_of(part(), 0, PartEnd("end")), VECTORS)
    assert end == VideoEnd("v", 0, 0.0, "failed", "holds no snippet")


def test_nothing_left_to_see():
    """What was resumed right before its end is no empty recording."""
    _, end = read_video(rows_of(part(first=32), 0, PartEnd("end", 16.0)), VECTORS)
    assert end == VideoEnd("v", 32, 16.0, "done", None)


@pytest.mark.parametrize("kind", ["stop", "indivisible"])
def test_end_of_a_part_says_what_follows(kind):
    *_, last = rows_of(part(stop=32), 32 if kind == "stop" else 0, PartEnd(kind))
    assert last["status"] == kind


def test_snippets_that_end_without_a_word_are_refused():
    with pytest.raises(AssertionError, match="without saying how"):
        list(snippet_rows(part(), [bytes(32)]))


def made_rows(lengths) -> list[dict]:
    """Rows of several videos of up to three rows each, as the decoder makes them."""
    return [row for number, count in enumerate(lengths) for row in rows_of(part(f"video{number}"), count)]


lengths = st.lists(st.integers(0, 3 * ROW_SNIPPETS), max_size=4)


@given(lengths)
def test_videos_follow_each_other(counts):
    items = list(read_rows(made_rows(counts), VECTORS))
    ends = [item for item in items if isinstance(item, VideoEnd)]
    assert [(end.video_id, end.snippets) for end in ends] == [
        (f"video{number}", count) for number, count in enumerate(counts)
    ]
    blocks = [item for item in items if isinstance(item, SnippetBlock)]
    assert [(block.video_id, block.index, len(block.data)) for block in blocks] == [
        (f"video{number}", start, min(ROW_SNIPPETS, count - start))
        for number, count in enumerate(counts)
        for start in range(0, count, ROW_SNIPPETS)
    ]


def test_blocks_stay_valid_when_their_row_is_gone():
    rows = made_rows([2 * ROW_SNIPPETS])
    held = [
        item.data
        for item in read_rows((dict(row) for row in rows), VECTORS)
        if isinstance(item, SnippetBlock)
    ]
    expected = np.arange(2 * ROW_SNIPPETS)
    del rows
    gc.collect()
    np.testing.assert_array_equal(np.concatenate(held)[:, 0], expected)
    assert not any(block.flags.writeable for block in held)


@given(st.lists(st.integers(ROW_SNIPPETS + 1, 3 * ROW_SNIPPETS), min_size=1, max_size=3), st.data())
def test_rows_in_another_order_are_refused(counts, data):
    rows = made_rows(counts)
    places = data.draw(st.permutations(range(len(rows))))
    shuffled = [rows[place] for place in places]
    starts = [row["video_id"] for row in shuffled if row["index"] == 0 and row["count"]]
    whole = [row for video in starts for row in rows if row["video_id"] == video]
    assume(shuffled != whole)  # whole videos may come in any order
    with pytest.raises(AssertionError):
        list(read_rows(shuffled, VECTORS))


@given(lengths.filter(any), st.data())
def test_a_lost_or_doubled_row_is_noticed(counts, data):
    rows = made_rows(counts)
    place = data.draw(st.sampled_from([place for place, row in enumerate(rows) if row["count"]]))
    with pytest.raises(AssertionError):
        list(read_rows(rows[:place] + rows[place + 1 :], VECTORS))
    with pytest.raises(AssertionError):
        list(read_rows(rows[: place + 1] + rows[place:], VECTORS))
    with pytest.raises(AssertionError, match="in the middle of"):
        list(read_rows(rows[: place + 1], VECTORS))


def test_end_that_counts_other_snippets_is_refused():
    rows = made_rows([5])
    rows[-1]["snippets"] = 4
    with pytest.raises(AssertionError, match="4 snippets sent, 5 came"):
        list(read_rows(rows, VECTORS))


def test_no_rows():
    assert list(read_rows([], VECTORS)) == []
