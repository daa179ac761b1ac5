"""Which events are most alike: exact cosines of representations within a level of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.report.events import LevelEvents

NEIGHBOURS = 4
"""How many are kept of each event in its own video, and how many in others."""

MOST_CANDIDATES = 20_000
"""Events of a level among which neighbours are sought; of more, so many are drawn at random."""

_CHUNK_ROWS = 512


@dataclass(frozen=True)
class Candidates:
    """Events of one level, of all videos, among which neighbours are sought.

    Attributes:
        units: representations of length 1, float32 [m, D].
        videos: number of the video of each, int64 [m], ascending.
        events: index of each within its level, int64 [m].
        starts_s: float64 [m].
        ends_s: float64 [m].
        total: how many events with a representation the level has.
    """

    units: np.ndarray
    videos: np.ndarray
    events: np.ndarray
    starts_s: np.ndarray
    ends_s: np.ndarray
    total: int

    @property
    def sampled(self) -> bool:
        """Whether they are not all."""
        return self.total > len(self.videos)


class Pool:
    """Collects the candidates of a level, video by video, and keeps a bounded number of them.

    Each event draws a number as it comes; those with the lowest are kept, which is a sample without
    replacement, the same for the same seed.

    Args:
        seed: determines the draws.
        most: how many are kept.
    """

    def __init__(self, seed: int, most: int = MOST_CANDIDATES) -> None:
        self._random = np.random.default_rng(seed)
        self._most = most
        self._parts: list[tuple[np.ndarray, ...]] = []
        self._held = self._total = 0

    def add(self, video: int, level: LevelEvents) -> None:
        """Takes in the events of a video that have a representation."""
        (events,) = np.nonzero(~np.isnan(level.units[:, 0]))
        draws = self._random.random(len(events))
        videos = np.full(len(events), video)
        columns = (draws, level.units[events], videos, events, level.starts_s[events], level.ends_s[events])
        self._parts.append(columns)
        self._total += len(events)
        self._held += len(events)
        if self._held > 2 * self._most:
            self._shrink()

    def candidates(self) -> Candidates:
        """Those that were kept, in the order in which they came."""
        self._shrink()
        _, units, videos, events, starts_s, ends_s = self._parts[0]
        return Candidates(units, videos, events, starts_s, ends_s, self._total)

    def _shrink(self) -> None:
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        draws = columns[0]
        if len(draws) > self._most:
            kept = np.sort(np.argpartition(draws, self._most)[: self._most])
            columns = [column[kept] for column in columns]
        self._parts, self._held = [tuple(columns)], len(columns[0])


def nearest(units: np.ndarray, video: int, candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest events elsewhere in the video, and the nearest in other videos.

    An event itself, and the two that touch it, are not elsewhere.

    Args:
        units: representations of all events of the level in one video, float32 [n, D], nan where unknown.
        video: number of the video.
        candidates: where to look.

    Returns:
        Rows of the candidates, int64 [n, 2 * NEIGHBOURS], those of the video and then those of others, each
        the nearest first, -1 where there is none; and their cosines, float32 [n, 2 * NEIGHBOURS].
    """
    rows = np.full((len(units), 2 * NEIGHBOURS), -1, np.int64)
    cosines = np.full((len(units), 2 * NEIGHBOURS), -np.inf, np.float32)
    first, last = np.searchsorted(candidates.videos, [video, video + 1])
    own = candidates.events[first:last]
    others = np.concatenate([np.arange(first), np.arange(last, len(candidates.videos))])
    known = ~np.isnan(units[:, 0])
    for start in range(0, len(units), _CHUNK_ROWS):
        (places,) = np.nonzero(known[start : start + _CHUNK_ROWS])
        places += start
        if not len(places):
            continue
        table = units[places] @ candidates.units.T
        here = table[:, first:last]
        here[np.abs(own[None, :] - places[:, None]) <= 1] = -np.inf
        _put(here, np.arange(first, last), rows, cosines, places, slice(0, NEIGHBOURS))
        _put(table[:, others], others, rows, cosines, places, slice(NEIGHBOURS, 2 * NEIGHBOURS))
    return rows, cosines


def _put(
    table: np.ndarray,
    names: np.ndarray,
    rows: np.ndarray,
    cosines: np.ndarray,
    places: np.ndarray,
    columns: slice,
) -> None:
    """Enters the highest entries of each row of a table of cosines [q, c], whose columns have names [c]."""
    wanted = min(NEIGHBOURS, len(names))
    if not wanted:
        return
    best = np.argpartition(-table, wanted - 1, axis=1)[:, :wanted]
    values = np.take_along_axis(table, best, axis=1)
    # Equal cosines in the order of the candidates, so that the same run gives the same report.
    order = np.lexsort((best, -values), axis=1)
    best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    columns = slice(columns.start, columns.start + wanted)
    rows[places, columns] = np.where(np.isfinite(values), names[best], -1)
    cosines[places, columns] = values
