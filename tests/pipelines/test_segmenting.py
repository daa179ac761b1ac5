"""The loop of a segmenting worker: what a video becomes does not depend on what is watched beside it."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from pipelines.catalog import CatalogEntry
from pipelines.library import EndedVideo
from pipelines.run_folder import RunFolder
from pipelines.segmenting import Feeds, Item, SegmentingLoop, Watchers
from pipelines.snippets import SnippetBlock
from pipelines.store import read_signals
from streamer import checkpoint
from streamer.hierarchy import Hierarchy
from streamer.segmentation import StoredModel
from streamer.streamer import Streamer
from tests.pipelines.processes import DEADLINE_S
from tests.pipelines.runs import table
from tests.pipelines.tiny import BLOCK, DIM, SEED, Video, stream, tiny_config, tiny_store

VIDEOS = [Video("a", 40), Video("b", 61), Video("c", 7), Video("d", 30), Video("e", 1)]
ROUNDING = 1e-5  # in float32, between one grouping of lanes and another


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> StoredModel:
    """A model that has learned, with gradients in the making."""
    model = Streamer(tiny_config(), seed=SEED)
    for snippet in Video("before", 44).vectors:
        model.observe(snippet)
    model.end_video()
    assert model.learner is not None
    assert model.learner.steps > 2
    path = tmp_path_factory.mktemp("model") / "streamer.pt"
    checkpoint.save(model, path)
    return StoredModel(path)


def alone(stored: StoredModel, video: Video, *, learning: bool) -> Hierarchy:
    """What a model makes of one video that watches nothing else."""
    model = stored.learning() if learning else stored.frozen()
    for snippet in video.vectors:
        model.observe(snippet)
    return model.end_video(video.end.duration_s, video.name)


class Shelf:
    """Leases videos one by one, and keeps what is said of them.

    Attributes:
        told: how videos ended, in order, with the number of snippets that was told beside.
    """

    def __init__(self, videos: Sequence[Video], at_once: int = 1) -> None:
        self.told: list[tuple[EndedVideo, int]] = []
        self._videos = {video.name: video for video in videos}
        self._names = [video.name for video in videos]
        self._at_once = at_once
        self._lock = threading.Lock()

    def lease(self) -> list[CatalogEntry] | None:
        with self._lock:
            taken, self._names = self._names[: self._at_once], self._names[self._at_once :]
        return [CatalogEntry(name, name, "vectors") for name in taken] or None

    def open(self, entries: Sequence[CatalogEntry]) -> Iterator[Item]:
        return stream([self._videos[entry.video_id] for entry in entries])

    def ended(self, video: EndedVideo, observed: int) -> None:
        self.told.append((video, observed))


def run(folder: RunFolder, stored: StoredModel, shelf: Shelf, lanes: int, *, learning: bool = False) -> None:
    watchers = Watchers(stored, lanes, learning=learning)
    feeds = Feeds(lanes, shelf.lease, shelf.open)
    SegmentingLoop(watchers, feeds, tiny_store(folder), shelf.ended).run(lambda: False)


def hierarchy(folder: RunFolder, name: str) -> Hierarchy:
    return Hierarchy.from_parquet(folder.hierarchy_of(name))


def assert_alike(one: Hierarchy, other: Hierarchy) -> None:
    """Equal, but for rounding: the same boundaries to the bit."""
    assert one.num_levels == other.num_levels
    for events, others in zip(one.levels, other.levels, strict=True):
        assert [(e.start_s, e.end_s) for e in events] == [(e.start_s, e.end_s) for e in others]
        for a, b in zip(events, others, strict=True):
            assert a.mean_signal == pytest.approx(b.mean_signal, abs=ROUNDING)
            assert a.boundary_signal == pytest.approx(b.boundary_signal, abs=ROUNDING)
            if a.representation is None or b.representation is None:
                assert a.representation is b.representation
            else:
                np.testing.assert_allclose(a.representation, b.representation, atol=ROUNDING)


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("lanes", [1, 2, 5, 8])
def test_videos_become_what_they_become_alone(tmp_path, stored, lanes, at_once):
    folder, shelf = RunFolder(tmp_path), Shelf(VIDEOS, at_once)
    run(folder, stored, shelf, lanes)
    assert sorted(video.end.video_id for video, _ in shelf.told) == [video.name for video in VIDEOS]
    for video in VIDEOS:
        expected = alone(stored, video, learning=False)
        if lanes == 1:
            assert table(hierarchy(folder, video.name)) == table(expected)
        assert_alike(hierarchy(folder, video.name), expected)


@pytest.mark.parametrize("lanes", [1, 3])
def test_learning_lanes_begin_every_video_as_the_model_was_stored(tmp_path, stored, lanes):
    folder, shelf = RunFolder(tmp_path), Shelf([*VIDEOS, Video("broken", 20, breaks=True)])
    run(folder, stored, shelf, lanes, learning=True)
    for video in VIDEOS:
        expected = alone(stored, video, learning=True)
        assert table(hierarchy(folder, video.name)) == table(expected)
    learned = alone(stored, VIDEOS[1], learning=True)
    assert table(learned) != table(alone(stored, VIDEOS[1], learning=False))


def test_what_is_told_of_videos(tmp_path, stored):
    videos = [Video("a", 9), Video("broken", 20, breaks=True), Video("b", 12), Video("nothing", 0)]
    folder, shelf = RunFolder(tmp_path), Shelf(videos)
    folder.create()
    folder.hierarchy_of("broken").touch()  # as a worker leaves it that died before it told
    run(folder, stored, shelf, 1)
    assert [video.end for video, _ in shelf.told] == [video.end for video in videos]
    assert [observed for _, observed in shelf.told] == [0, 0, 0, 0]
    for (told, _), video in zip(shelf.told, videos, strict=True):
        if told.end.status == "failed":
            assert told.events == []
            assert not folder.hierarchy_of(video.name).exists()
        else:
            assert told.events == [len(level) for level in hierarchy(folder, video.name).levels]
    signals = read_signals(folder, "b")
    assert signals is not None
    levels = signals.column("level").to_pylist()
    snippets = signals.column("snippet").to_pylist()
    assert [k for level, k in zip(levels, snippets, strict=True) if level == 0] == list(range(1, 12))


def test_a_lane_that_waits_holds_up_no_other(tmp_path, stored):
    folder, shelf = RunFolder(tmp_path), Shelf([Video("slow", 30), *VIDEOS])
    others = threading.Event()

    def open_stream(entries: Sequence[CatalogEntry]) -> Iterator[Item]:
        for item in shelf.open(entries):
            yield item
            if entries[0].video_id == "slow" and isinstance(item, SnippetBlock) and item.index == BLOCK:
                assert others.wait(DEADLINE_S), "the other lane waits for this one"

    def ended(video: EndedVideo, observed: int) -> None:
        shelf.ended(video, observed)
        if len(shelf.told) == len(VIDEOS):
            others.set()

    watchers = Watchers(stored, 2, learning=False)
    feeds = Feeds(2, shelf.lease, open_stream)
    SegmentingLoop(watchers, feeds, tiny_store(folder), ended).run(lambda: False)
    assert shelf.told[-1][0].end.video_id == "slow"
    assert_alike(hierarchy(folder, "slow"), alone(stored, Video("slow", 30), learning=False))


class Ready:
    """Feeds whose rows are there from the beginning; asserts that nobody waits while some are left."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.open = {0}
        self._items = list(items)
        self._left = len(items)

    def take(self, timeout_s: float) -> Iterator[tuple[int, Item]]:
        assert timeout_s == 0 or self._left == len(self._items), "waits although rows are there"
        given, self._items = self._items, []
        if self._left == 0:
            self.open.clear()
        return iter([(0, item) for item in given])

    def release(self, lane: int) -> None:
        self._left -= 1

    def close(self) -> None:
        pass


