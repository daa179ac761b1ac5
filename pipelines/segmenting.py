"""The loop of one segmenting worker: its lanes, each with the videos that it leases, through a model.

A lane begins its next video as soon as its last one has ended, whatever the others do. What a single lane, or
lanes that learn, make of a video is the same to the bit in every company. Several lanes of a frozen model
share its batches, whose sizes decide about the last bits of its numbers; and so about a boundary too, but
only where a signal lies on its threshold to within these bits.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.catalog import CatalogEntry
from pipelines.library import EndedVideo
from pipelines.snippets import SnippetBlock, VideoEnd
from pipelines.store import HierarchyStore
from streamer.config import StreamerConfig
from streamer.hierarchy import Hierarchy
from streamer.segmentation import StoredModel
from streamer.signals import Signal

ITEMS_WAITING = 2  # rows per lane that have come in but not been taken
WAIT_SECONDS = 0.2  # for a row, between two looks at whether to stop
ASK_SECONDS = 0.5  # between two questions for a video, where there was none

Item = SnippetBlock | VideoEnd
Lease = Callable[[], Sequence[CatalogEntry] | None]
OpenStream = Callable[[Sequence[CatalogEntry]], Iterator[Item]]


class Watchers:
    """A place in a model for every lane.

    Lanes that do not learn share one model. One that learns has a model of its own, which for each video
    begins as it was stored: so what it makes of a video depends on no other.

    Args:
        stored: where models come from.
        lanes: how many.
        learning: whether they learn.
    """

    def __init__(self, stored: StoredModel, lanes: int, *, learning: bool) -> None:
        self._renew = stored.learning if learning else None  # what is stored takes as much as the model
        if learning:
            self._places = [(stored.learning(), 0) for _ in range(lanes)]
        else:
            model = stored.frozen(lanes)
            self._places = [(model, lane) for lane in range(lanes)]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def config(self) -> StreamerConfig:
        """The model's."""
        return self._places[0][0].config

    @property
    def hungry(self) -> bool:
        """Whether no lane has a snippet to observe."""
        return all(self.waiting(lane) == 0 for lane in range(len(self)))

    @property
    def observed(self) -> int:
        """Snippets observed of the videos that are being watched."""
        return sum(model.lanes[lane].index for model, lane in list(self._places))

    def waiting(self, lane: int) -> int:
        """Snippets that a lane was offered and has not observed."""
        model, own = self._places[lane]
        return model.lanes[own].waiting

    def offer(self, lane: int, snippets: np.ndarray) -> None:
        """Hands the next snippets of its video to a lane."""
        model, own = self._places[lane]
        model.offer(snippets, own)

    def advance(self) -> list[list[Signal]]:
        """Every lane that has a snippet observes it; signals per lane."""
        if self._renew is None:
            return self._places[0][0].advance()
        signals: list[list[Signal]] = [[] for _ in self._places]
        for lane, (model, _) in enumerate(self._places):
            if self.waiting(lane):
                [signals[lane]] = model.advance()
                model.barrier()
        return signals

    def end_video(self, lane: int, end: VideoEnd) -> Hierarchy:
        """What a lane's video was."""
        model, own = self._places[lane]
        return model.end_video(end.duration_s, end.video_id, own)

    def start_video(self, lane: int) -> None:
        """Makes a lane ready for another video."""
        if self._renew is not None:
            self._places[lane] = (self._renew(), 0)
        else:
            self._places[lane][0].start_video(lane)


