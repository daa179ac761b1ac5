"""The library: every video ends exactly once, whoever dies, and little of the catalog is held."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.catalog import CatalogEntry
from pipelines.catalog_table import ROW_GROUP
from pipelines.library import (
    LEASED_SECONDS,
    LOST_SECONDS,
    MOST_DEATHS,
    EndedVideo,
    Library,
    shelf_pages,
    write_shelf,
)
from pipelines.run_folder import RunFolder
from pipelines.snippets import VideoEnd


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shelf:
    """A library over videos of 1000 s each, unless told otherwise, with what it said.

    Attributes:
        library: the library.
        clock: its clock.
        ends: how videos ended, in order.
    """

    def __init__(
        self, folder: Path, videos: Sequence[str] | Sequence[CatalogEntry], seats: int = 1, lanes: int = 1
    ) -> None:
        entries = [long(each) if isinstance(each, str) else each for each in videos]
        self.clock = Clock()
        write_shelf(folder / "shelf.parquet", entries)
        self.library = Library(str(folder / "shelf.parquet"), str(folder / "run"), seats, lanes, self.clock)
        self.ends: list[VideoEnd] = []
        for seat in range(seats):
            self.library.join(seat)

    def lease(self, seat: int = 0) -> list[str] | None:
        lease = self.library.lease(seat)
        return None if lease is None else [entry.video_id for entry in lease]

    def end(self, video_id: str, seat: int = 0) -> None:
        self.library.ended(seat, EndedVideo(VideoEnd(video_id, 7, 3.5, "done", None), [3, 1]), 0)

    @property
    def finished(self) -> bool:
        """Whether all have ended, by a report that is taken."""
        report = self.library.report()
        self.ends += [video.end for video in report.ended]
        return report.finished

    def statuses(self) -> dict[str, str]:
        """Of all videos that have ended, each of them once."""
        assert self.finished
        found = {end.video_id: end.status for end in self.ends}
        assert len(found) == len(self.ends)
        return found


def entry(video_id: str, duration_s: float | None) -> CatalogEntry:
    return CatalogEntry(video_id, f"/{video_id}", "video", duration_s)


def long(video_id: str) -> CatalogEntry:
    return entry(video_id, 1000.0)


def numbered(count: int, duration_s: float | None = 1000.0) -> list[CatalogEntry]:
    return [entry(f"{number:06d}", duration_s) for number in range(count)]


def test_a_shelf_is_read_as_it_was_written_longest_first(tmp_path):
    whole = CatalogEntry("a", "/a", "vectors", 4.0, 1, 2, "h264", 2.5, 16, "test", 1.0, 5.0, "ready", None)
    entries = [whole, entry("b", 9.0), entry("c", None), entry("d", 9.0)]
    write_shelf(tmp_path / "c.parquet", entries)
    [page] = shelf_pages(tmp_path / "c.parquet")
    assert page == [entries[2], entries[1], entries[3], entries[0]]


def test_videos_are_leased_longest_first_and_end_once(tmp_path):
    shelf = Shelf(tmp_path, [entry("a", 500.0), entry("b", 900.0)], lanes=2)
    assert [shelf.lease(), shelf.lease(), shelf.lease()] == [["b"], ["a"], []]
    shelf.end("a")
    assert not shelf.finished
    assert shelf.lease() == []
    shelf.end("b")
    shelf.end("b")
    assert shelf.lease() is None
    assert shelf.statuses() == {"a": "done", "b": "done"}


def test_a_report_tells_every_end_once_and_what_runs(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b"], seats=2)
    shelf.lease(0)
    shelf.lease(1)
    assert shelf.library.observed(0, 40)
    assert shelf.library.observed(1, 2)
    assert shelf.library.report().running == 42
    shelf.library.ended(0, EndedVideo(VideoEnd("a", 60, 30.0, "done", "short"), [9]), 0)
    report = shelf.library.report()
    assert report.ended == [EndedVideo(VideoEnd("a", 60, 30.0, "done", "short"), [9])]
    assert (report.running, report.finished, report.broken) == (2, False, None)
    assert shelf.library.report().ended == []


def test_finished_videos_are_passed_over(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.hierarchy_of("b/1").touch()
    shelf = Shelf(tmp_path, ["a", "b/1", "c"])
    assert [shelf.lease(), shelf.lease(), shelf.lease()] == [["a"], ["c"], []]


def test_nothing_to_do_is_finished_at_once(tmp_path):
    shelf = Shelf(tmp_path, [])
    assert shelf.finished
    assert shelf.lease() is None


def test_short_videos_are_leased_together_but_not_to_one_lane_alone(tmp_path):
    shelf = Shelf(tmp_path, numbered(1000, LEASED_SECONDS / 10), seats=2, lanes=2)
    assert len(shelf.lease() or []) == 10
    few = Shelf(tmp_path, numbered(16, 1.0), seats=2, lanes=2)
    assert len(few.lease() or []) == 1
    unknown = Shelf(tmp_path, numbered(1000, None))
    assert len(unknown.lease() or []) == 1


def test_what_a_dead_worker_held_is_leased_again(tmp_path):
    shelf = Shelf(tmp_path, numbered(100, 1.0), lanes=2)
    first, second = shelf.lease(), shelf.lease()
    assert first is not None
    assert second is not None
    assert len(first) > 1
    shelf.end(first[0])
    shelf.library.join(0)
    again = []
    while lease := shelf.lease():
        again += lease
        for video in lease:
            shelf.end(video)
    assert sorted([first[0], *again]) == [f"{number:06d}" for number in range(100)]
    assert set(shelf.statuses().values()) == {"done"}


def run(shelf: Shelf, killers: set[str], seats: int, lanes: int) -> list[list[str]]:
    """Watches everything; a worker with a killer on any of its lanes dies, with all that it holds.

    Returns:
        What the workers that died were at.
    """
    held: list[list[list[str]]] = [[] for _ in range(seats)]
    deaths = []
    for _ in range(10_000):
        for seat, lanes_of_seat in enumerate(held):
            while len(lanes_of_seat) < lanes and (lease := shelf.lease(seat)):
                lanes_of_seat.append(lease)
            watched = [lease[0] for lease in lanes_of_seat]
            if killers & set(watched):
                deaths.append(watched)
                assert shelf.library.opened()
                shelf.library.join(seat)
                lanes_of_seat.clear()
            elif lanes_of_seat:
                lease = lanes_of_seat[0]
                shelf.end(lease.pop(0), seat)
                lanes_of_seat[:] = [lease for lease in lanes_of_seat if lease]
        if shelf.finished:
            return deaths
    raise AssertionError("it never ended")


@pytest.mark.parametrize(("seats", "lanes"), [(1, 1), (1, 4), (3, 2)])
def test_a_video_that_kills_its_worker_fails_alone(tmp_path, seats, lanes):
    shelf = Shelf(tmp_path, numbered(40), seats, lanes)
    deaths = run(shelf, {"000001", "000017"}, seats, lanes)
    ended = shelf.statuses()
    assert len(ended) == 40
    assert {video for video, status in ended.items() if status == "failed"} == {"000001", "000017"}
    for killer in ("000001", "000017"):
        killed = [watched for watched in deaths if killer in watched]
        assert len(killed) == MOST_DEATHS
        assert killed[-1] == [killer]
        [end] = [end for end in shelf.ends if end.video_id == killer]
        assert "died 3 times" in (end.reason or "")


def test_nobody_watches_beside_a_suspect(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b", "c"], lanes=2)
    for _ in range(MOST_DEATHS - 1):
        assert [shelf.lease(), shelf.lease()] == [["a"], ["b"]]
        shelf.library.join(0)
    assert [shelf.lease(), shelf.lease()] == [["a"], []]
    shelf.end("a")
    assert [shelf.lease(), shelf.lease()] == [["b"], []]
    shelf.end("b")
    assert [shelf.lease(), shelf.lease()] == [["c"], []]


def test_a_suspect_waits_for_a_worker_that_watches_nothing_else(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b", "c"], seats=2, lanes=2)
    assert [shelf.lease(0), shelf.lease(1)] == [["a"], ["b"]]
    shelf.library.join(0)
    assert shelf.lease(0) == ["a"]
    shelf.library.join(0)
    assert [shelf.lease(1), shelf.lease(1)] == [["c"], []]
    shelf.end("b", 1)
    assert shelf.lease(1) == []
    shelf.end("c", 1)
    assert not shelf.finished
    assert [shelf.lease(1), shelf.lease(1)] == [["a"], []]
    shelf.end("a", 1)
    assert shelf.finished


def test_a_worker_that_says_nothing_is_taken_for_dead(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b"], seats=2)
    assert [shelf.lease(0), shelf.lease(1)] == [["a"], ["b"]]
    shelf.clock.now += LOST_SECONDS - 1
    assert shelf.library.observed(1, 5)
    shelf.end("b", 1)
    assert shelf.lease(1) == []
    shelf.clock.now += 2
    assert shelf.lease(1) == ["a"]
    shelf.end("a", 1)
    assert shelf.finished


def test_the_first_word_counts_also_of_a_worker_taken_for_dead(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b"], seats=2)
    shelf.lease(0)
    shelf.clock.now += LOST_SECONDS + 1
    assert shelf.lease(1) == ["a"]
    shelf.end("a", 0)
    shelf.end("a", 1)
    assert shelf.lease(1) == ["b"]
    shelf.clock.now += LOST_SECONDS + 1
    assert not shelf.finished  # it has been taken back, and nobody has it
    shelf.end("b", 1)
    assert shelf.statuses() == {"a": "done", "b": "done"}


def test_workers_that_die_before_anything_ends_are_not_started_for_ever(tmp_path):
    shelf = Shelf(tmp_path, ["a"], seats=2)
    openings = 0
    while shelf.library.opened():
        openings += 1
        assert openings < 100
    assert openings >= 2 * MOST_DEATHS
    assert "died before any video ended" in (shelf.library.report().broken or "")
    assert shelf.lease() is None
    assert not shelf.library.observed(0, 0)


def test_workers_may_die_as_long_as_videos_end(tmp_path):
    shelf = Shelf(tmp_path, numbered(50))
    for _ in range(50):
        assert shelf.library.opened()
        [video] = shelf.lease() or []
        shelf.end(video)
    assert shelf.finished


def test_after_a_stop_nothing_is_leased(tmp_path):
    shelf = Shelf(tmp_path, ["a", "b"])
    shelf.lease()
    shelf.library.stop()
    assert shelf.lease() is None
    assert not shelf.library.observed(0, 3)
    shelf.end("a")
    assert not shelf.finished
    assert [end.video_id for end in shelf.ends] == ["a"]


def test_a_hundred_thousand_videos_are_not_held(tmp_path):
    """Workers come and go at random; what is held stays small, and every video ends once."""
    shelf = Shelf(tmp_path, numbered(100_000, 30.0), seats=4, lanes=4)
    chance = random.Random(0)
    held: dict[tuple[int, int], list[str]] = {}
    most = ended = 0
    while (lease := shelf.lease(seat := chance.randrange(4))) is not None:
        most = max(most, shelf.library.held)
        if lease:
            held.setdefault((seat, chance.randrange(4)), []).extend(lease)
        if chance.random() < 0.001:
            shelf.library.join(seat)
            held = {place: videos for place, videos in held.items() if place[0] != seat}
        for place in [place for place in held if place[0] == seat]:
            for video in held.pop(place):
                shelf.end(video, seat)
        ended += len(shelf.library.report().ended)
    assert ended == 100_000
    assert most <= ROW_GROUP + 4 * 4 * LEASED_SECONDS / 30.0


def test_a_library_that_is_made_again_goes_on(tmp_path):
    """As Ray does with an actor that died; workers at their videos end them meanwhile."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    shelf = Shelf(tmp_path, ["a", "b", "c"], lanes=2)
    assert [shelf.lease(), shelf.lease()] == [["a"], ["b"]]
    folder.hierarchy_of("a").touch()
    shelf.end("a")
    again = Shelf(tmp_path, ["a", "b", "c"], lanes=2)
    folder.hierarchy_of("b").touch()
    again.end("b")
    assert again.lease() == ["c"]
    again.end("c")
    assert again.finished
