"""How videos are dealt to slots."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.assignment import assign, slots_of


@dataclass(frozen=True)
class Recording:
    video_id: str
    duration_s: float | None


durations = st.none() | st.floats(0, 1e5)
recordings = st.dictionaries(st.text(max_size=3), durations, max_size=12).map(
    lambda videos: [Recording(*video) for video in videos.items()]
)
slots = st.integers(1, 6)


def ids(dealt):
    return [[video.video_id for video in slot] for slot in dealt]


def lengths(videos: list[Recording]) -> dict[str, float]:
    known = [video.duration_s for video in videos if video.duration_s is not None]
    mean = math.fsum(known) / len(known) if known else 1.0
    return {video.video_id: mean if video.duration_s is None else video.duration_s for video in videos}


@given(recordings, slots)
def test_every_video_goes_to_one_slot(videos, count):
    dealt = assign(videos, count)
    assert len(dealt) == count
    assert sorted(video.video_id for slot in dealt for video in slot) == sorted(
        video.video_id for video in videos
    )


@given(recordings, slots, st.randoms(use_true_random=False))
def test_order_of_the_videos_does_not_matter(videos, count, random):
    expected = ids(assign(videos, count))
    random.shuffle(videos)
    assert ids(assign(videos, count)) == expected


def test_order_does_not_matter_to_the_mean_of_the_known():
    """0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last bit, on either side of three times 0.2."""
    videos = [Recording("a", 0.1), Recording("b", 0.2), Recording("c", 0.3), Recording("unknown", None)]
    assert ids(assign(videos, 1)) == ids(assign(videos[::-1], 1))


@given(recordings, slots)
def test_each_slot_takes_its_longest_first(videos, count):
    length = lengths(videos)
    for slot in ids(assign(videos, count)):
        assert slot == sorted(slot, key=lambda video_id: (-length[video_id], video_id))


@given(recordings, slots)
def test_loads_are_within_the_bound_of_longest_first(videos, count):
    """Without its last video the fullest slot was the emptiest: it held no more than the mean."""
    length = lengths(videos)
    for slot in ids(assign(videos, count)):
        loads = [length[video_id] for video_id in slot]
        assert sum(loads[:-1]) <= sum(length.values()) / count * (1 + 1e-9)


@given(st.integers(0, 5), st.integers(0, 4))
def test_more_slots_than_videos_leave_some_without(count, more):
    videos = [Recording(str(index), 10.0 * index + 1) for index in range(count)]
    dealt = assign(videos, count + more or 1)
    assert sorted(map(len, dealt)) == [0] * (len(dealt) - count) + [1] * count


def test_ties_go_by_id_and_slot():
    videos = [Recording(name, 5.0) for name in "dbca"]
    assert ids(assign(videos, 2)) == [["a", "c"], ["b", "d"]]


@pytest.mark.parametrize("duration", [None, 0.0])
def test_videos_of_no_known_length_are_dealt_evenly(duration):
    videos = [Recording(str(index), None) for index in range(6)]
    assert [len(slot) for slot in assign(videos, 3)] == [2, 2, 2]
    assert assign([Recording("only", duration)], 1) == [[Recording("only", duration)]]


@given(recordings, recordings, slots)
def test_videos_in_the_middle_come_before_the_others(videos, running, count):
    running = [Recording(f"running {video.video_id}", video.duration_s) for video in running]
    dealt = ids(assign(videos, count, running))
    for slot in dealt:
        begun = [name.startswith("running") for name in slot]
        assert begun == sorted(begun, reverse=True)
    assert sorted(name for slot in dealt for name in slot) == sorted(
        video.video_id for video in (*videos, *running)
    )


@given(st.integers(1, 7), st.integers(1, 5))
def test_every_slot_belongs_to_one_worker(workers, lanes):
    every = list(range(workers * lanes))
    owned = [slots_of(every, rank, workers) for rank in range(workers)]
    assert [len(slots) for slots in owned] == [lanes] * workers
    assert sorted(slot for slots in owned for slot in slots) == every


def test_few_videos_spread_over_all_workers():
    dealt = assign([Recording(name, 60.0) for name in "abcd"], 16)
    assert [sum(map(len, slots_of(dealt, rank, 4))) for rank in range(4)] == [1, 1, 1, 1]
