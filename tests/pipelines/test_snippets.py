"""Rows of snippets: what goes in comes out, in order, with how the video ended."""

import gc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pipelines.snippets
from pipelines.catalog import CatalogEntry
from pipelines.snippets import (
    ROW_SNIPPETS,
    SnippetBlock,
    SnippetFormat,
    VideoEnd,
    read_rows,
    snippet_rows,
)
from streamer.errors import TruncatedVideoError, VideoError
from tests.pipelines.tiny import tiny_config
from tests.streamer.video.clips import constant_rate, encode, number_in

VECTORS = SnippetFormat("vectors", 0.5, 128, 8, "pyav")
FRAMES = SnippetFormat("frames", 0.5, 64, 8, "pyav")


def read_video(rows, form: SnippetFormat) -> tuple[np.ndarray, VideoEnd]:
    """The snippets and the end of the one video in `rows`, whose blocks must follow each other."""
    *blocks, end = read_rows(rows, form)
    assert isinstance(end, VideoEnd)
    snippets = [np.empty((0, *form.shape), form.dtype)]
    for block in blocks:
        assert isinstance(block, SnippetBlock)
        assert block.video_id == end.video_id
        assert block.index == sum(map(len, snippets))
        assert block.data.dtype == form.dtype
        snippets.append(block.data)
    return np.concatenate(snippets), end


def vector_entry(path: Path, values: np.ndarray, **changes) -> CatalogEntry:
    np.save(path, values)
    return CatalogEntry("v", str(path), "vectors", **changes)


class Scripted:
    """A source that delivers vectors, then raises."""

    def __init__(self, snippets=0, error: Exception | None = None) -> None:
        self.duration_s = snippets * 0.5
        self.closed = False
        self._snippets, self._error = snippets, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def __iter__(self):
        for index in range(self._snippets):
            yield np.full(8, index, np.float64)
        if self._error is not None:
            raise self._error


def scripted_rows(monkeypatch, source: Scripted):
    monkeypatch.setattr(pipelines.snippets, "open_source", lambda *_, **__: source)
    entry = CatalogEntry("v", "/data/v.mp4", "video")
    rows = list(snippet_rows(entry, VECTORS))
    assert source.closed
    return rows


def test_format_follows_the_model():
    assert SnippetFormat.of(tiny_config(), "decord") == SnippetFormat("vectors", 0.5, 128, 8, "decord")
    assert (VECTORS.shape, VECTORS.dtype) == ((8,), np.float32)
    assert (FRAMES.shape, FRAMES.dtype) == ((64, 64, 3), np.uint8)