class Feeds:
    """Threads that lease videos and fetch their snippets, one for each lane.

    Args:
        lanes: how many.
        lease: gives the next videos of a lane, none for now, or None when there will be no more.
        open_stream: decodes them.
    """

    def __init__(self, lanes: int, lease: Lease, open_stream: OpenStream) -> None:
        self.open = set(range(lanes))
        self._lease = lease
        self._open_stream = open_stream
        self._closed = threading.Event()
        self._items: queue.SimpleQueue[tuple[int, Item | BaseException | None]] = queue.SimpleQueue()
        self._room = [threading.Semaphore(ITEMS_WAITING) for _ in range(lanes)]
        for lane in range(lanes):
            threading.Thread(target=self._fetch, args=(lane,), name=f"feed-{lane}", daemon=True).start()

    def take(self, timeout_s: float) -> Iterator[tuple[int, Item]]:
        """Yields all that came in, with its lane; `release` makes room for more.

        Args:
            timeout_s: how long to wait where nothing did.
        """
        wait = timeout_s > 0
        while True:
            try:
                lane, item = self._items.get(wait, timeout_s)
            except queue.Empty:
                return
            wait = False
            if item is None:
                self.open.discard(lane)
            elif isinstance(item, BaseException):
                raise item
            else:
                yield lane, item

    def release(self, lane: int) -> None:
        """An item of the lane has been used."""
        self._room[lane].release()

    def close(self) -> None:
        """Ends the threads, as soon as each has fetched what it is fetching."""
        self._closed.set()
        for room in self._room:
            room.release()

    def _fetch(self, lane: int) -> None:
        try:
            self._fetch_leases(lane)
        except BaseException as error:  # handed to the thread that takes
            self._items.put((lane, error))
        else:
            self._items.put((lane, None))

    def _fetch_leases(self, lane: int) -> None:
        while not self._closed.is_set() and (entries := self._lease()) is not None:
            if not entries:
                self._closed.wait(ASK_SECONDS)
                continue
            stream: Any = self._open_stream(entries)
            try:
                for item in stream:
                    self._room[lane].acquire()
                    if self._closed.is_set():
                        return
                    self._items.put((lane, item))
            finally:
                stream.close()


class SegmentingLoop:
    """Goes through the videos of all lanes until there are no more.

    Args:
        watchers: what watches them.
        feeds: where they come from.
        store: takes finished hierarchies.
        ended: told about every video that ended, after its hierarchy was written, and how many snippets
            have been observed of videos that have not.
    """

    def __init__(
        self,
        watchers: Watchers,
        feeds: Feeds,
        store: HierarchyStore,
        ended: Callable[[EndedVideo, int], None],
    ) -> None:
        self._watchers = watchers
        self._feeds = feeds
        self._store = store
        self._ended = ended
        self._coming: list[deque[Item]] = [deque() for _ in range(len(watchers))]
        self._signals: list[list[Signal]] = [[] for _ in range(len(watchers))]

    def run(self, stopped: Callable[[], bool]) -> None:
        """Watches.

        Args:
            stopped: whether to leave all videos as they are.
        """
        try:
            while not stopped() and self._supply():
                if self._watchers.hungry:
                    continue
                for kept, new in zip(self._signals, self._watchers.advance(), strict=True):
                    if self._store.keeps_signals:
                        kept += new
        finally:
            self._feeds.close()

    def _supply(self) -> bool:
        """Gives a row to lanes that have observed their last one, if it has come; False at the end of all."""
        idle = self._watchers.hungry and not any(self._coming)
        for lane, item in self._feeds.take(WAIT_SECONDS if idle else 0):
            self._coming[lane].append(item)
        for lane, coming in enumerate(self._coming):
            while coming and self._watchers.waiting(lane) == 0:
                self._use(coming.popleft(), lane)
                self._feeds.release(lane)
        return bool(self._feeds.open) or not self._watchers.hungry or any(self._coming)

    def _use(self, item: Item, lane: int) -> None:
        if isinstance(item, SnippetBlock):
            self._watchers.offer(lane, item.data)
            return
        events: list[int] = []
        if item.status == "done":
            hierarchy = self._watchers.end_video(lane, item)
            self._store.write(hierarchy, self._signals[lane], item.reason)
            events = [len(level) for level in hierarchy.levels]
        else:
            self._store.discard(item.video_id)
        self._watchers.start_video(lane)
        self._signals[lane] = []
        self._ended(EndedVideo(item, events), self._watchers.observed)
