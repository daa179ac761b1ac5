"""Streams through Ray Data: order, pinning, how far decoding runs ahead, and what damage does."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

import pipelines.streams
from pipelines.catalog import CatalogEntry
from pipelines.snippets import ROW_SNIPPETS, SnippetBlock, SnippetFormat, VideoEnd, read_rows
from pipelines.streams import BYTES_AHEAD, REST_SECONDS, Rest, fetch_ahead, ray_rows
from streamer.sources import open_source
from tests.pipelines.conftest import SECONDS
from tests.pipelines.processes import DEADLINE_S, await_true
from tests.streamer.video.clips import constant_rate, encode, number_in

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

FRAMES = SnippetFormat("frames", 0.5, 48, 16, "pyav")
WIDE = SnippetFormat("frames", 0.5, 256, 16, "pyav")
VECTORS = SnippetFormat("vectors", 0.5, 16, 16, "pyav")
MOST_BYTES, MOST_ROWS = 64 * 2**20, 100  # that may wait for the model, whichever is less
FEW_ROWS = 6  # that may wait where less than one is allowed for
WIDE_ROW = ROW_SNIPPETS * 256 * 256 * 3

Row = dict[str, Any]
Source = Callable[[CatalogEntry, SnippetFormat], Iterator[Row]]


def video(path: Path, name: str | None = None) -> CatalogEntry:
    return CatalogEntry(name or path.stem, str(path), "video")


def raw_row(entry: CatalogEntry, number: int, data: bytes) -> Row:
    return {"video_id": entry.video_id, "index": number, "count": 1, "data": data, "status": "running"}


def await_stall(log: Path) -> int:
    """The size of `log` once it has stopped growing."""
    state = (log.stat().st_size, time.monotonic())

    def stalled() -> bool:
        nonlocal state
        size = log.stat().st_size
        if size != state[0]:
            state = (size, time.monotonic())
        return time.monotonic() - state[1] > 2.0

    await_true(stalled, "the decoder stalls")
    return state[0]


@pytest.fixture
def decode_with(monkeypatch) -> Callable[[Source], None]:
    """Puts another source of rows in the decoder's place; it runs in Ray's process."""
    return lambda source: monkeypatch.setattr(pipelines.streams, "snippet_rows", source)


def test_videos_arrive_whole_and_in_order(clips):
    names = ["c", "a", "d", "b"]
    stream = list(read_rows(ray_rows([video(clips / f"{name}.mp4") for name in names], FRAMES), FRAMES))
    expected = [(name, index) for name in names for index in range(SECONDS[name] * 2)]
    blocks = [item for item in stream if isinstance(item, SnippetBlock)]
    assert [(item.video_id, item.index + k) for item in blocks for k in range(len(item.data))] == expected
    # Frame 5k is on screen at k half seconds, at ten frames per second.
    assert [number_in(data) for item in blocks for data in item.data] == [5 * index for _, index in expected]
    ends = [item for item in stream if isinstance(item, VideoEnd)]
    assert ends == [VideoEnd(name, SECONDS[name] * 2, float(SECONDS[name]), "done", None) for name in names]


def test_the_stream_is_the_decoder_s_number_for_number(clips):
    entry = video(clips / "a.mp4")
    with open_source(entry.uri, snippet_size=0.5, frame_size=48) as source:
        direct = [snippet.copy() for snippet in source]
    blocks = [item for item in read_rows(ray_rows([entry], FRAMES), FRAMES) if isinstance(item, SnippetBlock)]
    assert b"".join(item.data.tobytes() for item in blocks) == b"".join(map(bytes, direct))


def test_one_video_is_decoded_at_a_time(decode_with, tmp_path):
    log = tmp_path / "log"

    def logged(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        for number in range(300):
            yield raw_row(entry, number, b"x")
            with log.open("a") as file:
                file.write(entry.video_id)

    decode_with(logged)
    for _ in ray_rows([video(tmp_path / name) for name in "bac"], FRAMES):
        pass
    assert log.read_text() == "b" * 300 + "a" * 300 + "c" * 300


def test_a_row_arrives_before_the_next_is_decoded(decode_with, tmp_path):
    taken = tmp_path / "taken"

    def gated(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        for number in range(3):
            yield raw_row(entry, number, b"x")
            end = time.monotonic() + DEADLINE_S
            while not os.path.exists(f"{taken}{number}"):
                assert time.monotonic() < end, f"row {number} was not taken"
                time.sleep(0.02)

    decode_with(gated)
    for row in ray_rows([video(tmp_path / "v")], FRAMES):
        Path(f"{taken}{row['index']}").touch()
    assert Path(f"{taken}2").exists()


def test_the_executor_rests_between_rounds(decode_with, monkeypatch, tmp_path):
    rounds = []
    rest = Rest.on_execution_step

    def noted(self: Rest, executor: Any) -> None:
        rounds.append(threading.current_thread())
        rest(self, executor)

    monkeypatch.setattr(Rest, "on_execution_step", noted)
    decode_with(lambda entry, form: (raw_row(entry, number, b"x") for number in range(3)))
    assert len(list(ray_rows([video(tmp_path / "v")], FRAMES))) == 3
    assert len(rounds) > 0
    assert threading.current_thread() not in rounds, "the consumer must not wait for it"


def test_the_executor_goes_on_when_a_row_is_waited_for(decode_with, monkeypatch, tmp_path):
    """However long it may rest, every row and the end arrive."""
    monkeypatch.setattr(pipelines.streams, "REST_SECONDS", 10 * DEADLINE_S)
    decode_with(lambda entry, form: (raw_row(entry, number, b"x") for number in range(30)))
    found: Queue[list[Row]] = Queue()
    # A thread that must not be waited for where this fails.
    Thread(target=lambda: found.put(list(ray_rows([video(tmp_path / "v")], FRAMES))), daemon=True).start()
    assert [row["index"] for row in found.get(timeout=DEADLINE_S)] == list(range(30))


def test_the_executor_rests_while_nobody_waits():
    asked: list[float | None] = []

    class Unset(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.append(timeout)
            return False

    Rest(Unset()).on_execution_step(None)
    assert asked == [REST_SECONDS]


@pytest.mark.parametrize(
    ("form", "row_bytes", "bytes_ahead", "most"),
    [
        (WIDE, WIDE_ROW, BYTES_AHEAD, MOST_BYTES // WIDE_ROW),
        (WIDE, WIDE_ROW, BYTES_AHEAD // 16, FEW_ROWS),
        (VECTORS, ROW_SNIPPETS * 16 * 4, BYTES_AHEAD, MOST_ROWS),
    ],
    ids=["wide rows", "wide rows of one of many lanes", "narrow rows"],
)
def test_decoding_runs_ahead_by_a_bounded_amount(decode_with, tmp_path, form, row_bytes, bytes_ahead, most):
    """Who took the first row does not ask for more, like a worker that waits at a barrier."""
    log, rows = tmp_path / "log", 160

    def endless(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        for number in range(rows):
            with log.open("ab") as file:
                file.write(b".")
            yield raw_row(entry, number, bytes(row_bytes))

    decode_with(endless)
    stream = ray_rows([video(tmp_path / "v")], form, bytes_ahead)
    next(stream)
    ahead = await_stall(log) - 1
    assert 1 <= ahead <= most
    assert sum(1 for _ in stream) == rows - 1


def test_a_damaged_video_costs_itself(clips, damaged):
    entries = [
        video(clips / "a.mp4"),
        video(damaged / "text.mp4"),
        video(damaged / "cut.mkv"),
        video(clips / "d.mp4"),
    ]
    ends = [end for end in read_rows(ray_rows(entries, FRAMES), FRAMES) if isinstance(end, VideoEnd)]
    assert [(end.video_id, end.status) for end in ends] == [
        ("a", "done"),
        ("text", "failed"),
        ("cut", "done"),
        ("d", "done"),
    ]
    assert [end.reason is None for end in ends] == [True, False, False, True]
    assert 0 < ends[2].snippets < 16


def test_a_bug_in_decoding_is_raised_where_rows_are_taken(clips, decode_with):
    def buggy(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        yield raw_row(entry, 0, b"x")
        raise ZeroDivisionError("the bug")

    decode_with(buggy)
    with pytest.raises(Exception, match="the bug"):  # Ray wraps it in errors of its own
        for _ in ray_rows([video(clips / "a.mp4"), video(clips / "b.mp4")], FRAMES):
            pass


def test_an_abandoned_stream_frees_its_decoder(decode_with, tmp_path):
    import ray

    def endless(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        for number in range(10**9):
            yield raw_row(entry, number, b"x")

    decode_with(endless)
    total = ray.cluster_resources()["CPU"]
    await_true(lambda: ray.available_resources().get("CPU") == total, "all CPUs are free before")
    stream = ray_rows([video(tmp_path / "v")], FRAMES)
    next(stream)
    await_true(lambda: ray.available_resources().get("CPU", 0) < total, "the decoder holds its CPU")
    stream.close()  # pyright: ignore[reportAttributeAccessIssue] - a generator
    await_true(lambda: ray.available_resources().get("CPU") == total, "the decoder's CPU is free again")


def test_no_video_gives_no_row():
    assert list(ray_rows([], FRAMES)) == []


def test_a_long_video_streams_with_every_index_once(tmp_path):
    path = encode(tmp_path / "long.mp4", constant_rate(1200, 4))
    stream = read_rows(ray_rows([video(path)], FRAMES), FRAMES)
    blocks = [item for item in stream if isinstance(item, SnippetBlock)]
    assert [item.index + k for item in blocks for k in range(len(item.data))] == list(range(600))


class Noted:
    """Items that tell when somebody has begun to wait for them."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.asked = [threading.Event() for _ in range(count + 1)]
        self._error = error

    def __iter__(self) -> Iterator[int]:
        for number, asked in enumerate(self.asked[:-1]):
            asked.set()
            yield number
        self.asked[-1].set()
        if self._error is not None:
            raise self._error