def test_nobody_waits_while_rows_are_there(tmp_path, stored):
    folder, told = RunFolder(tmp_path), []
    feeds: Any = Ready(list(stream(VIDEOS)))
    watchers = Watchers(stored, 1, learning=False)
    SegmentingLoop(watchers, feeds, tiny_store(folder), lambda video, _: told.append(video)).run(
        lambda: False
    )
    assert [video.end.video_id for video in told] == [video.name for video in VIDEOS]


def test_no_more_than_a_few_rows_wait(tmp_path, stored):
    fetched: list[int] = []

    def open_stream(entries: Sequence[CatalogEntry]) -> Iterator[Item]:
        for number in range(1000):
            fetched.append(number)
            yield SnippetBlock("v", number * BLOCK, np.zeros((BLOCK, DIM), np.float32))

    feeds = Feeds(1, Shelf([Video("v", 1)]).lease, open_stream)
    for used in range(10):
        lane, _ = next(feeds.take(DEADLINE_S))
        assert len(fetched) <= used + 4
        feeds.release(lane)
    feeds.close()


@pytest.mark.parametrize("place", ["lease", "open", "stream"])
def test_a_bug_in_a_thread_is_raised_where_rows_are_taken(tmp_path, stored, place):
    def lease() -> Sequence[CatalogEntry]:
        if place == "lease":
            raise ZeroDivisionError("the bug")
        return [CatalogEntry("v", "v", "vectors")]

    def broken() -> Iterator[Item]:
        yield SnippetBlock("v", 0, Video("v", 4).vectors)
        raise ZeroDivisionError("the bug")

    def open_stream(entries: Sequence[CatalogEntry]) -> Iterator[Item]:
        if place == "open":
            raise ZeroDivisionError("the bug")
        return broken()

    watchers = Watchers(stored, 2, learning=False)
    loop = SegmentingLoop(
        watchers, Feeds(2, lease, open_stream), tiny_store(RunFolder(tmp_path)), lambda *_: None
    )
    with pytest.raises(ZeroDivisionError, match="the bug"):
        loop.run(lambda: False)


class Endless(Iterator[Item]):
    """A stream that asks for a stop after a few rows, and tells when it is closed."""

    def __init__(self) -> None:
        self.stop, self.closed = threading.Event(), threading.Event()
        self._row = 0

    def __next__(self) -> Item:
        if self._row == 4:
            self.stop.set()
        self._row += 1
        return SnippetBlock("v", (self._row - 1) * BLOCK, np.zeros((BLOCK, DIM), np.float32))

    def close(self) -> None:
        self.closed.set()


def test_a_loop_that_is_stopped_writes_nothing_more_and_closes_its_streams(tmp_path, stored):
    folder, endless = RunFolder(tmp_path), Endless()
    watchers = Watchers(stored, 1, learning=False)
    feeds = Feeds(1, Shelf([Video("v", 1)]).lease, lambda entries: endless)
    SegmentingLoop(watchers, feeds, tiny_store(folder), lambda *_: None).run(endless.stop.is_set)
    assert endless.closed.wait(DEADLINE_S)
    assert not folder.hierarchy.exists()
