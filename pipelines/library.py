"""The library: which videos have yet to be segmented, and which worker is at which of them.

Workers lease videos whenever one of their lanes is free. What a worker held when it died is leased again, in
the end to a lane that nobody else watches beside, so that a video which kills its worker costs no other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipelines.catalog import CatalogEntry
from pipelines.catalog_table import write_catalog
from pipelines.run_folder import RunFolder
from pipelines.snippets import VideoEnd
from pipelines.store import REASON
from streamer.events_table import read_metadata

MOST_DEATHS = 3  # of a video's workers; the last of them with no other video beside it
LOST_SECONDS = 60.0  # without a word from a worker, after which others take over what it held
LEASED_SECONDS = 120.0  # of short videos that go to a lane together, which saves the start of streams
SHARES = 4  # leases, about, that every lane shall still get, so that lanes end at about the same time


def write_shelf(path: Path, videos: Iterable[CatalogEntry]) -> None:
    """Writes the videos for a `Library`, longest first; one of unknown duration may be the longest of all."""
    write_catalog(
        path,
        sorted(
            videos,
            key=lambda video: (video.duration_s is not None, -(video.duration_s or 0.0), video.video_id),
        ),
    )


def shelf_pages(path: Path) -> Iterator[list[CatalogEntry]]:
    """What `write_shelf` wrote, `ROW_GROUP` videos at a time."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield [CatalogEntry(**row) for row in file.read_row_group(number).to_pylist()]


@dataclass(frozen=True)
class EndedVideo:
    """A video that ended, and its events per level."""

    end: VideoEnd
    events: list[int]


def finished_videos(folder: RunFolder, videos: Iterable[CatalogEntry]) -> Iterator[EndedVideo]:
    """Those of the videos whose hierarchies lie in the folder of a run.

    Raises:
        HierarchyError: a hierarchy is damaged.
    """
    for video in videos:
        path = folder.hierarchy_of(video.video_id)
        if path.exists():
            with pq.ParquetFile(path) as file:
                facts, metadata = read_metadata(file.schema_arrow.metadata or {})
                levels = file.read(columns=["level"])["level"].to_numpy()
            end = VideoEnd(video.video_id, facts.snippets, facts.duration_s, "done", metadata.get(REASON))
            yield EndedVideo(end, np.bincount(levels).tolist())


@dataclass(frozen=True)
class LibraryReport:
    """What happened.

    Attributes:
        running: snippets observed of videos that have not ended.
        ended: videos that ended since the last report.
        finished: whether all have.
        broken: why it makes no sense to go on; None where it does.
    """

    running: int
    ended: list[EndedVideo]
    finished: bool
    broken: str | None


@dataclass
class Seat:
    """A worker's place in the library; one that dies is followed by another on the same seat.

    Attributes:
        leases: videos that were leased together, in the order in which they are watched; per lane one lease.
        snippets: observed of videos that have not ended.
        heard: when its worker last said anything.
        alone: whether it has a video that is to be watched with no other beside it.
    """

    heard: float
    leases: list[deque[CatalogEntry]] = field(default_factory=list)
    snippets: int = 0
    alone: bool = False


