"""Streams through Ray Data: order, pinning, how far decoding runs ahead, and what damage does."""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import pipelines.parts
import pipelines.streams
from pipelines.catalog import CatalogEntry
from pipelines.decoder_process import PartEnd
from pipelines.decoding import BYTES_AHEAD, DecodingSettings, part_rows
from pipelines.parts import PART_SNIPPETS
from pipelines.snippets import ROW_SNIPPETS, SnippetBlock, SnippetFormat, VideoEnd, VideoPart, snippet_rows
from pipelines.streams import REST_SECONDS, Demand, FetchedRows, LaneStream, Pace, lane_stream, ray_rows
from streamer.errors import FeatureError
from streamer.extractors import open_extractor
from streamer.sources import open_source
from tests.pipelines.conftest import SECONDS
from tests.pipelines.processes import DEADLINE_S, await_true, needs_proc
from tests.streamer.video.clips import constant_rate, encode, number_in

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

FRAMES = SnippetFormat("frames", 0.5, 48, 16, "pyav")
WIDE = SnippetFormat("frames", 0.5, 256, 16, "pyav")
VECTORS = SnippetFormat("vectors", 0.5, 16, 16, "pyav")
MODULES = "tests.pipelines.feature_modules"
MOST_BYTES, MOST_ROWS = 64 * 2**20, 100  # that may wait for the model, whichever is less
FEW_ROWS = 6  # that may wait where less than one is allowed for
WIDE_ROW = ROW_SNIPPETS * 256 * 256 * 3

Row = dict[str, Any]
Source = Callable[[VideoPart, SnippetFormat, DecodingSettings], Iterator[Row]]


def video(path: Path, first: int = 0, **changes: Any) -> VideoPart:
    return VideoPart(CatalogEntry(path.stem, str(path), "video", **changes), first)


def raw_row(part: VideoPart, number: int, data: bytes) -> Row:
    video_id = part.entry.video_id
    return {"video_id": video_id, "index": number, "count": 1, "data": data, "status": "running"}


def rows_of(
    videos: list[VideoPart], form: SnippetFormat, bytes_ahead: int = BYTES_AHEAD
) -> Generator[Row, None, None]:
    demand = Demand()
    return ray_rows(videos, form, DecodingSettings(bytes_ahead=bytes_ahead), demand, Pace(demand))


def blocks_of(stream: LaneStream) -> list[SnippetBlock]:
    return [item for item in stream if isinstance(item, SnippetBlock)]


def same(one: SnippetBlock | VideoEnd, other: SnippetBlock | VideoEnd) -> bool:
    if isinstance(one, VideoEnd) or isinstance(other, VideoEnd):
        return one == other
    return (one.video_id, one.index) == (other.video_id, other.index) and np.array_equal(one.data, other.data)


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
    return lambda source: monkeypatch.setattr(pipelines.streams, "part_rows", source)


def test_videos_arrive_whole_and_in_order(clips):
    names = ["c", "a", "d", "b"]
    stream = list(lane_stream([video(clips / f"{name}.mp4") for name in names], FRAMES, DecodingSettings()))
    expected = [(name, index) for name in names for index in range(SECONDS[name] * 2)]
    blocks = [item for item in stream if isinstance(item, SnippetBlock)]
    assert [(item.video_id, item.index + k) for item in blocks for k in range(len(item.data))] == expected
    # Frame 5k is on screen at k half seconds, at ten frames per second.
    assert [number_in(data) for item in blocks for data in item.data] == [5 * index for _, index in expected]
    ends = [item for item in stream if isinstance(item, VideoEnd)]
    assert ends == [VideoEnd(name, SECONDS[name] * 2, float(SECONDS[name]), "done", None) for name in names]


def test_the_stream_is_the_decoder_s_number_for_number(clips):
    path = clips / "a.mp4"
    with open_source(str(path), snippet_size=0.5, frame_size=48) as source:
        direct = [snippet.copy() for snippet in source]
    blocks = blocks_of(lane_stream([video(path)], FRAMES, DecodingSettings()))
    assert b"".join(item.data.tobytes() for item in blocks) == b"".join(map(bytes, direct))