@pytest.mark.parametrize("count", [1, ROW_SNIPPETS - 1, ROW_SNIPPETS, ROW_SNIPPETS + 1, 5 * ROW_SNIPPETS])
def test_vectors_survive_the_way(tmp_path, count):
    values = np.random.default_rng(count).standard_normal((count, 8)).astype(np.float32)
    rows = list(snippet_rows(vector_entry(tmp_path / "v.npy", values), VECTORS))
    snippets, end = read_video(rows, VECTORS)
    np.testing.assert_array_equal(snippets, values)
    assert end == VideoEnd("v", count, count * 0.5, "done", None)
    assert len(rows) == -(-count // ROW_SNIPPETS) + 1


def test_part_of_a_recording(tmp_path):
    values = np.arange(80, dtype=np.float64).reshape(10, 8)
    entry = vector_entry(tmp_path / "v.npy", values, start_s=1.0, end_s=3.25)
    snippets, end = read_video(snippet_rows(entry, VECTORS), VECTORS)
    np.testing.assert_array_equal(snippets, values[2:7])
    assert end == VideoEnd("v", 5, 2.25, "done", None)


def test_frames_survive_the_way(tmp_path):
    path = encode(tmp_path / "clip.mp4", constant_rate(200, 10))
    entry = CatalogEntry("a/b", str(path), "video")
    snippets, end = read_video(snippet_rows(entry, FRAMES), FRAMES)
    assert [number_in(snippet) for snippet in snippets] == list(range(0, 200, 5))
    assert snippets.shape == (40, 64, 64, 3)
    assert end == VideoEnd("a/b", 40, 20.0, "done", None)


def test_file_that_cannot_be_opened(tmp_path):
    path = tmp_path / "noise.mp4"
    path.write_bytes(b"noise" * 100)
    _, end = read_video(snippet_rows(CatalogEntry("v", str(path), "video"), FRAMES), FRAMES)
    assert (end.snippets, end.duration_s, end.status) == (0, 0.0, "failed")
    assert end.reason
    assert str(path) not in end.reason
    assert "\n" not in end.reason


def test_file_that_breaks_in_the_middle(tmp_path):
    values = np.zeros((20, 8))
    values[18] = np.nan
    snippets, end = read_video(snippet_rows(vector_entry(tmp_path / "v.npy", values), VECTORS), VECTORS)
    assert len(snippets) == 18
    assert (end.snippets, end.duration_s, end.status) == (18, 9.0, "failed")
    assert end.reason is not None
    assert end.reason.startswith("at 9.00 s: row 18 has a value that is not finite")


def test_file_cut_short_is_done_with_a_reason(tmp_path):
    whole = encode(tmp_path / "clip.mkv", constant_rate(200, 10)).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    snippets, end = read_video(snippet_rows(CatalogEntry("v", str(path), "video"), FRAMES), FRAMES)
    assert (end.status, end.snippets) == ("done", len(snippets))
    assert 0 < len(snippets) < 40
    assert (len(snippets) - 1) * 0.5 < end.duration_s <= len(snippets) * 0.5
    assert end.reason


@pytest.mark.parametrize("snippets", [0, 3, ROW_SNIPPETS])
def test_what_a_source_raises_becomes_the_end(monkeypatch, snippets):
    truncated = Scripted(snippets, TruncatedVideoError("/data/v.mp4", "ends early", 1.0))
    _, end = read_video(scripted_rows(monkeypatch, truncated), VECTORS)
    status = "done" if snippets else "failed"
    assert end == VideoEnd("v", snippets, snippets * 0.5, status, "at 1.00 s: ends early")
    broken = Scripted(snippets, VideoError("/data/v.mp4", "breaks", 1.0))
    _, end = read_video(scripted_rows(monkeypatch, broken), VECTORS)
    assert end == VideoEnd("v", snippets, 1.0, "failed", "at 1.00 s: breaks")


def test_source_without_snippets(monkeypatch):
    _, end = read_video(scripted_rows(monkeypatch, Scripted()), VECTORS)
    assert end == VideoEnd("v", 0, 0.0, "failed", "holds no snippet")


def test_a_fault_of_the_software_is_not_taken_for_a_damaged_file(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        scripted_rows(monkeypatch, Scripted(3, ZeroDivisionError()))


def made_rows(lengths) -> list[dict]:
    """Rows of several videos of up to three rows each, as the decoder makes them."""
    rows = []
    for number, count in enumerate(lengths):
        source = Scripted(count)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipelines.snippets, "open_source", lambda *_, source=source, **__: source)
            entry = CatalogEntry(f"video{number}", "/data/v.mp4", "video")
            rows += snippet_rows(entry, VECTORS)
    return rows


lengths = st.lists(st.integers(0, 3 * ROW_SNIPPETS), max_size=4)


@given(lengths)
def test_videos_follow_each_other(counts):
    items = list(read_rows(made_rows(counts), VECTORS))
    ends = [item for item in items if isinstance(item, VideoEnd)]
    assert [(end.video_id, end.snippets) for end in ends] == [
        (f"video{number}", count) for number, count in enumerate(counts)
    ]
    blocks = [item for item in items if isinstance(item, SnippetBlock)]
    assert [(block.video_id, len(block.data)) for block in blocks] == [
        (f"video{number}", min(ROW_SNIPPETS, count - start))
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