class Library:
    """Hands out videos and takes back how they ended.

    Args:
        shelf: file that `write_shelf` wrote; read little by little.
        out: folder of the run. A video whose hierarchy lies there already is passed over.
        seats: workers.
        lanes: of each worker.
        clock: seconds, of any origin.
    """

    def __init__(
        self,
        shelf: str,
        out: str,
        seats: int,
        lanes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = RunFolder(out)
        self._pages = shelf_pages(Path(shelf))
        self._to_come = pq.read_metadata(shelf).num_rows  # about: of those that have not been leased
        self._most_openings = seats * (MOST_DEATHS + 1)
        self._slots = seats * lanes
        self._clock = clock
        self._page: deque[CatalogEntry] = deque()
        self._returned: deque[CatalogEntry] = deque()
        self._suspects: deque[CatalogEntry] = deque()
        self._deaths: dict[str, int] = {}
        self._seats: dict[int, Seat] = {}
        self._ended: list[EndedVideo] = []
        self._openings = 0
        self._stopped = False
        self._broken: str | None = None

    @property
    def held(self) -> int:
        """Catalog entries in memory."""
        leased = sum(len(lease) for seat in self._seats.values() for lease in seat.leases)
        return leased + len(self._page) + len(self._returned) + len(self._suspects)

    def opened(self) -> bool:
        """A worker comes up; False where workers die before anything ends, and would do so forever."""
        self._openings += 1
        if self._openings > self._most_openings and self._broken is None:
            self._broken = (
                f"workers were started {self._openings - 1} times and died before any video ended: give them "
                "more memory, or --lanes fewer, and see Ray's logs for what ended them"
            )
        return self._broken is None

    def give_up(self, reason: str) -> None:
        """A worker met what no video can be watched with, and its user can mend."""
        self._broken = self._broken or reason

    def join(self, seat: int) -> None:
        """A worker takes a seat; what its predecessor held is leased again."""
        self._leave(seat)
        self._seats[seat] = Seat(self._clock())

    def lease(self, seat: int) -> list[CatalogEntry] | None:
        """Videos for a free lane, to be watched in this order; none for now; or None where all have ended."""
        place = self._hear(seat)
        self._recall()
        if self._stopped or self._broken is not None:
            return None
        if place.alone:
            return []
        if self._suspects and not place.leases:
            place.alone = True
            lease = [self._suspects.popleft()]
        else:
            lease = self._next_lease()
        if lease:
            place.leases.append(deque(lease))
            return lease
        return None if self._finished() else []

    def observed(self, seat: int, snippets: int) -> bool:
        """A worker tells how many snippets it has observed of videos that have not ended.

        Returns:
            Whether it shall go on.
        """
        self._hear(seat).snippets = snippets
        return not self._stopped and self._broken is None

    def ended(self, seat: int, video: EndedVideo, snippets: int) -> None:
        """A video has ended; its hierarchy lies in the folder if it is done.

        The word of a worker that was taken for dead counts too, if it is the first.

        Args:
            seat: whose worker tells.
            video: how it ended.
            snippets: observed by this worker of videos that have not ended.
        """
        self._hear(seat).snippets = snippets
        if self._strike(video.end.video_id):
            self._end(video)

    def stop(self) -> None:
        """No more videos; workers leave those that they are at."""
        self._stopped = True

    def report(self) -> LibraryReport:
        """What happened since the last report."""
        self._recall()
        ended, self._ended = self._ended, []
        running = sum(seat.snippets for seat in self._seats.values())
        return LibraryReport(running, ended, self._finished(), self._broken)

    def _hear(self, seat: int) -> Seat:
        place = self._seats.setdefault(seat, Seat(0.0))
        place.heard = self._clock()
        return place

    def _recall(self) -> None:
        """Takes back what workers hold that have not been heard of for long."""
        late = self._clock() - LOST_SECONDS
        for seat in [seat for seat, place in self._seats.items() if place.heard < late]:
            self._leave(seat)

    def _leave(self, seat: int) -> None:
        """Takes back what a seat holds; the first of each lease was being watched, the others not yet."""
        place = self._seats.pop(seat, None)
        for first, *others in place.leases if place is not None else ():
            self._take_back(first)
            self._returned.extend(others)
            self._to_come += 1 + len(others)

    def _take_back(self, entry: CatalogEntry) -> None:
        """Takes back a video whose worker died."""
        deaths = self._deaths.get(entry.video_id, 0) + 1
        self._deaths[entry.video_id] = deaths
        if deaths < MOST_DEATHS - 1:
            self._returned.append(entry)
        elif deaths < MOST_DEATHS:
            self._suspects.append(entry)
        else:
            reason = f"the worker died {deaths} times while it watched this video, at last this video alone"
            self._end(EndedVideo(VideoEnd(entry.video_id, 0, 0.0, "failed", reason), []))

    def _strike(self, video_id: str) -> bool:
        """Takes a video off the list of those that have not ended; False where it was not on it."""
        for place in self._seats.values():
            for lease in place.leases:
                if any(entry.video_id == video_id for entry in lease):
                    _remove(lease, video_id)
                    place.leases = [lease for lease in place.leases if lease]
                    place.alone = place.alone and bool(place.leases)
                    return True
        return _remove(self._returned, video_id) or _remove(self._suspects, video_id)

    def _end(self, video: EndedVideo) -> None:
        self._deaths.pop(video.end.video_id, None)
        self._openings = 0
        self._ended.append(video)

    def _next_lease(self) -> list[CatalogEntry]:
        """The next video, and where it is short some that follow."""
        lease: list[CatalogEntry] = []
        most = max(1, self._to_come // (SHARES * self._slots))
        seconds = 0.0
        while len(lease) < most and (queue := self._queue()):
            entry = queue[0]
            seconds += LEASED_SECONDS if entry.duration_s is None else entry.duration_s
            if lease and (seconds > LEASED_SECONDS or entry.video_id in self._deaths):
                break
            lease.append(queue.popleft())
        self._to_come -= len(lease)
        return lease

    def _queue(self) -> deque[CatalogEntry]:
        """Where the next video is to be taken from; empty where there is none."""
        if self._returned:
            return self._returned
        while not self._page and (page := next(self._pages, None)) is not None:
            finished = {entry.video_id for entry in page if self._is_finished(entry)}
            self._page.extend(entry for entry in page if entry.video_id not in finished)
            self._to_come -= len(finished)
        return self._page

    def _is_finished(self, entry: CatalogEntry) -> bool:
        return self._folder.hierarchy_of(entry.video_id).exists()

    def _finished(self) -> bool:
        leased = any(place.leases for place in self._seats.values())
        return not leased and not self._suspects and not self._queue()


def _remove(entries: deque[CatalogEntry], video_id: str) -> bool:
    """Removes a video; False where it is not there."""
    for entry in entries:
        if entry.video_id == video_id:
            entries.remove(entry)
            return True
    return False