def test_the_next_item_is_fetched_while_one_is_in_use():
    noted = Noted(3)
    fetched = fetch_ahead(iter(noted))
    assert noted.asked[0].wait(DEADLINE_S), "before anybody asks"
    for number in range(3):
        assert next(fetched) == number
        assert noted.asked[number + 1].wait(DEADLINE_S)
    assert list(fetched) == []
    assert next(fetched, "ended") == "ended"


def test_no_more_than_one_item_is_fetched_ahead():
    noted = Noted(4)
    fetched = fetch_ahead(iter(noted))
    assert next(fetched) == 0
    assert noted.asked[1].wait(DEADLINE_S)
    assert not noted.asked[2].is_set()
    assert list(fetched) == [1, 2, 3]


def test_an_error_comes_where_the_item_would_have():
    fetched = fetch_ahead(iter(Noted(2, ZeroDivisionError("the bug"))))
    assert [next(fetched), next(fetched)] == [0, 1]
    with pytest.raises(ZeroDivisionError, match="the bug"):
        next(fetched)


def test_streams_of_lanes_are_decoded_at_the_same_time(decode_with, tmp_path):
    """The first row of each lane is there only when all lanes have begun."""

    def together(entry: CatalogEntry, form: SnippetFormat) -> Iterator[Row]:
        (tmp_path / f"{entry.video_id}.begun").touch()
        end = time.monotonic() + DEADLINE_S
        while len(list(tmp_path.glob("*.begun"))) < 3:
            assert time.monotonic() < end, "another lane did not begin"
            time.sleep(0.02)
        yield raw_row(entry, 0, b"x")

    decode_with(together)
    streams = [fetch_ahead(ray_rows([video(tmp_path / name)], FRAMES)) for name in "abc"]
    assert [next(stream)["video_id"] for stream in streams] == ["a", "b", "c"]
