"""Nearest events and colours: held against sorting everything."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.report.colours import STEPS, UNKNOWN, Palette
from pipelines.report.events import LevelEvents
from pipelines.report.similarity import NEIGHBOURS, Pool, nearest

DIM = 6


def level_of(vectors: np.ndarray) -> LevelEvents:
    """Events of a second each with these representations."""
    starts = np.arange(len(vectors), dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    nothing = np.full(len(vectors), np.nan)
    return LevelEvents(starts, starts + 1, nothing, nothing, (vectors / lengths).astype(np.float32))


def random_levels(counts: list[int], seed: int = 0) -> list[LevelEvents]:
    random = np.random.default_rng(seed)
    levels = [level_of(random.standard_normal((count, DIM))) for count in counts]
    levels[0].units[2] = np.nan  # an event without a representation
    return levels


@pytest.mark.parametrize("video", [0, 1, 2])
def test_neighbours_are_those_that_sorting_all_cosines_gives(video: int) -> None:
    levels = random_levels([20, 90, 5])
    pool = Pool(0)
    for number, level in enumerate(levels):
        pool.add(number, level)
    candidates = pool.candidates()
    assert not candidates.sampled
    rows, cosines = nearest(levels[video].units, video, candidates)
    for event, unit in enumerate(levels[video].units):
        for own, part in ((True, slice(0, NEIGHBOURS)), (False, slice(NEIGHBOURS, 2 * NEIGHBOURS))):
            scored = []
            for number, level in enumerate(levels):
                for other, vector in enumerate(level.units):
                    elsewhere = number != video if not own else number == video and abs(other - event) > 1
                    if elsewhere and not np.isnan(unit).any() and not np.isnan(vector).any():
                        scored.append((-float(unit @ vector), number, other))
            expected = [(number, other) for _, number, other in sorted(scored)[:NEIGHBOURS]]
            found = [row for row in rows[event, part] if row >= 0]
            assert [(candidates.videos[row], candidates.events[row]) for row in found] == expected
            known = cosines[event, part][: len(expected)]
            assert known == pytest.approx([-value for value, _, _ in sorted(scored)[:NEIGHBOURS]], abs=1e-5)


def test_too_many_candidates_are_drawn_evenly_and_the_same_each_time() -> None:
    levels = random_levels([300] * 10)
    drawn = []
    for _ in range(2):
        pool = Pool(3, most=100)
        for number, level in enumerate(levels):
            pool.add(number, level)
        drawn.append(pool.candidates())
    first, second = drawn
    assert first.sampled
    assert first.total == 2999
    assert len(first.videos) == 100
    assert (np.diff(first.videos) >= 0).all()
    assert np.bincount(first.videos, minlength=10).min() >= 2
    assert np.array_equal(first.units, second.units)
    assert len(set(zip(first.videos.tolist(), first.events.tolist(), strict=True))) == 100


def test_a_level_without_any_representation_has_no_neighbours() -> None:
    level = random_levels([3])[0]
    level.units[:] = np.nan
    pool = Pool(0)
    pool.add(0, level)
    rows, _ = nearest(level.units, 0, pool.candidates())
    assert (rows == -1).all()
    assert Palette(pool.candidates().units).codes(level.units) == [UNKNOWN] * 3


def test_events_that_are_alike_have_colours_that_are_alike() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(DIM)[:3].repeat(50, axis=0)
    units = level_of(centres + 0.01 * random.standard_normal(centres.shape)).units
    codes = np.array(Palette(units).codes(units))
    places = np.stack([codes % STEPS, codes // STEPS % STEPS, codes // STEPS**2], axis=1)
    kinds = places.reshape(3, 50, 3).mean(axis=1)
    apart = [np.abs(kinds[a] - kinds[b]).max() for a in range(3) for b in range(a)]
    assert min(apart) > 4
    assert np.abs(places[:50, 0] - kinds[0, 0]).max() < STEPS / 2
    assert places.min() == 0
    assert places.max() == STEPS - 1


def test_events_that_cannot_be_told_apart_have_no_colour() -> None:
    units = level_of(np.ones((4, DIM))).units
    assert Palette(units).codes(units) == [UNKNOWN] * 4