def test_one_video_is_decoded_at_a_time(decode_with, tmp_path):
    log = tmp_path / "log"

    def logged(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        for number in range(100):
            yield raw_row(part, number, b"x")
            with log.open("a") as file:
                file.write(part.entry.video_id)

    decode_with(logged)
    for _ in rows_of([video(tmp_path / name) for name in "bac"], FRAMES):
        pass
    assert log.read_text() == "b" * 100 + "a" * 100 + "c" * 100


def test_a_row_arrives_before_the_next_is_decoded(decode_with, tmp_path):
    taken = tmp_path / "taken"

    def gated(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        for number in range(3):
            yield raw_row(part, number, b"x")
            end = time.monotonic() + DEADLINE_S
            while not os.path.exists(f"{taken}{number}"):
                assert time.monotonic() < end, f"row {number} was not taken"
                time.sleep(0.02)

    decode_with(gated)
    for row in rows_of([video(tmp_path / "v")], FRAMES):
        Path(f"{taken}{row['index']}").touch()
    assert Path(f"{taken}2").exists()


def test_the_executor_rests_between_rounds(decode_with, monkeypatch, tmp_path):
    rounds = []
    rest = Pace.on_execution_step

    def noted(self: Pace, executor: Any) -> None:
        rounds.append(threading.current_thread())
        rest(self, executor)

    monkeypatch.setattr(Pace, "on_execution_step", noted)
    decode_with(lambda part, form, settings: (raw_row(part, number, b"x") for number in range(3)))
    assert len(list(rows_of([video(tmp_path / "v")], FRAMES))) == 3
    assert len(rounds) > 0
    assert threading.current_thread() not in rounds, "the consumer must not wait for it"


def test_the_executor_goes_on_when_a_row_is_waited_for(decode_with, monkeypatch, tmp_path):
    """However long it may rest, every row and the end arrive."""
    monkeypatch.setattr(pipelines.streams, "REST_SECONDS", 10 * DEADLINE_S)
    decode_with(lambda part, form, settings: (raw_row(part, number, b"x") for number in range(30)))
    found: Queue[list[Row]] = Queue()
    # A thread that must not be waited for where this fails.
    Thread(target=lambda: found.put(list(rows_of([video(tmp_path / "v")], FRAMES))), daemon=True).start()
    assert [row["index"] for row in found.get(timeout=DEADLINE_S)] == list(range(30))


def test_the_executor_rests_while_nobody_waits():
    asked: list[float | None] = []

    class Unasked(Demand):
        def wait(self, timeout_s: float) -> bool:
            asked.append(timeout_s)
            return False

    Pace(Unasked()).on_execution_step(executor_that_holds(7))
    assert asked == [REST_SECONDS]


def executor_that_holds(size: int) -> Any:
    """Stands for Ray Data's executor, of which only this is asked."""
    usage = SimpleNamespace(object_store_memory=float(size))
    return SimpleNamespace(_resource_manager=SimpleNamespace(get_global_usage=lambda: usage))


def test_somebody_waits_until_everybody_has_a_row():
    demand = Demand()
    assert not demand.wait(0)
    demand.begin()
    demand.begin()
    demand.end()
    assert demand.wait(0)
    demand.end()
    assert not demand.wait(0)


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

    def endless(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        for number in range(rows):
            with log.open("ab") as file:
                file.write(b".")
            yield raw_row(part, number, bytes(row_bytes))

    decode_with(endless)
    stream = rows_of([video(tmp_path / "v")], form, bytes_ahead)
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
    stream = lane_stream(entries, FRAMES, DecodingSettings())
    ends = [end for end in stream if isinstance(end, VideoEnd)]
    assert [(end.video_id, end.status) for end in ends] == [
        ("a", "done"),
        ("text", "failed"),
        ("cut", "done"),
        ("d", "done"),
    ]
    assert [end.reason is None for end in ends] == [True, False, False, True]
    assert 0 < ends[2].snippets < 16


def test_a_bug_in_decoding_is_raised_where_rows_are_taken(clips, decode_with):
    def buggy(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        yield raw_row(part, 0, b"x")
        raise ZeroDivisionError("the bug")

    decode_with(buggy)
    with pytest.raises(Exception, match="the bug"):  # Ray wraps it in errors of its own
        for _ in rows_of([video(clips / "a.mp4"), video(clips / "b.mp4")], FRAMES):
            pass


def test_an_abandoned_stream_frees_its_decoder(decode_with, tmp_path):
    import ray

    def endless(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        for number in range(10**9):
            yield raw_row(part, number, b"x")

    decode_with(endless)
    total = ray.cluster_resources()["CPU"]
    await_true(lambda: ray.available_resources().get("CPU") == total, "all CPUs are free before")
    stream = rows_of([video(tmp_path / "v")], FRAMES)
    next(stream)
    await_true(lambda: ray.available_resources().get("CPU", 0) < total, "the decoder holds its CPU")
    stream.close()
    await_true(lambda: ray.available_resources().get("CPU") == total, "the decoder's CPU is free again")


def test_no_video_gives_no_row():
    assert list(lane_stream([], FRAMES, DecodingSettings())) == []


def test_a_long_video_streams_with_every_index_once(tmp_path):
    path = encode(tmp_path / "long.mp4", constant_rate(1200, 4))
    blocks = blocks_of(lane_stream([video(path)], FRAMES, DecodingSettings()))
    assert [item.index + k for item in blocks for k in range(len(item.data))] == list(range(600))


@pytest.fixture
def fetched(monkeypatch) -> Callable[["Noted"], FetchedRows]:
    """Makes rows that come from somewhere else than Ray Data."""

    def fetch(noted: Noted) -> FetchedRows:
        monkeypatch.setattr(pipelines.streams, "ray_rows", lambda *_: noted.rows())
        return FetchedRows([], VECTORS, DecodingSettings(), Demand())

    return fetch


class Noted:
    """Rows that tell when somebody has begun to wait for them."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.asked = [threading.Event() for _ in range(count + 1)]
        self.closed = threading.Event()
        self._error = error

    def rows(self) -> Iterator[Row]:
        try:
            for number, asked in enumerate(self.asked[:-1]):
                asked.set()
                yield {"index": number, "data": bytes(100 + number)}
            self.asked[-1].set()
            if self._error is not None:
                raise self._error
        finally:
            self.closed.set()


def test_the_next_row_is_fetched_while_one_is_in_use(fetched):
    noted = Noted(3)
    rows = fetched(noted)
    assert noted.asked[0].wait(DEADLINE_S), "before anybody asks"
    for number in range(3):
        assert next(rows)["index"] == number
        assert noted.asked[number + 1].wait(DEADLINE_S)
    assert list(rows) == []
    assert next(rows, "ended") == "ended"


def test_no_more_than_one_row_is_fetched_ahead(fetched):
    noted = Noted(4)
    rows = fetched(noted)
    assert next(rows)["index"] == 0
    assert noted.asked[1].wait(DEADLINE_S)
    await_true(lambda: rows.bytes_ahead > 0, "the next row is there")
    assert rows.bytes_ahead == 101
    assert not noted.asked[2].is_set()
    assert [row["index"] for row in rows] == [1, 2, 3]
    assert rows.bytes_ahead == 0


def test_an_error_comes_where_the_row_would_have(fetched):
    rows = fetched(Noted(2, ZeroDivisionError("the bug")))
    assert [next(rows)["index"], next(rows)["index"]] == [0, 1]
    with pytest.raises(ZeroDivisionError, match="the bug"):
        next(rows)
    assert rows.bytes_ahead == 0


def test_rows_that_are_not_wanted_any_more(fetched):
    noted = Noted(4)
    rows = fetched(noted)
    next(rows)
    assert rows.close() is rows.close()
    assert noted.closed.wait(DEADLINE_S)
    assert not noted.asked[3].is_set()
    assert next(rows, "ended") == "ended"


def test_streams_of_lanes_are_decoded_at_the_same_time(decode_with, tmp_path):
    """The first row of each lane is there only when all lanes have begun."""

    def together(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        (tmp_path / f"{part.entry.video_id}.begun").touch()
        end = time.monotonic() + DEADLINE_S
        while len(list(tmp_path.glob("*.begun"))) < 4:
            assert time.monotonic() < end, "another lane or decoder did not begin"
            time.sleep(0.02)
        yield from snippet_rows(part, [bytes(64), PartEnd("end", 0.5)])

    decode_with(together)
    shares = [["a", "b"], ["c"], ["d"]]
    lanes = [
        lane_stream([video(tmp_path / name) for name in share], VECTORS, DecodingSettings(decoders=2))
        for share in shares
    ]
    found = [[item.video_id for item in lane if isinstance(item, VideoEnd)] for lane in lanes]
    assert found == shares


def test_a_video_goes_on_from_where_it_was_left(clips):
    whole = list(lane_stream([video(clips / "b.mp4"), video(clips / "a.mp4")], FRAMES, DecodingSettings()))
    rest = list(lane_stream([video(clips / "b.mp4", 16), video(clips / "a.mp4")], FRAMES, DecodingSettings()))
    assert len(rest) == len(whole) - 1
    assert all(same(one, other) for one, other in zip(rest, whole[1:], strict=True))
    assert isinstance(rest[1], VideoEnd)
    assert rest[1].snippets == 20, "those before are counted too"


@pytest.mark.parametrize("name", ["comb", f"{MODULES}:means"])
def test_features_are_those_of_the_frames(clips, tmp_path, name):
    torch.set_num_threads(1)  # as the decoding stage does
    form = replace(FRAMES, features=name, feature_dim=64 if name == "comb" else FRAMES.feature_dim)
    extract = open_extractor(name, form.feature_dim)
    videos = [video(clips / "b.mp4"), video(clips / "a.mp4")]
    of_frames = list(lane_stream(videos, FRAMES, DecodingSettings(cache=str(tmp_path))))
    expected = [
        replace(item, data=extract(item.data, item.index)) if isinstance(item, SnippetBlock) else item
        for item in of_frames
    ]
    for settings in (DecodingSettings(), DecodingSettings(cache=str(tmp_path))):
        found = list(lane_stream(videos, form, settings))
        assert all(same(*pair) for pair in zip(found, expected, strict=True))
    rest = list(lane_stream([video(clips / "b.mp4", 5)], form, DecodingSettings()))
    whole = np.concatenate([item.data for item in expected[:2] if isinstance(item, SnippetBlock)])
    begun = np.concatenate([item.data for item in rest if isinstance(item, SnippetBlock)])
    assert (begun == whole[5:]).all()


def test_a_fault_of_the_features_is_told_and_ends_the_stream(clips):
    form = replace(FRAMES, features=f"{MODULES}:sensitive")
    stream = lane_stream([video(clips / "a.mp4"), video(clips / "b.mp4")], form, DecodingSettings())
    with pytest.raises(FeatureError, match=r"sensitive: ValueError: too bright \(.*modules.py, line 2\d\)"):
        list(stream)
    assert list(stream) == []


@pytest.fixture
def small_parts(monkeypatch) -> None:
    """So that short videos have many."""
    monkeypatch.setattr(pipelines.parts, "PART_SNIPPETS", 64)


@pytest.mark.parametrize("bytes_ahead", [BYTES_AHEAD, 1], ids=["much room", "no room"])
@pytest.mark.usefixtures("small_parts")
def test_several_decoders_give_what_one_gives(tmp_path, damaged, clips, bytes_ahead):
    long = encode(tmp_path / "long.mp4", constant_rate(600, 4))
    stream = encode(tmp_path / "stream.ts", constant_rate(400, 4))
    broken = tmp_path / "broken.mkv"
    whole = encode(tmp_path / "whole.mkv", constant_rate(600, 4, bframes=0)).read_bytes()
    broken.write_bytes(whole[: len(whole) * 3 // 5])
    videos = [
        video(long, duration_s=150.0),
        video(damaged / "text.mp4", duration_s=200.0),
        video(broken, duration_s=150.0),
        video(stream, duration_s=100.0),
        video(long.with_name("long.mp4"), first=85, duration_s=150.0),
        video(clips / "a.mp4"),
    ]
    videos[4] = replace(videos[4], entry=replace(videos[4].entry, video_id="rest"))
    one = list(lane_stream(videos, FRAMES, DecodingSettings()))
    several = list(lane_stream(videos, FRAMES, DecodingSettings(decoders=3, bytes_ahead=bytes_ahead)))
    assert [item for item in several if isinstance(item, VideoEnd)] == [
        item for item in one if isinstance(item, VideoEnd)
    ]
    assert all(same(*pair) for pair in zip(one, several, strict=True))
    assert sum(isinstance(item, SnippetBlock) for item in one) > 50


@pytest.mark.parametrize("decoders", [1, 3])
def test_what_waits_is_bounded_and_told(decode_with, tmp_path, decoders):
    """The consumer took one row, and takes no other."""
    log, bytes_ahead = tmp_path / "log", 4 * WIDE_ROW

    def decode(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        def snippets() -> Iterator[bytes | PartEnd]:
            for number in range(PART_SNIPPETS):
                if number % ROW_SNIPPETS == 0:
                    with log.open("ab") as file:
                        file.write(b".")
                yield bytes(WIDE_ROW // ROW_SNIPPETS)
            yield PartEnd("end" if part.stop is None else "stop", 1.0)

        return snippet_rows(part, snippets())

    decode_with(decode)
    parts = 2 * decoders
    settings = DecodingSettings(decoders, bytes_ahead=bytes_ahead)
    stream = lane_stream([video(tmp_path / "v", duration_s=parts * PART_SNIPPETS / 2)], WIDE, settings)
    next(stream)
    ahead = await_stall(log) - 1
    assert ahead <= decoders * (bytes_ahead // WIDE_ROW + FEW_ROWS)
    assert ahead * WIDE_ROW <= stream.bytes_ahead <= (ahead + 3 * decoders) * WIDE_ROW
    stream.close()
    assert stream.bytes_ahead == 0


def test_there_may_be_more_videos_than_one_pipeline_takes(decode_with, monkeypatch, tmp_path):
    monkeypatch.setattr(pipelines.streams, "PIPELINE_PARTS", 2)
    decode_with(lambda part, form, settings: snippet_rows(part, [bytes(64), PartEnd("end", 0.5)]))
    stream = lane_stream([video(tmp_path / name) for name in "abcde"], VECTORS, DecodingSettings())
    assert [item.video_id for item in stream if isinstance(item, VideoEnd)] == list("abcde")


def test_time_spent_waiting_is_told(decode_with, tmp_path, monkeypatch):
    decode_with(lambda part, form, settings: snippet_rows(part, [bytes(64), PartEnd("end", 0.5)]))
    stream = lane_stream([video(tmp_path / "v")], VECTORS, DecodingSettings())
    assert stream.waited_s == 0
    clock = iter([10.0, 11.5, 20.0, 20.25, 30.0, 31.0])
    monkeypatch.setattr(pipelines.streams, "monotonic", lambda: next(clock))
    assert len(list(stream)) == 2
    assert stream.waited_s == 1.5 + 0.25 + 1.0


def test_a_second_run_reads_no_video(tmp_path):
    path = encode(tmp_path / "long.mp4", constant_rate(1200, 4))
    settings = DecodingSettings(decoders=2, cache=str(tmp_path / "cache"))
    first = list(lane_stream([video(path, duration_s=300.0)], FRAMES, settings))
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = list(lane_stream([video(path, duration_s=300.0)], FRAMES, settings))
    assert all(same(*pair) for pair in zip(first, second, strict=True))
    assert first[-1] == VideoEnd("long", 600, 300.0, "done", None)


def test_a_decoder_that_hangs_costs_its_video(tmp_path, clips):
    os.mkfifo(tmp_path / "fifo.mp4")
    videos = [video(tmp_path / "fifo.mp4"), video(clips / "a.mp4")]
    *_, end = hung, *_ = list(lane_stream(videos, FRAMES, DecodingSettings(timeout_s=1.0)))
    assert isinstance(hung, VideoEnd)
    assert (hung.status, hung.snippets) == ("failed", 0)
    assert hung.reason is not None
    assert hung.reason.startswith("the decoder hung: no snippet in 1 s")
    assert end == VideoEnd("a", 12, 6.0, "done", None)


def noting(log: Path, then: Callable[[], None] = lambda: None) -> Source:
    """Decodes, and notes by which of Ray's processes."""

    def decode(part: VideoPart, form: SnippetFormat, settings: DecodingSettings) -> Iterator[Row]:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        then()
        return part_rows(part, form, settings)

    return decode


def children(process_id: int) -> list[str]:
    lists = Path(f"/proc/{process_id}/task").glob("*/children")
    return [child for list_ in lists for child in list_.read_text().split()]


@needs_proc
def test_a_ray_process_that_dies_loses_no_row(decode_with, tmp_path):
    path = encode(tmp_path / "long.mp4", constant_rate(1200, 4))
    expected = list(lane_stream([video(path)], FRAMES, DecodingSettings()))
    log = tmp_path / "log"
    decode_with(noting(log))
    stream = lane_stream([video(path)], FRAMES, DecodingSettings(bytes_ahead=1))
    found = [next(stream) for _ in range(3)]
    process_id = int(log.read_text())
    decoders = children(process_id)
    assert len(decoders) > 0
    os.kill(process_id, signal.SIGKILL)
    found += stream
    await_true(lambda: not any(Path(f"/proc/{child}").exists() for child in decoders), "its decoder ends")
    assert len(log.read_text().split()) == 2, "it was decoded again"
    assert all(same(*pair) for pair in zip(expected, found, strict=True))


def test_a_ray_process_that_always_dies_is_an_error(decode_with, monkeypatch, tmp_path, clips):
    monkeypatch.setattr(pipelines.streams, "RETRIES", 1)
    log = tmp_path / "log"
    decode_with(noting(log, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    with pytest.raises(Exception, match="died"):  # Ray wraps it in errors of its own
        list(lane_stream([video(clips / "a.mp4")], FRAMES, DecodingSettings()))
    assert len(log.read_text().split()) == 2
